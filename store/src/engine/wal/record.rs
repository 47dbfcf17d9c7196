//! One record of the log on disk.
//!
//! A header of 24 bytes, little endian: CRC-32 of the rest of the header, CRC-32 of the body, length of
//! the body, the *durable mark*, the group, the kind (one byte) and three zero bytes. The body follows.
//!
//! The durable mark is how many bytes of this segment were known to be on disk when the record was
//! written. It tells a torn tail from damage: if a later record says that the bad bytes had been
//! durable, then no crash did this (see `replay`).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::GroupId;

/// Length of a record's header.
pub(super) const HEADER: usize = 24;

/// A step in the life of one group's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The group's state at the head of a segment.
    Head(Box<Head>),
    /// The entry at `index`, which follows the last one.
    Entry { index: u64, body: Bytes },
    /// The vote in force from here on.
    Vote(Bytes),
    /// What is known to be committed.
    Committed(Bytes),
    /// Entries from `next` on never were.
    Truncate { next: u64 },
    /// Entries up to and including `through` are no longer needed; `log_id` is the position of the last.
    Purge { through: u64, log_id: Bytes },
}

/// All that segments before this one say about a group, but for the entries that it still needs from
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) vote: Option<Bytes>,
    pub(super) committed: Option<Bytes>,
    pub(super) purged: Option<(u64, Bytes)>,
    /// The index of the first entry that counts.
    pub(super) first: u64,
    /// The index of the entry record that comes next.
    pub(super) next: u64,
}

const HEAD: u8 = 1;
const ENTRY: u8 = 2;
const VOTE: u8 = 3;
const COMMITTED: u8 = 4;
const TRUNCATE: u8 = 5;
const PURGE: u8 = 6;

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    /// The file ends inside the record.
    Short,
    /// A checksum does not match.
    Checksum,
    /// The checksums match and the content makes no sense: written by something else.
    Content(&'static str),
}

/// A record as it stands in a segment.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) group: GroupId,
    pub(super) record: Record,
    pub(super) length: usize,
}

impl Record {
    /// Appends the record to `out`. `durable` is the durable mark.
    ///
    /// # Errors
    /// The body is too long for its length field.
    pub(super) fn encode(&self, group: GroupId, durable: u32, out: &mut Vec<u8>) -> std::io::Result<()> {
        let start = out.len();
        out.resize(start + HEADER, 0);
        let kind = self.encode_body(out)?;
        let (header, body) = out[start..].split_at_mut(HEADER);
        let length =
            u32::try_from(body.len()).map_err(|_| std::io::Error::other("a log record is over 4 GiB"))?;
        header[4..8].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        header[8..12].copy_from_slice(&length.to_le_bytes());
        header[12..16].copy_from_slice(&durable.to_le_bytes());
        header[16..20].copy_from_slice(&group.to_le_bytes());
        header[20] = kind;
        let checksum = crc32fast::hash(&header[4..]);
        header[..4].copy_from_slice(&checksum.to_le_bytes());
        Ok(())
    }

    fn encode_body(&self, out: &mut Vec<u8>) -> std::io::Result<u8> {
        Ok(match self {
            Record::Head(head) => {
                let bytes = postcard::to_stdvec(head).map_err(std::io::Error::other)?;
                out.extend_from_slice(&bytes);
                HEAD
            }
            Record::Entry { index, body } => numbered(ENTRY, *index, body, out),
            Record::Vote(bytes) => plain(VOTE, bytes, out),
            Record::Committed(bytes) => plain(COMMITTED, bytes, out),
            Record::Truncate { next } => numbered(TRUNCATE, *next, &[], out),
            Record::Purge { through, log_id } => numbered(PURGE, *through, log_id, out),
        })
    }

    /// About how long the record is on disk.
    pub(super) fn size(&self) -> usize {
        HEADER
            + 8
            + match self {
                Record::Head(_) => 64,
                Record::Entry { body, .. } => body.len(),
                Record::Vote(bytes) | Record::Committed(bytes) => bytes.len(),
                Record::Truncate { .. } => 0,
                Record::Purge { log_id, .. } => log_id.len(),
            }
    }

