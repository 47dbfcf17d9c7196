//! Frames: `length (4) · CRC-32 of the rest (4) · kind (1) · call (8) · body`, big-endian.
//!
//! The length counts kind, call and body. A frame that is too long or whose checksum is wrong ends
//! the connection: nothing after it can be trusted.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest frame, in bytes.
const MAX_FRAME: usize = 64 << 20;
/// Kind and call.
const HEAD: usize = 1 + 8;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A greeting.
    Hello = 0,
    /// A request; its answer carries the same call.
    Request = 1,
    /// An answer.
    Answer = 2,
    /// Wants a pong at once.
    Ping = 3,
    /// The answer to a ping.
    Pong = 4,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Hello, Self::Request, Self::Answer, Self::Ping, Self::Pong]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) call: u64,
    pub(super) body: Bytes,
}

impl Frame {
    pub(super) fn new(kind: Kind, call: u64, body: Bytes) -> Self {
        Self { kind, call, body }
    }

    /// Appends the frame to what is to be written.
    pub(super) fn encode(&self, out: &mut BytesMut) {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&[self.kind as u8]);
        crc.update(&self.call.to_be_bytes());
        crc.update(&self.body);
        out.reserve(8 + HEAD + self.body.len());
        out.put_u32(u32::try_from(HEAD + self.body.len()).unwrap_or(u32::MAX));
        out.put_u32(crc.finalize());
        out.put_u8(self.kind as u8);
        out.put_u64(self.call);
        out.put_slice(&self.body);
    }

    /// Whether the frame is short enough to be sent.
    pub(super) fn fits(&self) -> bool {
        HEAD + self.body.len() <= MAX_FRAME
    }

    /// Reads the next frame.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let length = stream.read_u32().await? as usize;
        let expected = stream.read_u32().await?;
        if !(HEAD..=MAX_FRAME).contains(&length) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
        }
        let mut rest = BytesMut::zeroed(length);
        stream.read_exact(&mut rest).await?;
        if crc32fast::hash(&rest) != expected {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame with a wrong checksum"));
        }
        let head = rest.split_to(HEAD);
        let kind = Kind::from_byte(head[0]).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("a frame of kind {}", head[0]))
        })?;
        let mut call = [0; 8];
        call.copy_from_slice(&head[1..]);
        Ok(Self { kind, call: u64::from_be_bytes(call), body: rest.freeze() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_comes_back_as_it_was_and_a_flipped_bit_is_noticed() {
        let frame = Frame::new(Kind::Request, 7, Bytes::from_static(b"what is k1?"));
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        assert_eq!(Frame::read(&mut &bytes[..]).await.unwrap(), frame);
        for at in 4..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            assert!(Frame::read(&mut &broken[..]).await.is_err(), "byte {at}");
        }
    }
}
