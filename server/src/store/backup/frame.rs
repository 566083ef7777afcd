//! The frames of a backup, each with its checksum.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use crc32c::crc32c_append;

use super::super::error::{BackupFlaw, StoreError};

const MAGIC: [u8; 8] = *b"OFFPEAKB";
const FORMAT: u16 = 1;
const HEAD_BYTES: usize = 13;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Entry = 1,
    Checkpoint = 2,
    Log = 3,
    Record = 4,
    End = 5,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Entry, Self::Checkpoint, Self::Log, Self::Record, Self::End]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// Writes frames.
pub(super) struct FrameWriter<W: Write> {
    out: BufWriter<W>,
    checksum: u32,
    bytes: u64,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn begin(out: W) -> Result<Self, StoreError> {
        let mut frames = Self { out: BufWriter::new(out), checksum: 0, bytes: 0 };
        frames.push(&MAGIC)?;
        frames.push(&FORMAT.to_le_bytes())?;
        Ok(frames)
    }

    pub(super) fn write(&mut self, kind: Kind, body: &[&[u8]]) -> Result<(), StoreError> {
        let length = body.iter().map(|part| part.len() as u64).sum::<u64>();
        let checksum = body
            .iter()
            .fold(head_checksum(kind as u8, length), |sum, part| crc32c_append(sum, part));
        let mut head = [0; HEAD_BYTES];
        head[0] = kind as u8;
        head[1..9].copy_from_slice(&length.to_le_bytes());
        head[9..].copy_from_slice(&checksum.to_le_bytes());
        self.push(&head)?;
        for part in body {
            self.push(part)?;
        }
        Ok(())
    }

    /// Writes the trailer and returns the length of the whole stream.
    pub(super) fn end(mut self, entries: u64, records: u64) -> Result<u64, StoreError> {
        let checksum = self.checksum.to_le_bytes();
        self.write(Kind::End, &[&entries.to_le_bytes(), &records.to_le_bytes(), &checksum])?;
        self.out.flush().map_err(StoreError::io("write", Path::new("the backup")))?;
        Ok(self.bytes)
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.out.write_all(bytes).map_err(StoreError::io("write", Path::new("the backup")))?;
        self.checksum = crc32c_append(self.checksum, bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Reads and verifies frames.
pub(super) struct FrameReader<R> {
    input: BufReader<R>,
    /// Of the bytes before the frame that was read last.
    checksum_before: u32,
    checksum: u32,
    bytes: u64,
}

impl<R: Read> FrameReader<R> {
    pub(super) fn begin(input: R) -> Result<Self, StoreError> {
        let mut frames =
            Self { input: BufReader::new(input), checksum_before: 0, checksum: 0, bytes: 0 };
        if frames.take_up_to(MAGIC.len() as u64)? != MAGIC {
            return Err(BackupFlaw::Magic.into());
        }
        let found = u16::from_le_bytes(frames.take()?);
        if found > FORMAT {
            return Err(BackupFlaw::NewerFormat { found, supported: FORMAT }.into());
        }
        Ok(frames)
    }

    /// How far the stream was read.
    pub(super) fn offset(&self) -> u64 {
        self.bytes
    }

    pub(super) fn read(&mut self) -> Result<(Kind, Vec<u8>), StoreError> {
        let offset = self.bytes;
        self.checksum_before = self.checksum;
        let [kind, rest @ ..] = self.take::<HEAD_BYTES>()?;
        let (length, checksum) =
            rest.split_first_chunk::<8>().expect("invariant: a head has 13 bytes");
        let length = u64::from_le_bytes(*length);
        let body = self.take_up_to(length)?;
        if body.len() as u64 != length {
            return Err(BackupFlaw::Truncated { offset: self.bytes }.into());
        }
        if crc32c_append(head_checksum(kind, length), &body).to_le_bytes() != checksum {
            return Err(BackupFlaw::Checksum { offset }.into());
        }
        let kind = Kind::of(kind).ok_or(BackupFlaw::Misplaced { offset })?;
        Ok((kind, body))
    }

    /// Verifies the trailer and that nothing follows it; returns the length of the stream.
    pub(super) fn end(
        mut self,
        body: &[u8],
        entries: u64,
        records: u64,
    ) -> Result<u64, StoreError> {
        let mut expected = Vec::with_capacity(20);
        expected.extend_from_slice(&entries.to_le_bytes());
        expected.extend_from_slice(&records.to_le_bytes());
        expected.extend_from_slice(&self.checksum_before.to_le_bytes());
        if body != expected {
            return Err(BackupFlaw::Trailer.into());
        }
        let bytes = self.bytes;
        if !self.take_up_to(1)?.is_empty() {
            return Err(BackupFlaw::Trailing.into());
        }
        Ok(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let bytes = self.take_up_to(N as u64)?;
        bytes.try_into().map_err(|_| BackupFlaw::Truncated { offset: self.bytes }.into())
    }

    /// The next `length` bytes, or as many as there are: memory grows with what was read, not with what was claimed.
    fn take_up_to(&mut self, length: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let read: io::Result<usize> = self.input.by_ref().take(length).read_to_end(&mut bytes);
        read.map_err(StoreError::io("read", Path::new("the backup")))?;
        self.checksum = crc32c_append(self.checksum, &bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes)
    }
}

fn head_checksum(kind: u8, length: u64) -> u32 {
    crc32c_append(crc32c::crc32c(&[kind]), &length.to_le_bytes())
}
