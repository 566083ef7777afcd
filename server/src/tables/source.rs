use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use super::Problems;

/// What every gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It could not be opened.
    #[error("could not open {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could not be read to its end.
    #[error("could not read {file}")]
    Read {
        /// The file, or standard input.
        file: String,
        /// What went wrong.
        source: csv::Error,
    },
    /// Something in it is wrong.
    #[error("{0}")]
    Faulty(Problems),
}

/// Whether a path stands for standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// What a file is called in messages.
pub(crate) fn label(path: &Path) -> String {
    if is_standard(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// The text of a file or of standard input, unpacked if it is gzip, whatever it is called.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, InputError> {
    let failed = |source| InputError::Open { path: path.to_owned(), source };
    let raw: Box<dyn Read> = if is_standard(path) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    unpacked(raw).map_err(failed)
}

pub(crate) fn unpacked(mut raw: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut head = Vec::with_capacity(GZIP.len());
    raw.by_ref().take(2).read_to_end(&mut head)?;
    let is_gzip = head == GZIP;
    let whole = io::Cursor::new(head).chain(raw);
    Ok(if is_gzip {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, whole)))
    } else {
        Box::new(whole)
    })
}
