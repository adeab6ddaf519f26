//! Reads the archive that a build leaves: tar in GNU's form, as our own command writes it. Everything else in it was
//! written by strangers' programs, so nothing is taken that is not a folder, a file or a symbolic link.

use crate::Error;

const BLOCK: usize = 512;
/// Longest name that is carried in blocks of its own.
const MAX_LONG_NAME: usize = 4096;

/// One entry of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    File { path: String, bytes: &'a [u8], executable: bool },
    Link { path: String, target: String },
}

/// The files and links of an archive, in its order.
pub(crate) fn entries(archive: &[u8]) -> Result<Vec<Entry<'_>>, Error> {
    let mut rest = archive;
    let mut entries = Vec::new();
    let (mut long_path, mut long_target) = (None, None);
    loop {
        let (header, after) = rest.split_at_checked(BLOCK).ok_or_else(|| refused("it breaks off"))?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(entries);
        }
        check_sum(header)?;
        let size = octal(&header[124..136])?;
        let padded = size.checked_next_multiple_of(BLOCK).ok_or_else(|| refused("a size is too large"))?;
        let (body, after) = after.split_at_checked(padded).ok_or_else(|| refused("it breaks off"))?;
        let body = &body[..size];
        rest = after;
        match header[156] {
            b'L' => long_path = Some(long(body)?),
            b'K' => long_target = Some(long(body)?),
            kind => {
                let path = long_path.take().map_or_else(|| text(&header[..100]), Ok)?;
                let target = long_target.take().map_or_else(|| text(&header[157..257]), Ok)?;
                let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
                match kind {
                    b'5' => {}
                    b'0' | 0 => {
                        let executable = octal(&header[100..108])? & 0o100 != 0;
                        entries.push(Entry::File { path, bytes: body, executable });
                    }
                    b'2' => entries.push(Entry::Link { path, target }),
                    _ => return Err(refused(&format!("{path:?} is neither file nor folder nor link"))),
                }
            }
        }
    }
}

fn refused(why: &str) -> Error {
    Error::Archive(why.to_owned())
}

/// The sum of the header's bytes, its own field read as blanks.
fn check_sum(header: &[u8]) -> Result<(), Error> {
    let byte = |(at, byte): (usize, &u8)| usize::from(if (148..156).contains(&at) { b' ' } else { *byte });
    let sum = header.iter().enumerate().map(byte).sum::<usize>();
    if sum == octal(&header[148..156])? { Ok(()) } else { Err(refused("a check sum is wrong")) }
}

/// Digits, ended by a blank or a zero byte. The other form, for sizes above 8 GiB, is not taken.
fn octal(field: &[u8]) -> Result<usize, Error> {
    let digits = field.split(|byte| matches!(byte, 0 | b' ')).find(|part| !part.is_empty()).unwrap_or(b"0");
    let digits = std::str::from_utf8(digits).map_err(|_| refused("a number is none"))?;
    usize::from_str_radix(digits, 8).map_err(|_| refused("a number is none"))
}

fn text(field: &[u8]) -> Result<String, Error> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8(field[..end].to_vec()).map_err(|_| refused("a name is not UTF-8"))
}

fn long(body: &[u8]) -> Result<String, Error> {
    if body.len() > MAX_LONG_NAME { Err(refused("a name is too long")) } else { text(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(path: &str, kind: u8, target: &str, body: &[u8]) -> Vec<u8> {
        let mut block = vec![0_u8; BLOCK];
        block[..path.len()].copy_from_slice(path.as_bytes());
        block[100..107].copy_from_slice(b"0000755");
        block[124..135].copy_from_slice(format!("{:011o}", body.len()).as_bytes());
        block[156] = kind;
        block[157..157 + target.len()].copy_from_slice(target.as_bytes());
        block[148..156].copy_from_slice(b"        ");
        let sum: usize = block.iter().map(|byte| usize::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block.extend_from_slice(body);
        block.resize(block.len().next_multiple_of(BLOCK), 0);
        block
    }

    fn archive(parts: &[Vec<u8>]) -> Vec<u8> {
        [parts.concat(), vec![0; 2 * BLOCK]].concat()
    }

    #[test]
    fn files_folders_and_links_are_read() {
        let long = format!("./{}/x\0", "d".repeat(150));
        let bytes = archive(&[
            header("./", b'5', "", b""),
            header("./a", b'0', "", b"one"),
            header("./bin/b", b'2', "../a", b""),
            header("././@LongLink", b'L', "", long.as_bytes()),
            header("./cut", b'0', "", b""),
        ]);
        let expected = [
            Entry::File { path: "a".into(), bytes: b"one", executable: true },
            Entry::Link { path: "bin/b".into(), target: "../a".into() },
            Entry::File { path: format!("{}/x", "d".repeat(150)), bytes: b"", executable: true },
        ];
        assert_eq!(entries(&bytes).unwrap(), expected);
    }

    #[track_caller]
    fn check_refused(bytes: &[u8], why: &str) {
        assert!(matches!(entries(bytes), Err(Error::Archive(said)) if said.contains(why)), "{why}");
    }

    #[test]
    fn everything_else_is_refused() {
        check_refused(b"short", "breaks off");
        check_refused(&header("./a", b'0', "", b"x"), "breaks off");
        check_refused(&header("./a", b'0', "", b"x")[..600], "breaks off");
        check_refused(&archive(&[header("./a", b'1', "./b", b"")]), "neither");
        check_refused(&archive(&[header("./a", b'3', "", b"")]), "neither");
        check_refused(&archive(&[header("x", b'L', "", &[b'a'; 5000])]), "too long");
        let mut changed = archive(&[header("./a", b'0', "", b"x")]);
        changed[3] = b'z';
        check_refused(&changed, "check sum");
        let mut huge = header("./a", b'0', "", b"");
        huge[124] = 0x80;
        check_refused(&archive(&[huge]), "");
    }
}
