//! The list of mutations, read.
//!
//! One mutation is a block of lines, and blocks are separated by empty lines:
//!
//! ```text
//! rule: which rule is broken, in words
//! file: checker/src/linearizability/item/blocks.rs
//! - if lower > upper {
//! + if false {
//! ```
//!
//! The lines after `-`, together, must occur exactly once in the file; those after `+` take their place, and
//! none takes it away. How lines are indented does not matter. Lines that begin with `#` are for the reader.

use std::path::Path;

/// One rule, and how to break it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// In words.
    pub(crate) name: String,
    /// From the root of the workspace.
    pub(crate) file: String,
    old: String,
    new: String,
}

/// The file that holds the list, from the root of the workspace.
pub(crate) const LIST: &str = "examples/mutations/rules.txt";

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// All rules of the list.
pub(crate) fn read() -> Result<Vec<Rule>, String> {
    let path = root().join(LIST);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text: String =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks.map(|block| rule(block).ok_or_else(|| format!("{LIST}: this is no rule:\n{block}"))).collect()
}

fn rule(block: &str) -> Option<Rule> {
    let (mut name, mut file, mut old, mut new) = (None, None, Vec::new(), Vec::new());
    for line in block.lines().filter(|line| !line.is_empty()) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("rule:", text) => name = Some(text.to_owned()),
            ("file:", text) => file = Some(text.to_owned()),
            ("-", text) => old.push(text.trim()),
            ("+", text) => new.push(text.trim()),
            _ => return None,
        }
    }
    let (old, new) = (old.join("\n"), new.join("\n"));
    (!old.is_empty() && old != new).then_some(Rule { name: name?, file: file?, old, new })
}

impl Rule {
    /// The text of the file with the rule broken.
    pub(crate) fn broken(&self, text: &str) -> Result<String, String> {
        let text: Vec<&str> = text.lines().map(str::trim).collect();
        let text = text.join("\n");
        match text.matches(&self.old).count() {
            1 => Ok(text.replacen(&self.old, &self.new, 1)),
            count => Err(format!(
                "{}: the text of the rule \"{}\" occurs {count} times, not once; bring {LIST} up to date:\n{}",
                self.file, self.name, self.old
            )),
        }
    }
}
