"""Reading and writing the model file: metadata, tokenizer and tensors as llama.cpp's `qwen3` wants them."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType, quants
from torch import Tensor

from tinymodel.decoder import Layout

CHAT_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
FILE_TYPES = {"f32": 0, "f16": 1, "q8_0": 7}
BEGIN, END = 0, 2


def write(path: Path, weights: dict[str, Tensor], layout: Layout, tokenizer: Path, file_type: str) -> None:
    """Writes one model file of the given type (`f32`, `f16` or `q8_0`)."""
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name("edgecoder-tiny")
    writer.add_description(
        "Small Python functions from one sentence; trained from nothing on generated, executed examples"
    )
    writer.add_license("MIT OR Apache-2.0")
    writer.add_context_length(layout.context)
    writer.add_embedding_length(layout.width)
    writer.add_block_count(layout.blocks)
    writer.add_feed_forward_length(layout.hidden)
    writer.add_head_count(layout.heads)
    writer.add_head_count_kv(layout.key_heads)
    # mandatory here: the head width is not width / heads
    writer.add_key_length(layout.head_width)
    writer.add_value_length(layout.head_width)
    writer.add_rope_freq_base(layout.rope_base)
    writer.add_layer_norm_rms_eps(layout.epsilon)
    writer.add_rope_dimension_count(layout.head_width)
    writer.add_file_type(FILE_TYPES[file_type])
    writer.add_quantization_version(2)
    _add_tokenizer(writer, tokenizer, layout.vocabulary)
    for name, value in weights.items():
        _add_tensor(writer, tensor_name(name), value.float().numpy(), file_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Path, size: int) -> None:
    stored = json.loads(tokenizer.read_text())
    by_id = {i: token for token, i in stored["model"]["vocab"].items()}
    special = {token["id"]: token["content"] for token in stored["added_tokens"]}
    tokens, types = [], []
    for i in range(size):
        known = special.get(i, by_id.get(i))
        tokens.append(f"[PAD{i}]" if known is None else known)
        kind = gguf.TokenType.UNUSED if known is None else gguf.TokenType.NORMAL
        types.append(gguf.TokenType.CONTROL if i in special else kind)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in stored["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(END)
    writer.add_bos_token_id(BEGIN)
    writer.add_pad_token_id(BEGIN)
    writer.add_eot_token_id(END)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_tensor(writer: gguf.GGUFWriter, name: str, value: np.ndarray, file_type: str) -> None:
    value = np.ascontiguousarray(value)
    if value.ndim == 1 or file_type == "f32":
        writer.add_tensor(name, value.astype(np.float32))
    elif file_type == "f16":
        writer.add_tensor(name, value.astype(np.float16))
    else:
        packed = quants.quantize(value.astype(np.float32), GGMLQuantizationType.Q8_0)
        writer.add_tensor(name, packed, raw_dtype=GGMLQuantizationType.Q8_0)


def tensor_name(name: str) -> str:
    """The file's name for a weight: `blocks.3.attn_q.weight` is `blk.3.attn_q.weight`."""
    if name == "embedding.weight":
        return "token_embd.weight"
    name = name.replace("blocks.", "blk.", 1)
    return name if name.endswith(".weight") else f"{name}.weight"


def read(path: Path) -> tuple[dict[str, Tensor], Layout]:
    """Weights and layout of a file this module wrote, dequantised: training can go on from a shipped model."""
    reader = gguf.GGUFReader(path)

    def number(key: str) -> int:
        return int(reader.fields[f"qwen3.{key}"].contents())

    tensors = {t.name: torch.from_numpy(_plain(t)) for t in reader.tensors}
    layout = Layout(
        vocabulary=tensors["token_embd.weight"].shape[0],
        width=number("embedding_length"),
        blocks=number("block_count"),
        heads=number("attention.head_count"),
        key_heads=number("attention.head_count_kv"),
        head_width=number("attention.key_length"),
        hidden=number("feed_forward_length"),
        context=number("context_length"),
    )
    return {_weight_name(name): value for name, value in tensors.items()}, layout


def _plain(tensor: gguf.ReaderTensor) -> np.ndarray:
    return np.array(quants.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)


def _weight_name(name: str) -> str:
    if name == "token_embd.weight":
        return "embedding.weight"
    name = name.replace("blk.", "blocks.", 1)
    return name.removesuffix(".weight") if "norm" in name else name


def tokenizer_json(path: Path) -> dict:
    """The tokenizer inside a model file, as the `tokenizers` library stores one (without pre-tokenizer)."""
    reader = gguf.GGUFReader(path)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    merges = reader.fields["tokenizer.ggml.merges"].contents()
    return {"tokens": tokens, "types": types, "merges": merges}
