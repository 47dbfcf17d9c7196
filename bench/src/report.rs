//! The page of results, `checker/BENCHMARKS.md`: each measuring program rewrites its own section, and what is
//! between the sections is written by people.
//!
//! A section lies between `<!-- NAME: measured, do not edit -->` and `<!-- NAME: end -->`.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The page.
#[must_use]
pub fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../checker/BENCHMARKS.md")
}

/// Replaces a section of a page.
///
/// # Errors
///
/// If the page cannot be read or written, or has no such section.
pub fn replace_section(page: &Path, name: &str, content: &str) -> io::Result<()> {
    let text = fs::read_to_string(page)?;
    let replaced = replaced(&text, name, content).ok_or_else(|| {
        io::Error::other(format!("{} has no section {name}: put its two marks back", page.display()))
    })?;
    fs::write(page, replaced)
}

fn replaced(text: &str, name: &str, content: &str) -> Option<String> {
    let begin = format!("<!-- {name}: measured, do not edit -->\n");
    let end = format!("<!-- {name}: end -->");
    let from = text.find(&begin)? + begin.len();
    let to = from + text[from..].find(&end)?;
    Some(format!("{}\n{}\n\n{}", &text[..from], content.trim(), &text[to..]))
}

/// A time in the unit that suits it, to three digits.
#[must_use]
pub fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// Bytes in millions.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    if bytes < 1_000_000 { "under 1 MB".to_owned() } else { format!("{:.0} MB", bytes as f64 / 1e6) }
}

/// The machine, in general terms.
#[must_use]
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a processor without a name", |(_, model)| model);
    format!("a virtual machine with {cores} cores of {model} ({})", std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_section_changes() {
        let page = "a\n<!-- x: measured, do not edit -->\nold\n<!-- x: end -->\nb\n";
        let wanted = "a\n<!-- x: measured, do not edit -->\n\nnew\n\n<!-- x: end -->\nb\n";
        assert_eq!(replaced(page, "x", "new\n").as_deref(), Some(wanted));
        assert_eq!(replaced(wanted, "x", "new").as_deref(), Some(wanted));
        assert_eq!(replaced(page, "y", "new"), None);
    }

    #[test]
    fn times_are_read_at_a_glance() {
        assert_eq!(time(0.000_001_234), "1.23 µs");
        assert_eq!(time(0.012_34), "12.3 ms");
        assert_eq!(time(1.234), "1.23 s");
        assert_eq!(time(0.123_4), "123 ms");
    }
}