    /// The record at the beginning of `bytes`.
    pub(super) fn decode(bytes: &Bytes) -> Result<Placed, Invalid> {
        let header = check_header(bytes)?;
        let length = word(header, 8) as usize;
        if bytes.len() - HEADER < length {
            return Err(Invalid::Short);
        }
        let body = bytes.slice(HEADER..HEADER + length);
        if crc32fast::hash(&body) != word(header, 4) {
            return Err(Invalid::Checksum);
        }
        let record = Record::decode_body(header[20], body)?;
        Ok(Placed { group: word(header, 16), record, length: HEADER + length })
    }

    fn decode_body(kind: u8, body: Bytes) -> Result<Record, Invalid> {
        let split = |body: &Bytes| -> Result<(u64, Bytes), Invalid> {
            let number = body.first_chunk::<8>().ok_or(Invalid::Content("a record without its number"))?;
            Ok((u64::from_le_bytes(*number), body.slice(8..)))
        };
        Ok(match kind {
            HEAD => {
                let head = postcard::from_bytes(&body)
                    .map_err(|_| Invalid::Content("a head that does not decode"))?;
                Record::Head(Box::new(head))
            }
            ENTRY => split(&body).map(|(index, body)| Record::Entry { index, body })?,
            VOTE => Record::Vote(body),
            COMMITTED => Record::Committed(body),
            TRUNCATE => Record::Truncate { next: split(&body)?.0 },
            PURGE => split(&body).map(|(through, log_id)| Record::Purge { through, log_id })?,
            _ => return Err(Invalid::Content("a record of an unknown kind")),
        })
    }
}

/// The durable mark of the record at the beginning of `bytes`, if its header is whole.
pub(super) fn durable_mark(bytes: &[u8]) -> Option<u32> {
    check_header(bytes).ok().map(|header| word(header, 12))
}

fn check_header(bytes: &[u8]) -> Result<&[u8; HEADER], Invalid> {
    let header = bytes.first_chunk::<HEADER>().ok_or(Invalid::Short)?;
    if crc32fast::hash(&header[4..]) == word(header, 0) { Ok(header) } else { Err(Invalid::Checksum) }
}

fn numbered(kind: u8, number: u64, bytes: &[u8], out: &mut Vec<u8>) -> u8 {
    out.extend_from_slice(&number.to_le_bytes());
    plain(kind, bytes, out)
}

fn plain(kind: u8, bytes: &[u8], out: &mut Vec<u8>) -> u8 {
    out.extend_from_slice(bytes);
    kind
}

fn word(header: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        let head = Head {
            vote: Some(bytes("v")),
            committed: None,
            purged: Some((3, bytes("p"))),
            first: 4,
            next: 9,
        };
        vec![
            Record::Head(Box::new(head)),
            Record::Entry { index: 7, body: bytes("an entry") },
            Record::Entry { index: 8, body: bytes("") },
            Record::Vote(bytes("vote")),
            Record::Committed(bytes("committed")),
            Record::Truncate { next: 5 },
            Record::Purge { through: 4, log_id: bytes("id") },
        ]
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        for record in records() {
            let mut out = Vec::new();
            record.encode(6, 99, &mut out).unwrap();
            assert_eq!(durable_mark(&out), Some(99));
            let placed = Record::decode(&Bytes::from(out.clone())).unwrap();
            assert_eq!((placed.group, placed.record, placed.length), (6, record, out.len()));
        }
    }

    #[test]
    fn no_flipped_bit_and_no_cut_goes_unnoticed() {
        for record in records() {
            let mut out = Vec::new();
            record.encode(6, 99, &mut out).unwrap();
            for bit in 0..out.len() * 8 {
                let mut bad = out.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Record::decode(&Bytes::from(bad)).unwrap_err(), Invalid::Checksum, "bit {bit}");
            }
            for length in 0..out.len() {
                let cut = Bytes::copy_from_slice(&out[..length]);
                assert_eq!(Record::decode(&cut).unwrap_err(), Invalid::Short, "cut at {length}");
            }
        }
    }
}
