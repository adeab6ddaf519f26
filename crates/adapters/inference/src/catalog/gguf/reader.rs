//! Bounded reading of GGUF's primitive values. No length in the file decides how much memory is taken.

use std::io::Read;

use super::Fault;

/// Bytes a header may have: the largest vocabularies take some thirty megabytes.
const MAX_HEADER_BYTES: u64 = 256 << 20;
/// Longest key or tensor name; real ones stay below a hundred bytes.
const MAX_KEY_BYTES: u64 = 512;
/// Longest text that is kept.
const MAX_TEXT_BYTES: u64 = 4096;
/// Arrays within arrays: no real file has any.
const MAX_DEPTH: u8 = 2;

/// A metadata value, as far as the card needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A short text.
    Text(String),
    /// A whole number that is not negative.
    Number(u64),
    /// An array of whole numbers.
    Sum { total: u64, count: u64 },
    /// Anything else: it was there.
    Other,
}

/// Reads on from a stream and knows where it is.
#[derive(Debug)]
pub(super) struct Reader<R> {
    input: R,
    position: u64,
}

impl<R: Read> Reader<R> {
    pub(super) const fn new(input: R) -> Self {
        Self { input, position: 0 }
    }

    /// Bytes read so far.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.advance(u64::try_from(N).unwrap_or(u64::MAX))?;
        self.input.read_exact(&mut bytes).map_err(fault)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// A key or a tensor's name.
    pub(super) fn key(&mut self) -> Result<String, Fault> {
        let length = self.u64()?;
        if length > MAX_KEY_BYTES {
            return Err(Fault::Excess("bytes in a name"));
        }
        self.text(length)
    }

    /// A typed value; its content only where it is `kept`.
    pub(super) fn value(&mut self, kept: bool) -> Result<Value, Fault> {
        let kind = self.u32()?;
        self.of_kind(kind, kept, 0)
    }

    fn of_kind(&mut self, kind: u32, kept: bool, depth: u8) -> Result<Value, Fault> {
        Ok(match kind {
            0 => Value::Number(u64::from(u8::from_le_bytes(self.bytes()?))),
            1 => signed(i64::from(i8::from_le_bytes(self.bytes()?))),
            2 => Value::Number(u64::from(u16::from_le_bytes(self.bytes()?))),
            3 => signed(i64::from(i16::from_le_bytes(self.bytes()?))),
            4 => Value::Number(u64::from(self.u32()?)),
            5 => signed(i64::from(i32::from_le_bytes(self.bytes()?))),
            6 => self.skip(4)?,
            7 => self.skip(1)?,
            8 => {
                let length = self.u64()?;
                if kept && length <= MAX_TEXT_BYTES {
                    Value::Text(self.text(length)?)
                } else {
                    self.skip(length)?
                }
            }
            9 => self.array(kept, depth)?,
            10 => Value::Number(self.u64()?),
            11 => signed(i64::from_le_bytes(self.bytes()?)),
            12 => self.skip(8)?,
            other => return Err(Fault::UnknownType(other)),
        })
    }

    fn array(&mut self, kept: bool, depth: u8) -> Result<Value, Fault> {
        if depth >= MAX_DEPTH {
            return Err(Fault::Excess("arrays in arrays"));
        }
        let (kind, count) = (self.u32()?, self.u64()?);
        if let Some(size) = fixed_size(kind).filter(|_| !kept) {
            return self.skip(count.checked_mul(size).ok_or(Fault::Excess("bytes"))?);
        }
        // Every element takes a byte at least, so the bound on the header ends this loop.
        let mut sum = Some(0_u64);
        for _ in 0..count {
            let number = match self.of_kind(kind, false, depth + 1)? {
                Value::Number(number) => Some(number),
                Value::Text(_) | Value::Sum { .. } | Value::Other => None,
            };
            sum = sum.zip(number).and_then(|(sum, number)| sum.checked_add(number));
        }
        Ok(sum.map_or(Value::Other, |total| Value::Sum { total, count }))
    }

    fn text(&mut self, length: u64) -> Result<String, Fault> {
        self.advance(length)?;
        let mut bytes = Vec::new();
        self.input.by_ref().take(length).read_to_end(&mut bytes).map_err(fault)?;
        if u64::try_from(bytes.len()).is_ok_and(|read| read == length) {
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        } else {
            Err(Fault::Cut)
        }
    }

    fn skip(&mut self, length: u64) -> Result<Value, Fault> {
        self.advance(length)?;
        let skipped = std::io::copy(&mut self.input.by_ref().take(length), &mut std::io::sink());
        if skipped.map_err(fault)? == length { Ok(Value::Other) } else { Err(Fault::Cut) }
    }

    fn advance(&mut self, by: u64) -> Result<(), Fault> {
        self.position = self.position.saturating_add(by);
        if self.position > MAX_HEADER_BYTES { Err(Fault::Excess("bytes")) } else { Ok(()) }
    }
}

const fn fixed_size(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

fn signed(number: i64) -> Value {
    u64::try_from(number).map_or(Value::Other, Value::Number)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn fault(error: std::io::Error) -> Fault {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        Fault::Cut
    } else {
        Fault::Read(error.to_string())
    }
}
