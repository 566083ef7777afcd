use std::{
    fs::File,
    io::{self, BufWriter, Write},
};

use flate2::{Compression, write::GzEncoder};

use super::{history::History, replay::Bounds};

/// Writes bounds in the shape of the load.
pub(super) fn write(out: File, gzip: bool, history: &History, bounds: &Bounds) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    if gzip {
        let mut packed = GzEncoder::new(out, Compression::fast());
        rows(&mut packed, history, bounds)?;
        out = packed.finish()?;
    } else {
        rows(&mut out, history, bounds)?;
    }
    out.flush()
}

fn rows(out: impl Write, history: &History, bounds: &Bounds) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_field("step")?;
    out.write_record(&history.names)?;
    for (row, bounds) in history.rows.iter().zip(bounds) {
        out.write_field(row.step.to_string())?;
        for bound in bounds {
            match bound {
                Some(bound) => out.write_field(bound.get().to_string())?,
                None => out.write_field("")?,
            }
        }
        out.write_record(None::<&[u8]>)?;
    }
    out.flush()
}
