#!/usr/bin/env python3
"""Writes a model of random weights: of real size and shape, for measuring, of no use for writing.

    scripts/random-gguf.py OUT.gguf [--like models/tiny/edgecoder-tiny.gguf] [--layers 12] [--width 768] ...

The tokenizer and the chat template are those of the model it is like. Weights come from a fixed seed, so two machines
measure the same file. Tokens that end an answer are never the likeliest, so answers are as long as they are asked for.
Needs the Python packages `gguf` and `numpy`.
"""

import argparse
import sys

import gguf
import numpy as np

Q8 = gguf.GGMLQuantizationType.Q8_0
SEED = 20260101


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--like", default="models/tiny/edgecoder-tiny.gguf")
    parser.add_argument("--name", default="random-100m")
    for name, default in [("layers", 12), ("width", 768), ("ffn", 3072), ("heads", 12), ("kv-heads", 4)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--head-width", type=int, default=64)
    parser.add_argument("--context", type=int, default=4096)
    return parser.parse_args()


def copied(reader, writer):
    """Everything about words comes from the other model."""
    for key, field in reader.fields.items():
        if not key.startswith("tokenizer."):
            continue
        kind = field.types[0]
        if kind == gguf.GGUFValueType.ARRAY:
            writer.add_key_value(key, field.contents(), kind, sub_type=field.types[1])
        else:
            writer.add_key_value(key, field.contents(), kind)


def shape(args, writer):
    writer.add_name(args.name)
    writer.add_context_length(args.context)
    writer.add_embedding_length(args.width)
    writer.add_block_count(args.layers)
    writer.add_feed_forward_length(args.ffn)
    writer.add_head_count(args.heads)
    writer.add_head_count_kv(args.kv_heads)
    writer.add_key_length(args.head_width)
    writer.add_value_length(args.head_width)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def weights(args, words, ends, writer):
    numbers = np.random.default_rng(SEED)
    total = 0

    def matrix(name, rows, columns, zero_rows=()):
        nonlocal total
        values = numbers.standard_normal((rows, columns), dtype=np.float32) * (columns**-0.5)
        values[list(zero_rows)] = 0.0
        writer.add_tensor(name, gguf.quants.quantize(values, Q8), raw_dtype=Q8)
        total += values.size

    def ones(name, length):
        writer.add_tensor(name, np.ones(length, dtype=np.float32))

    queries, keys = args.heads * args.head_width, args.kv_heads * args.head_width
    matrix("token_embd.weight", words, args.width)
    ones("output_norm.weight", args.width)
    # Zero rows answer zero, and the likeliest of many words is always above that.
    matrix("output.weight", words, args.width, zero_rows=ends)
    for layer in range(args.layers):
        at = f"blk.{layer}."
        ones(at + "attn_norm.weight", args.width)
        ones(at + "ffn_norm.weight", args.width)
        ones(at + "attn_q_norm.weight", args.head_width)
        ones(at + "attn_k_norm.weight", args.head_width)
        matrix(at + "attn_q.weight", queries, args.width)
        matrix(at + "attn_k.weight", keys, args.width)
        matrix(at + "attn_v.weight", keys, args.width)
        matrix(at + "attn_output.weight", args.width, queries)
        matrix(at + "ffn_gate.weight", args.ffn, args.width)
        matrix(at + "ffn_up.weight", args.ffn, args.width)
        matrix(at + "ffn_down.weight", args.width, args.ffn)
    return total


def main():
    args = parse()
    reader = gguf.GGUFReader(args.like)
    words = reader.fields["tokenizer.ggml.tokens"].contents()
    ends = [place for place, word in enumerate(words) if word.startswith("<|")]
    writer = gguf.GGUFWriter(args.out, "qwen3")
    shape(args, writer)
    copied(reader, writer)
    total = weights(args, len(words), ends, writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{args.out}: {total / 1e6:.0f} M weights", file=sys.stderr)


if __name__ == "__main__":
    main()
