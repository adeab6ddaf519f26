//! Headers, good and hostile.

use proptest::prelude::*;

use super::*;

fn put_text(to: &mut Vec<u8>, text: &str) {
    to.extend((text.len() as u64).to_le_bytes());
    to.extend(text.as_bytes());
}

fn put_entry(to: &mut Vec<u8>, key: &str, kind: u32, value: &[u8]) {
    put_text(to, key);
    to.extend(kind.to_le_bytes());
    to.extend(value);
}

fn text_value(text: &str) -> Vec<u8> {
    let mut value = Vec::new();
    put_text(&mut value, text);
    value
}

fn array_value(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), elements].concat()
}

/// A header with one Q4_K tensor of 256 × 4 weights.
fn header() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(11_u64.to_le_bytes());
    put_entry(&mut bytes, "general.architecture", 8, &text_value("qwen2"));
    put_entry(&mut bytes, "general.name", 8, &text_value("Little Coder"));
    put_entry(&mut bytes, "general.file_type", 4, &15_u32.to_le_bytes());
    put_entry(&mut bytes, "qwen2.context_length", 4, &32_768_u32.to_le_bytes());
    put_entry(&mut bytes, "qwen2.block_count", 4, &2_u32.to_le_bytes());
    put_entry(&mut bytes, "qwen2.embedding_length", 4, &64_u32.to_le_bytes());
    put_entry(&mut bytes, "qwen2.attention.head_count", 4, &4_u32.to_le_bytes());
    put_entry(&mut bytes, "qwen2.attention.head_count_kv", 9, &array_value(5, 2, &[2, 0, 0, 0, 1, 0, 0, 0]));
    put_entry(&mut bytes, "tokenizer.ggml.model", 8, &text_value("gpt2"));
    let tokens = [text_value("a"), text_value("b")].concat();
    put_entry(&mut bytes, "tokenizer.ggml.tokens", 9, &array_value(8, 2, &tokens));
    put_entry(&mut bytes, "tokenizer.chat_template", 8, &text_value("{{ messages }}"));
    put_text(&mut bytes, "blk.0.attn_q.weight");
    bytes.extend(2_u32.to_le_bytes());
    bytes.extend(256_u64.to_le_bytes());
    bytes.extend(4_u64.to_le_bytes());
    bytes.extend(12_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes
}

#[test]
fn a_header_becomes_a_card() {
    let bytes = header();
    let card = read(&bytes[..]).unwrap();
    let expected = Card {
        architecture: "qwen2".into(),
        title: Some("Little Coder".into()),
        parameters: 1024,
        quantisation: "Q4_K_M".into(),
        context_tokens: Some(32_768),
        // Three heads in two layers, keys and values of 16, two bytes each.
        kv_bytes_per_token: Some(3 * 32 * 2),
        chat_template: true,
        tokenizer: Some("gpt2".into()),
        license: None,
        least_bytes: (bytes.len() as u64).next_multiple_of(32) + 4 * 144,
    };
    assert_eq!(card, expected);
}

#[test]
fn the_shipped_model_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/tiny/edgecoder-tiny.gguf");
    let card = read_file(&path).unwrap();
    assert!(card.parameters > 1_000_000 && card.context_tokens.is_some(), "{card:?}");
    assert_eq!(card.least_bytes, std::fs::metadata(&path).unwrap().len());
}

#[test]
fn a_file_without_all_its_weights_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("m.gguf");
    let least = usize::try_from(read(&header()[..]).unwrap().least_bytes).unwrap();
    let mut bytes = header();
    bytes.resize(least, 0);
    std::fs::write(&path, &bytes).unwrap();
    assert!(read_file(&path).is_ok());
    std::fs::write(&path, &bytes[..least - 1]).unwrap();
    let error = read_file(&path).unwrap_err();
    assert!(error.to_string().contains("it was cut"), "{error}");
}

#[test]
fn hostile_headers_are_refused_for_what_they_are() {
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: Fault| {
        let mut bytes = header();
        change(&mut bytes);
        assert_eq!(read(&bytes[..]), Err(expected));
    };
    let set = |at: usize, with: &[u8]| {
        let with = with.to_vec();
        move |bytes: &mut Vec<u8>| bytes[at..at + with.len()].copy_from_slice(&with)
    };
    check(&|bytes| bytes.clear(), Fault::Magic);
    check(&set(0, b"GGML"), Fault::Magic);
    check(&set(4, &1_u32.to_le_bytes()), Fault::Version(1));
    check(&set(8, &u64::MAX.to_le_bytes()), Fault::Excess("tensors"));
    check(&set(16, &u64::MAX.to_le_bytes()), Fault::Excess("metadata"));
    check(&set(24, &u64::MAX.to_le_bytes()), Fault::Excess("bytes in a name"));
    check(&|bytes| bytes.truncate(60), Fault::Cut);
    check(&|bytes| bytes.truncate(bytes.len() - 1), Fault::Cut);
    // The type and the length of the first value: it follows a key of 20 bytes.
    check(&set(52, &99_u32.to_le_bytes()), Fault::UnknownType(99));
    check(&set(56, &u64::MAX.to_le_bytes()), Fault::Excess("bytes"));
    check(&set(32, b"general.architectur?"), Fault::Nonsense("no architecture is named"));
    let end = header().len();
    check(&set(end - 12 - 16 - 4, &9_u32.to_le_bytes()), Fault::Excess("dimensions in a tensor"));
    check(&set(end - 12 - 16, &u64::MAX.to_le_bytes()), Fault::Nonsense("a tensor is endless"));
    check(&set(end - 8, &u64::MAX.to_le_bytes()), Fault::Nonsense("tensors lie beyond any file"));
}

#[test]
fn arrays_in_arrays_end() {
    let mut deep = array_value(0, 1, &[1]);
    for _ in 0..4 {
        deep = array_value(9, 1, &deep);
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    put_entry(&mut bytes, "x", 9, &deep);
    assert_eq!(read(&bytes[..]), Err(Fault::Excess("arrays in arrays")));
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes[..]);
        let _ = read(&[&header()[..24], &bytes].concat()[..]);
    }

    #[test]
    fn no_change_of_a_good_header_breaks_the_reader(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let mut bytes = header();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes[..]);
    }
}
