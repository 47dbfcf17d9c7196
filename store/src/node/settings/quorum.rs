//! The settings of the quorum style.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Given, SettingError, SettingInfo, Style};
use crate::quorum::options::{Options, Quorum, Resolve};

/// The most copies of a key: more nodes than anybody runs on one machine.
const MOST_COPIES: u32 = 16;

const STORES: &[&str] = &[Style::Quorum.name()];

const SWITCH: [(&str, bool); 2] = [("on", true), ("off", false)];

const fn setting(
    name: &'static str,
    default: &'static str,
    values: &'static str,
    about: &'static str,
) -> SettingInfo {
    SettingInfo { name, about, default, values, stores: STORES }
}

/// All of them, in the order in which they are listed.
pub(super) const CATALOGUE: &[SettingInfo] = &[
    setting("n", "3", "1 to 16, at most the number of nodes", "how many nodes have a copy of each key"),
    setting(
        "r",
        "1",
        "1 to n",
        "how many copies an eventual read waits for; a strong one asks for n-w+1 at least",
    ),
    setting("w", "2", "1 to n", "how many nodes must have a write before it is acknowledged"),
    setting(
        "quorum",
        "sloppy",
        "sloppy, strict",
        "whether other nodes stand in for owners of a key that cannot be reached, or only owners count",
    ),
    setting(
        "resolve",
        "siblings",
        "siblings, lww",
        "what becomes of concurrent writes: they stand side by side, or the last one by the nodes' wall clocks wins",
    ),
    setting(
        "hints",
        "on",
        "on, off",
        "whether a node that stands in hands over what it took when the owner is back",
    ),
    setting(
        "read-repair",
        "on",
        "on, off",
        "whether a read that finds copies differing brings them up to date",
    ),
    setting("anti-entropy", "on", "on, off", "whether nodes compare their copies in the background"),
    setting(
        "partitions",
        "64",
        "1 to 1024, at least the number of nodes",
        "how many parts the ring is cut into; fixed once a node has data",
    ),
    setting(
        "hint-expiry-s",
        "600",
        "1 to 86400",
        "how long a hint is kept for a node that stays away, in seconds",
    ),
    setting(
        "request-timeout-ms",
        "1000",
        "50 to 60000",
        "how long a coordinator waits for the other nodes, in milliseconds",
    ),
    setting(
        "anti-entropy-ms",
        "1000",
        "50 to 3600000",
        "how often a node compares itself with another, in milliseconds",
    ),
    setting(
        "gossip-ms",
        "100",
        "10 to 10000",
        "how often a node asks another whether it is alive, in milliseconds",
    ),
    setting(
        "suspect-ms",
        "500",
        "50 to 60000",
        "how long a node that does not answer is suspected before it counts as down, in milliseconds",
    ),
    setting(
        "tombstones-ms",
        "2000",
        "50 to 3600000",
        "how often a node looks for tombstones that every owner has, in milliseconds",
    ),
];

