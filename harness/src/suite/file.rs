//! A suite's file: TOML, read strictly. A name that means nothing is a mistake, and is told with its line.

use std::fmt;

use anyhow::{Context, anyhow, bail};
use growler_results::suite::Map;
use growler_results::verdict::Verdict;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use toml::Spanned;

/// Seeds of one suite. More are a slip of the pen.
const SEEDS_MAX: u64 = 10_000;

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The suite's name, and that of its folder.
    pub(super) name: Spanned<String>,
    /// Runs side by side.
    #[serde(default = "one")]
    pub(super) parallel: usize,
    /// The seeds of every row.
    pub(super) seeds: Option<Seeds>,
    /// Options of every test.
    #[serde(default)]
    pub(super) defaults: Options,
    /// The tests.
    #[serde(default)]
    pub(super) test: Vec<Test>,
    /// How the rows are drawn as a map.
    pub(super) map: Option<Map>,
}

/// `[[test]]`: one row, or a row for each combination of its matrix.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Test {
    /// Its name.
    pub(super) name: Spanned<String>,
    /// Whether its answers count.
    #[serde(default = "yes")]
    pub(super) judge: bool,
    /// The verdict that is its pass.
    pub(super) expect_verdict: Option<Verdict>,
    /// Further promises that its histories are held to, for the table only.
    #[serde(default)]
    pub(super) measure: Vec<String>,
    /// In what is measured, eventually consistent reads count as reads too (`growler check --all-reads`).
    #[serde(default)]
    pub(super) all_reads: bool,
    /// Options of `growler test`.
    #[serde(default)]
    pub(super) options: Options,
    /// Options with several values each.
    #[serde(default)]
    pub(super) matrix: Options,
}

/// Options by their long names, in the order of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Options(pub(super) Vec<(Spanned<String>, Value)>);

/// Which seeds: as many as a number says, or these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seeds {
    /// 1, 2, … to this one.
    First(u64),
    /// These.
    These(Vec<u64>),
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

impl File {
    /// Reads the text of the file called `name`.
    pub(super) fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        let file: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| line_at(text, span.start));
            anyhow!("{name}:{line}: {}", e.message().trim().replace('\n', "; "))
        })?;
        file.check(name, text)?;
        Ok(file)
    }

    /// What the types alone do not say.
    fn check(&self, name: &str, text: &str) -> anyhow::Result<()> {
        growler_results::run::check_name(self.name.get_ref()).with_context(|| {
            format!("{name}:{}: name = {:?}", line_of(text, &self.name), self.name.get_ref())
        })?;
        if self.parallel == 0 {
            bail!("{name}: parallel = 0: at least one run at a time is needed");
        }
        if self.test.is_empty() {
            bail!("{name}: there is no [[test]] in it: a suite without a test shows nothing");
        }
        for test in &self.test {
            let at = format!("{name}:{}: test `{}`", line_of(text, &test.name), test.name.get_ref());
            match test.expect_verdict {
                Some(Verdict::Interrupted | Verdict::Usage | Verdict::Internal) => {
                    bail!("{at}: expect-verdict can be pass, violation, unknown, vacuous or environment")
                }
                Some(_) if !test.judge => {
                    bail!("{at}: judge = false and expect-verdict: what is not judged expects nothing")
                }
                _ => (),
            }
        }
        self.map.as_ref().map_or(Ok(()), |map| check_map(map, name))
    }
}

/// Figures that can be told apart.
fn check_map(map: &Map, name: &str) -> anyhow::Result<()> {
    if map.figures.is_empty() {
        bail!("{name}: [map] has no figures: name at least one, for instance \"checks.linearizable.valid\"");
    }
    for (at, figure) in map.figures.iter().enumerate() {
        if map.figures[..at].iter().any(|earlier| earlier.label == figure.label) {
            bail!("{name}: [map] has two figures called `{}`: give one of them a label", figure.label);
        }
    }
    Ok(())
}

impl Seeds {
    /// Each seed once, in order of appearance.
    pub(super) fn list(&self) -> Vec<u64> {
        match self {
            Self::First(n) => (1..=*n).collect(),
            Self::These(seeds) => seeds.clone(),
        }
    }

    fn first(n: u64) -> Result<Self, String> {
        match n {
            0 => Err("0 seeds: at least one is needed".to_owned()),
            n if n > SEEDS_MAX => Err(format!("{n} seeds: at most {SEEDS_MAX} make one suite")),
            n => Ok(Self::First(n)),
        }
    }

    fn these(seeds: Vec<u64>) -> Result<Self, String> {
        if seeds.is_empty() {
            return Err("no seeds: at least one is needed".to_owned());
        }
        for (at, seed) in seeds.iter().enumerate() {
            if seeds[..at].contains(seed) {
                return Err(format!("the seed {seed} stands there twice"));
            }
        }
        Ok(Self::These(seeds))
    }
}

impl Default for Seeds {
    fn default() -> Self {
        Self::First(1)
    }
}

/// `--seeds`: `5` (1 to 5), `3,7` (these), `3,` (this one), `21-40` (a range, both ends included).
impl std::str::FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let how = "write 5 (the first five), 3,7 (these) or 21-40 (all of these)";
            text.trim().parse::<u64>().map_err(|_| format!("`{text}` is no seed: {how}"))
        };
        if let Some((from, to)) = text.split_once('-') {
            let (from, to) = (number(from)?, number(to)?);
            if to < from || to - from >= SEEDS_MAX {
                return Err(format!("{text}: write the smaller seed first, and at most {SEEDS_MAX} of them"));
            }
            return Self::these((from..=to).collect());
        }
        if text.contains(',') {
            return Self::these(text.trim_end_matches(',').split(',').map(number).collect::<Result<_, _>>()?);
        }
        Self::first(number(text)?)
    }
}

impl<'de> Deserialize<'de> for Seeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl<'de> Visitor<'de> for Wanted {
            type Value = Seeds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seeds, or a list of seeds")
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Seeds, E> {
                let n = u64::try_from(n).map_err(|_| E::custom(format!("{n} is no number of seeds")))?;
                Seeds::first(n).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Seeds, E> {
                Seeds::first(n).map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Seeds, A::Error> {
                let mut seeds = Vec::new();
                while let Some(seed) = list.next_element::<u64>()? {
                    seeds.push(seed);
                }
                Seeds::these(seeds).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Wanted)
    }
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl<'de> Visitor<'de> for Wanted {
            type Value = Options;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of options")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Options, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<Spanned<String>, Value>()? {
                    entries.push(entry);
                }
                // The parser gives them in the order of their names.
                entries.sort_by_key(|(name, _)| name.span().start);
                Ok(Options(entries))
            }
        }
        deserializer.deserialize_map(Wanted)
    }
}

/// The line of something that was read, from 1.
pub(super) fn line_of<T>(text: &str, what: &Spanned<T>) -> usize {
    line_at(text, what.span().start)
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
