//! The list of tensors: how many weights there are, how they are stored, and where the last of them ends.

use std::collections::BTreeMap;
use std::io::Read;

use super::Fault;
use super::reader::Reader;

/// Dimensions a tensor may have; ggml knows four.
const MAX_DIMENSIONS: u32 = 4;

/// The sum over all tensors.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tensors {
    parameters: u64,
    end: u64,
    by_kind: BTreeMap<u32, u64>,
}

impl Tensors {
    pub(super) fn read<R: Read>(reader: &mut Reader<R>, count: u64) -> Result<Self, Fault> {
        let mut all = Self::default();
        for _ in 0..count {
            reader.key()?;
            let dimensions = reader.u32()?;
            if dimensions > MAX_DIMENSIONS {
                return Err(Fault::Excess("dimensions in a tensor"));
            }
            let mut elements = 1_u64;
            for _ in 0..dimensions {
                elements =
                    elements.checked_mul(reader.u64()?).ok_or(Fault::Nonsense("a tensor is endless"))?;
            }
            let (kind, offset) = (reader.u32()?, reader.u64()?);
            all.add(kind, elements, offset).ok_or(Fault::Nonsense("tensors lie beyond any file"))?;
        }
        Ok(all)
    }

    fn add(&mut self, kind: u32, elements: u64, offset: u64) -> Option<()> {
        self.parameters = self.parameters.checked_add(elements)?;
        // Of a kind we do not know the size is unknown too, but it begins inside the file.
        let bytes = kind_of(kind).map_or(Some(0), |kind| kind.bytes(elements))?;
        self.end = self.end.max(offset.checked_add(bytes)?);
        *self.by_kind.entry(kind).or_default() += elements;
        Some(())
    }

    /// Weights of all tensors.
    pub(super) const fn parameters(&self) -> u64 {
        self.parameters
    }

    /// Where the last tensor ends, counted from the first, bytes.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// The kind that most weights have.
    pub(super) fn dominant(&self) -> &'static str {
        let most = self.by_kind.iter().max_by_key(|(_, elements)| **elements);
        most.and_then(|(kind, _)| kind_of(*kind)).map_or("unknown", |kind| kind.name)
    }
}

/// How ggml stores weights: blocks of `elements` weights in `bytes` bytes.
struct Kind {
    name: &'static str,
    elements: u64,
    bytes: u64,
}

impl Kind {
    fn bytes(&self, elements: u64) -> Option<u64> {
        elements.div_ceil(self.elements).checked_mul(self.bytes)
    }
}

/// ggml's types by number, those that files on the hubs have.
fn kind_of(number: u32) -> Option<Kind> {
    let (name, elements, bytes) = match number {
        0 => ("F32", 1, 4),
        1 => ("F16", 1, 2),
        2 => ("Q4_0", 32, 18),
        3 => ("Q4_1", 32, 20),
        6 => ("Q5_0", 32, 22),
        7 => ("Q5_1", 32, 24),
        8 => ("Q8_0", 32, 34),
        9 => ("Q8_1", 32, 36),
        10 => ("Q2_K", 256, 84),
        11 => ("Q3_K", 256, 110),
        12 => ("Q4_K", 256, 144),
        13 => ("Q5_K", 256, 176),
        14 => ("Q6_K", 256, 210),
        15 => ("Q8_K", 256, 292),
        16 => ("IQ2_XXS", 256, 66),
        17 => ("IQ2_XS", 256, 74),
        18 => ("IQ3_XXS", 256, 98),
        19 => ("IQ1_S", 256, 50),
        20 => ("IQ4_NL", 32, 18),
        21 => ("IQ3_S", 256, 110),
        22 => ("IQ2_S", 256, 82),
        23 => ("IQ4_XS", 256, 136),
        24 => ("I8", 1, 1),
        25 => ("I16", 1, 2),
        26 => ("I32", 1, 4),
        27 => ("I64", 1, 8),
        28 => ("F64", 1, 8),
        29 => ("IQ1_M", 256, 56),
        30 => ("BF16", 1, 2),
        34 => ("TQ1_0", 256, 54),
        35 => ("TQ2_0", 256, 66),
        39 => ("MXFP4", 32, 17),
        _ => return None,
    };
    Some(Kind { name, elements, bytes })
}

/// llama.cpp's file types by number: mixtures of kinds, under the names people know.
pub(super) fn file_type(number: u64) -> Option<&'static str> {
    Some(match number {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        19 => "IQ2_XXS",
        20 => "IQ2_XS",
        21 => "Q2_K_S",
        22 => "IQ3_XS",
        23 => "IQ3_XXS",
        24 => "IQ1_S",
        25 => "IQ4_NL",
        26 => "IQ3_S",
        27 => "IQ3_M",
        28 => "IQ2_S",
        29 => "IQ2_M",
        30 => "IQ4_XS",
        31 => "IQ1_M",
        32 => "BF16",
        36 => "TQ1_0",
        37 => "TQ2_0",
        38 => "MXFP4",
        _ => return None,
    })
}
