//! Breaks each rule of the checker in turn, and sees whether the comparison with the oracle notices.
//!
//! `examples/mutations/run.sh`, or `cargo run --release -p growler-checker --example mutations`
//!
//! A test that cannot fail is no test, and neither is a fuzzer that would pass a broken checker. So the
//! checker is copied, one rule of it is broken as [`rules`] says, and `fuzz` and then `exhaustive` are run on
//! the copy until one of them notices. Before that, the copy as it is must pass.
//!
//! | option | meaning |
//! |---|---|
//! | `--histories N` | random histories at most, 3,000,000 if not given |
//! | `--only TEXT` | only rules with this in their name |
//! | `--file TEXT` | only rules of files with this in their path |

#![allow(clippy::print_stdout, reason = "an example talks to people")]

mod rules;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rules::Rule;

/// A broken checker may also search for ever; what takes so long was noticed.
const PATIENCE: Duration = Duration::from_secs(300);

struct Options {
    histories: u64,
    only: String,
    file: String,
}

fn options() -> Option<Options> {
    let mut options = Options { histories: 3_000_000, only: String::new(), file: String::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--histories" => options.histories = value.parse().ok()?,
            "--only" => options.only = value,
            "--file" => options.file = value,
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        println!("usage: mutations [--histories N] [--only TEXT] [--file TEXT]");
        return ExitCode::from(254);
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            println!("{reason}");
            ExitCode::from(254)
        }
    }
}

/// Whether every rule was caught.
fn run(options: &Options) -> Result<bool, String> {
    let rules: Vec<Rule> = rules::read()?
        .into_iter()
        .filter(|rule| rule.name.contains(&options.only) && rule.file.contains(&options.file))
        .collect();
    let copy = Copy::new(rules::root())?;
    if let Some(caught) = copy.compare(options.histories / 10)? {
        return Err(format!("the checker as it is does not pass: {caught}"));
    }
    println!("{} rules; the checker as it is passes", rules.len());
    let mut missed = 0;
    for rule in &rules {
        let path = copy.at.join(&rule.file);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        write(&path, &rule.broken(&text)?)?;
        let outcome = copy.compare(options.histories);
        write(&path, &text)?;
        let file = rule.file.rsplit('/').next().unwrap_or_default();
        match outcome.map_err(|error| format!("{file}: {}: {error}", rule.name))? {
            Some(caught) => println!("{file} | {} | {caught}", rule.name),
            None => {
                missed += 1;
                println!("{file} | {} | NOT CAUGHT", rule.name);
            }
        }
    }
    println!("{} of {} caught", rules.len() - missed, rules.len());
    Ok(missed == 0)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A copy of the checker, in a workspace of its own.
struct Copy {
    at: PathBuf,
}

impl Copy {
    fn new(root: &Path) -> Result<Self, String> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let at = target.join("mutations");
        let from = root.join("checker");
        let copied = fs::remove_dir_all(at.join("checker"))
            .or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
            .and_then(|()| copy_folder(&from, &at.join("checker")))
            .and_then(|()| fs::copy(root.join("Cargo.lock"), at.join("Cargo.lock")).map(drop));
        copied.map_err(|error| format!("the checker cannot be copied to {}: {error}", at.display()))?;
        let manifest = fs::read_to_string(root.join("Cargo.toml")).map_err(|error| error.to_string())?;
        let lines = manifest.lines().map(|line| match line.split_once(" = ") {
            Some((name @ ("members" | "default-members"), _)) => format!("{name} = [\"checker\"]\n"),
            _ => format!("{line}\n"),
        });
        write(&at.join("Cargo.toml"), &lines.collect::<String>())?;
        Ok(Self { at })
    }

    /// Builds a command. It need not be fast.
    fn build(&self, command: &str) -> Result<(), String> {
        let output = self
            .cargo("build")
            .args(["--example", command])
            .output()
            .map_err(|error| format!("cargo: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("the broken checker does not build:\n{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn cargo(&self, what: &str) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.at)
            .env("CARGO_TARGET_DIR", self.at.join("target"))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
            .env("CARGO_INCREMENTAL", "1")
            .args([what, "--release", "--offline", "--quiet", "-p", "growler-checker"]);
        cargo
    }

    /// Runs the comparisons; how the checker was caught, if it was.
    fn compare(&self, histories: u64) -> Result<Option<String>, String> {
        // As a share of those of three operations, of which there are some 30 million.
        let share = format!("1/{}", (300_000_000 / histories.max(1)).max(1));
        let histories = histories.to_string();
        let fuzz = ["--stop", "--largest", "10", "--smallest", "0", "--histories", &histories];
        let small = ["--stop", "--operations", "3", "--share", &share];
        for (command, arguments) in [("fuzz", fuzz.as_slice()), ("exhaustive", small.as_slice())] {
            self.build(command)?;
            let path = self.at.join("target/release/examples").join(command);
            if let Some(caught) = caught(&path, arguments)? {
                return Ok(Some(format!("caught {caught} ({command})")));
            }
        }
        Ok(None)
    }
}

/// Runs a comparison; how it ended, unless it passed.
fn caught(path: &Path, arguments: &[&str]) -> Result<Option<String>, String> {
    let started = |error| format!("{}: {error}", path.display());
    let mut child = Command::new(path)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(started)?;
    let begin = Instant::now();
    while child.try_wait().map_err(started)?.is_none() {
        if begin.elapsed() > PATIENCE {
            child.kill().and_then(|()| child.wait()).map_err(started)?;
            return Ok(Some("by not ending".to_owned()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().map_err(started)?;
    let text = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => Ok(None),
        Some(1) => {
            let first = text.lines().find_map(|line| line.strip_prefix("history "));
            let number = first.and_then(|line| line.split(':').next()?.parse::<u64>().ok());
            let number = number.ok_or_else(|| format!("{} does not say which history", path.display()))?;
            Ok(Some(format!("by history {}", number + 1)))
        }
        Some(101) => Ok(Some("by a panic".to_owned())),
        _ => Err(format!("{} ended with {}", path.display(), output.status)),
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