/// The settings given by name, and the defaults of the others, for a store of this many nodes.
///
/// # Errors
/// A name is unknown, a value is not possible, or there are fewer nodes or copies than others ask for.
pub(crate) fn parse(given: &BTreeMap<String, String>, nodes: usize) -> Result<Options, SettingError> {
    let given = Given::new(Style::Quorum, given)?;
    let milliseconds =
        |name: &str, low: u64, high: u64| given.number(name, low, high).map(Duration::from_millis);
    let options = Options {
        n: given.small("n", 1, MOST_COPIES)?,
        r: given.small("r", 1, MOST_COPIES)?,
        w: given.small("w", 1, MOST_COPIES)?,
        quorum: given.word("quorum", &[("sloppy", Quorum::Sloppy), ("strict", Quorum::Strict)])?,
        resolve: given.word("resolve", &[("siblings", Resolve::Siblings), ("lww", Resolve::Lww)])?,
        hints: given.word("hints", &SWITCH)?,
        read_repair: given.word("read-repair", &SWITCH)?,
        anti_entropy: given.word("anti-entropy", &SWITCH)?,
        partitions: given.small("partitions", 1, 1024)?,
        hint_expiry: Duration::from_secs(given.number("hint-expiry-s", 1, 86_400)?),
        request_timeout: milliseconds("request-timeout-ms", 50, 60_000)?,
        anti_entropy_every: milliseconds("anti-entropy-ms", 50, 3_600_000)?,
        gossip_every: milliseconds("gossip-ms", 10, 10_000)?,
        suspect_for: milliseconds("suspect-ms", 50, 60_000)?,
        tombstones_every: milliseconds("tombstones-ms", 50, 3_600_000)?,
    };
    let n = options.n;
    if n as usize > nodes {
        return Err(SettingError::TooFewNodes { n, nodes });
    }
    let partitions = options.partitions;
    if (partitions as usize) < nodes {
        return Err(SettingError::TooFewPartitions { partitions, nodes });
    }
    for (name, value) in [("r", options.r), ("w", options.w)] {
        if value > n {
            return Err(SettingError::MoreThanCopies { name, value, n });
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(nodes: usize, given: &[(&str, &str)]) -> Result<Options, SettingError> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parse(&given, nodes)
    }

    #[test]
    fn the_defaults_are_those_of_the_page() {
        let options = parsed(5, &[]).unwrap();
        assert_eq!((options.n, options.r, options.w, options.partitions), (3, 1, 2, 64));
        assert_eq!((options.quorum, options.resolve), (Quorum::Sloppy, Resolve::Siblings));
        assert!(options.hints && options.read_repair && options.anti_entropy);
        assert_eq!(options.hint_expiry, Duration::from_secs(600));
    }

    #[test]
    fn every_setting_changes_what_it_names_and_nothing_else() {
        let default = parsed(5, &[]).unwrap();
        let ms = Duration::from_millis;
        for (name, value, expected) in [
            ("n", "5", Options { n: 5, ..default }),
            ("r", "3", Options { r: 3, ..default }),
            ("w", "1", Options { w: 1, ..default }),
            ("quorum", "strict", Options { quorum: Quorum::Strict, ..default }),
            ("resolve", "lww", Options { resolve: Resolve::Lww, ..default }),
            ("hints", "off", Options { hints: false, ..default }),
            ("read-repair", "off", Options { read_repair: false, ..default }),
            ("anti-entropy", "off", Options { anti_entropy: false, ..default }),
            ("partitions", "8", Options { partitions: 8, ..default }),
            ("hint-expiry-s", "3", Options { hint_expiry: Duration::from_secs(3), ..default }),
            ("request-timeout-ms", "300", Options { request_timeout: ms(300), ..default }),
            ("anti-entropy-ms", "200", Options { anti_entropy_every: ms(200), ..default }),
            ("gossip-ms", "50", Options { gossip_every: ms(50), ..default }),
            ("suspect-ms", "900", Options { suspect_for: ms(900), ..default }),
            ("tombstones-ms", "700", Options { tombstones_every: ms(700), ..default }),
        ] {
            assert_eq!(parsed(5, &[(name, value)]), Ok(expected), "{name}={value}");
        }
        let tested = 15;
        assert_eq!(CATALOGUE.len(), tested, "a new setting belongs into the list above");
    }

    #[test]
    fn what_cannot_work_is_refused_by_name_and_says_what_to_do() {
        for (nodes, given, fragments) in [
            (2, &[][..], &["n=3", "there are 2", "--nodes 3"][..]),
            (5, &[("n", "6")], &["n=6", "there are 5", "n=5 or less"]),
            (5, &[("r", "4")], &["r=4", "n=3", "r=3 or less"]),
            (5, &[("w", "4")], &["w=4", "n=3"]),
            (5, &[("w", "0")], &["w=0", "1 to n"]),
            (5, &[("r", "0")], &["r=0", "1 to n"]),
            (5, &[("n", "0")], &["n=0"]),
            (5, &[("n", "3"), ("w", "many")], &["w=many"]),
            (5, &[("quorum", "maybe")], &["quorum=maybe", "sloppy, strict"]),
            (5, &[("hints", "yes")], &["hints=yes", "on, off"]),
            (5, &[("partitions", "0")], &["partitions=0", "1 to 1024"]),
            (5, &[("partitions", "4")], &["partitions=4", "partitions=5 or more"]),
        ] {
            let message = parsed(nodes, given).unwrap_err().to_string();
            for fragment in fragments {
                assert!(message.contains(fragment), "{given:?} on {nodes}: {message}");
            }
        }
    }
}
