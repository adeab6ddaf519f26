//! A capsule as one file: a line that says what it is, the document, and every content once, in the order of their hashes.

use std::io::{self, Read, Write};

use edgecoder_base::BlobHash;
use edgecoder_environment::capsule::MAX_DOCUMENT_BYTES;
use edgecoder_environment::{Capsule, Content};

use crate::Error;

const MAGIC: &[u8] = b"edgecoder capsule 1\n";

/// Writes `capsule` with the contents that `read` gives.
pub(crate) fn write(
    capsule: &Capsule,
    mut read: impl FnMut(&Content) -> Result<Vec<u8>, Error>,
    to: &mut impl Write,
) -> Result<(), Error> {
    let document = capsule.to_bytes();
    let writing = Error::io("write", "the pack");
    let head = (|| {
        to.write_all(MAGIC)?;
        to.write_all(&(document.len() as u64).to_le_bytes())?;
        to.write_all(&document)
    })();
    head.map_err(writing)?;
    for content in capsule.contents() {
        to.write_all(&read(content)?).map_err(Error::io("write", "the pack"))?;
    }
    to.flush().map_err(Error::io("write", "the pack"))
}

/// Reads a pack of at most `most` bytes of content; `keep` gets each content, whose hash was compared, before the capsule
/// is given.
pub(crate) fn read(
    from: &mut impl Read,
    expected: Option<BlobHash>,
    most: u64,
    mut keep: impl FnMut(&Content, &[u8]) -> Result<(), Error>,
) -> Result<Capsule, Error> {
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic).map_err(short)?;
    if magic != MAGIC {
        return Err(Error::NotAPack("it does not begin like one"));
    }
    let mut length = [0; 8];
    from.read_exact(&mut length).map_err(short)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_DOCUMENT_BYTES {
        return Err(Error::NotAPack("its document is too long"));
    }
    let document = exactly(from, length)?;
    let found = BlobHash::of(&document);
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Err(Error::Unexpected { expected, found });
    }
    let capsule = Capsule::from_bytes(&document)?;
    // Another way to write the same would be another name for the same.
    if capsule.hash() != found {
        return Err(Error::NotAPack("its document is not in canonical form"));
    }
    if capsule.size() > most {
        return Err(Error::TooLarge { bytes: capsule.size(), most });
    }
    for content in capsule.contents() {
        let bytes = exactly(from, content.size)?;
        if BlobHash::of(&bytes) != content.hash {
            return Err(Error::Damaged(content.hash));
        }
        keep(content, &bytes)?;
    }
    match from.read(&mut [0]).map_err(Error::io("read", "the pack"))? {
        0 => Ok(capsule),
        _ => Err(Error::NotAPack("something follows it")),
    }
}

/// Grows as bytes come, so that a length alone claims no memory.
fn exactly(from: &mut impl Read, size: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    from.by_ref().take(size).read_to_end(&mut bytes).map_err(Error::io("read", "the pack"))?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(Error::NotAPack("it breaks off")) }
}

fn short(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Error::NotAPack("it breaks off");
    }
    Error::io("read", "the pack")(error)
}
