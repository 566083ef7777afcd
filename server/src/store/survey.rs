//! Puts records together from their values and verifies what is found: used by reads, by opening and by fsck.

use bytes::Bytes;
use crc32c::crc32c;
use offpeak_core::model::Revision;

use super::Record;
use super::codec::{CheckpointHeader, MAGIC, RecordHeader, unseal, unseal_at};
use super::disk::Disk;
use super::error::{Flaw, StoreError};
use super::layout::{self, Position};

/// What to do about a damaged value: stop with the error, or note it and go on.
pub(super) type Complain<'a> = &'a mut dyn FnMut(StoreError) -> Result<(), StoreError>;

/// Puts records together from values that come in key order.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    partial: Option<Partial>,
    /// The record whose damage was already reported; its other chunks are passed over.
    damaged: Option<Revision>,
}

#[derive(Debug)]
struct Partial {
    first: Revision,
    header: RecordHeader,
    payload: Vec<u8>,
    next: u32,
}

/// What one more value made of it.
#[derive(Debug)]
pub(super) enum Step {
    /// A record is whole.
    Whole(Record),
    /// More values are needed.
    Part,
    /// The value belongs to no record: the remains of a torn or trimmed one.
    Stray,
}

impl Assembler {
    /// Takes the next value. After an error the next value can still be taken.
    pub(super) fn push(&mut self, position: &Position, value: &[u8]) -> Result<Step, StoreError> {
        let step = match position {
            Position::Record(first) => self.begin(*first, value),
            Position::RecordChunk(first, index) => self.add(*first, *index, value),
            _ => Err(Flaw::UnknownKey),
        };
        step.map_err(|flaw| {
            self.partial = None;
            if let Position::Record(first) | Position::RecordChunk(first, _) = position {
                self.damaged = Some(*first);
            }
            StoreError::flawed(position.clone(), flaw)
        })
    }

    /// Fails when the record before this point is not whole.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        let Some(partial) = self.partial.take() else {
            return Ok(());
        };
        let flaw = Flaw::MissingChunk { index: partial.next, count: partial.header.chunks };
        Err(StoreError::flawed(Position::Record(partial.first), flaw))
    }

    fn begin(&mut self, first: Revision, value: &[u8]) -> Result<Step, Flaw> {
        let body = unseal(&Position::Record(first), value)?;
        let (header, inline) = RecordHeader::decode(body)?;
        if header.last < first {
            return Err(Flaw::Backwards { last: header.last });
        }
        let partial = Partial { first, header, payload: inline.to_vec(), next: 0 };
        self.settle(partial)
    }

    fn add(&mut self, first: Revision, index: u32, value: &[u8]) -> Result<Step, Flaw> {
        let body = unseal(&Position::RecordChunk(first, index), value)?;
        if self.damaged == Some(first) {
            return Ok(Step::Part);
        }
        let Some(mut partial) = self.partial.take_if(|partial| partial.first == first) else {
            return Ok(Step::Stray);
        };
        if partial.next != index {
            return Err(Flaw::MissingChunk { index: partial.next, count: partial.header.chunks });
        }
        partial.payload.extend_from_slice(body);
        partial.next += 1;
        self.settle(partial)
    }

    fn settle(&mut self, partial: Partial) -> Result<Step, Flaw> {
        let header = partial.header;
        if partial.next < header.chunks {
            self.partial = Some(partial);
            return Ok(Step::Part);
        }
        let found = partial.payload.len() as u64;
        if found != header.length {
            return Err(Flaw::Length { expected: header.length, found });
        }
        let computed = crc32c(&partial.payload);
        if computed != header.checksum {
            return Err(Flaw::Checksum { stored: header.checksum, computed });
        }
        let payload = Bytes::from(partial.payload);
        Ok(Step::Whole(Record { first: partial.first, last: header.last, payload }))
    }
}

/// Verifies the mark that says that this is an offpeak store of a format that we read.
pub(super) fn check_format(disk: &Disk, folder: &std::path::Path) -> Result<(), StoreError> {
    let Some(value) = disk.get(&Position::Meta)? else {
        return Err(StoreError::NotAStore { path: folder.to_path_buf() });
    };
    if unseal_at(&Position::Meta, &value)? != MAGIC {
        return Err(StoreError::NotAStore { path: folder.to_path_buf() });
    }
    Ok(())
}

/// Goes through all records, gives each whole one to `visit`, and counts what belongs to none into `strays`.
pub(super) fn survey_records(
    disk: &Disk,
    complain: Complain<'_>,
    visit: &mut dyn FnMut(Record),
    strays: &mut Vec<(Position, usize)>,
) -> Result<(), StoreError> {
    let mut assembler = Assembler::default();
    let mut expected: Option<Revision> = None;
    for item in disk.scan(layout::records_from(0)) {
        let (position, value) = item?;
        if let Position::Record(first) = position {
            if let Err(error) = assembler.finish() {
                complain(error)?;
            }
            if let Some(expected) = expected.filter(|expected| *expected != first) {
                complain(StoreError::flawed(
                    position.clone(),
                    Flaw::Gap { expected, found: first },
                ))?;
            }
            // Where a record that cannot be read would have ended is not known.
            expected = None;
        }
        match assembler.push(&position, &value) {
            Ok(Step::Whole(record)) => {
                expected = Some(record.last.next());
                visit(record);
            }
            Ok(Step::Part) => {}
            Ok(Step::Stray) => strays.push((position, value.len())),
            Err(error) => complain(error)?,
        }
    }
    assembler.finish().or_else(complain)
}

/// The checkpoints that were found.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// The newest whole one, with its serial number.
    pub(super) newest: Option<(u64, CheckpointHeader)>,
    /// The serial numbers of older and of unfinished ones.
    pub(super) remains: Vec<u64>,
}

/// Finds the checkpoints by their headers; their chunks are not read.
pub(super) fn survey_checkpoints(
    disk: &Disk,
    complain: Complain<'_>,
) -> Result<Checkpoints, StoreError> {
    let mut found = Checkpoints::default();
    let mut from = 0;
    while let Some(item) = disk.scan(layout::checkpoints_from(from)).next() {
        let (position, value) = item?;
        let id = match position {
            Position::Checkpoint(id) => {
                let header = unseal(&position, &value).and_then(CheckpointHeader::decode);
                match header {
                    Ok(header) => {
                        found.remains.extend(found.newest.replace((id, header)).map(|(id, _)| id))
                    }
                    Err(flaw) => complain(StoreError::flawed(position, flaw))?,
                }
                id
            }
            Position::CheckpointChunk(id, _) => {
                found.remains.push(id);
                id
            }
            other => {
                complain(StoreError::flawed(other, Flaw::UnknownKey))?;
                break;
            }
        };
        from = id + 1;
    }
    Ok(found)
}
