"""Sampling a model file with llama.cpp, many answers to one prompt at a time: what is measured is what ships."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp
import numpy as np

SEQUENCES = 32
CONTEXT = 32 * 1024
BATCH = 1024
END = 2
FIRST_ASKED = 32
REFUSED = -1e30


@llama_cpp.llama_log_callback
def _silent(_level: int, _text: bytes, _user: object) -> None:
    pass


class Engine:
    """One model file in memory. Not for several threads."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        llama_cpp.llama_backend_init()
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
        model = llama_cpp.llama_model_default_params()
        model.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), model)
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        context = llama_cpp.llama_context_default_params()
        context.n_ctx, context.n_batch, context.n_ubatch = CONTEXT, BATCH, 512
        context.n_seq_max = SEQUENCES
        context.n_threads = context.n_threads_batch = threads
        context.kv_unified = True
        # flash attention rounds to f16 inside; the comparison with the trainer needs the exact one
        context.flash_attn_type = 0
        # the default f16 cache alone hides differences of 0.01 from the trainer
        context.type_k = context.type_v = 0
        self.context = llama_cpp.llama_init_from_model(self.model, context)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        self.batch = llama_cpp.llama_batch_init(BATCH, 0, SEQUENCES)

    def tokens(self, text: str) -> list[int]:
        """Token ids; the template's markers count as one token each."""
        raw = text.encode()
        room = (llama_cpp.llama_token * (len(raw) + 8))()
        count = llama_cpp.llama_tokenize(self.vocabulary, raw, len(raw), room, len(raw) + 8, False, True)
        return list(room[:count])

    def text(self, tokens: list[int]) -> str:
        """The text of token ids."""
        room = ctypes.create_string_buffer(128)
        pieces = []
        for token in tokens:
            length = llama_cpp.llama_token_to_piece(self.vocabulary, token, room, 128, 0, False)
            pieces.append(room.raw[:length])
        return b"".join(pieces).decode("utf-8", "replace")

    def _decode(self, rows: list[tuple[int, int, int, bool]]) -> None:
        """Rows of token, position, sequence and whether its logits are wanted."""
        for at in range(0, len(rows), BATCH):
            part = rows[at : at + BATCH]
            self.batch.n_tokens = len(part)
            for place, (token, position, sequence, wanted) in enumerate(part):
                self.batch.token[place] = token
                self.batch.pos[place] = position
                self.batch.n_seq_id[place] = 1
                self.batch.seq_id[place][0] = sequence
                self.batch.logits[place] = wanted
            if llama_cpp.llama_decode(self.context, self.batch) != 0:
                raise RuntimeError("llama.cpp could not decode the batch")

    def _logits(self, place: int) -> np.ndarray:
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self.context, place), shape=(self.size,))

    def all_logits(self, tokens: list[int]) -> np.ndarray:
        """Logits at every position of at most one batch."""
        llama_cpp.llama_memory_clear(self.memory, True)
        self._decode([(token, position, 0, True) for position, token in enumerate(tokens)])
        return np.stack([self._logits(place).copy() for place in range(len(tokens))])

    def answers(
        self,
        prompt: str,
        count: int = 1,
        temperature: float = 0.0,
        longest: int = 200,
        random: np.random.Generator | None = None,
    ) -> list[str]:
        """`count` answers to one prompt; greedy at temperature 0."""
        return self.answers_to([prompt], count, temperature, longest, random)[0]

    def answers_to(
        self,
        prompts: list[str],
        count: int = 1,
        temperature: float = 0.0,
        longest: int = 200,
        random: np.random.Generator | None = None,
    ) -> list[list[str]]:
        """`count` answers to each of several prompts, all at a time; together at most as many as sequences."""
        llama_cpp.llama_memory_clear(self.memory, True)
        following: dict[int, int] = {}
        positions: dict[int, int] = {}
        for at, prompt in enumerate(prompts):
            ids, first = self.tokens(prompt), at * count
            self._decode([(token, place, first, place == len(ids) - 1) for place, token in enumerate(ids)])
            logits = self._logits((len(ids) - 1) % BATCH).copy()
            for sequence in range(first, first + count):
                if sequence > first:
                    llama_cpp.llama_memory_seq_cp(self.memory, first, sequence, -1, -1)
                following[sequence] = _picked(logits, temperature, random)
                positions[sequence] = len(ids)
        said: dict[int, list[int]] = {sequence: [] for sequence in following}
        while True:
            live = [sequence for sequence, token in following.items() if token != END and len(said[sequence]) < longest]
            for sequence in live:
                said[sequence].append(following[sequence])
            if not live:
                texts = [self.text(one) for one in said.values()]
                return [texts[at : at + count] for at in range(0, len(texts), count)]
            self._decode([(following[sequence], positions[sequence], sequence, True) for sequence in live])
            following = {s: _picked(self._logits(at), temperature, random) for at, s in enumerate(live)}
            for sequence in live:
                positions[sequence] += 1

    def held_to(self, grammar: str, prompt: str, longest: int) -> str:
        """The greedy answer among those that a grammar allows."""
        llama_cpp.llama_memory_clear(self.memory, True)
        rules = llama_cpp.llama_sampler_init_grammar(self.vocabulary, grammar.encode(), b"root")
        if not rules:
            raise ValueError("llama.cpp refuses the grammar")
        ids, said = self.tokens(prompt), []
        self._decode([(token, place, 0, place == len(ids) - 1) for place, token in enumerate(ids)])
        token = self._allowed(rules, self._logits((len(ids) - 1) % BATCH))
        while token != END and len(said) < longest:
            llama_cpp.llama_sampler_accept(rules, token)
            said.append(token)
            self._decode([(token, len(ids) + len(said) - 1, 0, True)])
            token = self._allowed(rules, self._logits(0))
        llama_cpp.llama_sampler_free(rules)
        return self.text(said)

    def _allowed(self, rules: llama_cpp.llama_sampler_p, logits: np.ndarray) -> int:
        """The likeliest token that the rules allow; first asked of a few, because asking is slow."""
        order = np.argsort(-logits)
        for likely in (order[:FIRST_ASKED], order):
            room = (llama_cpp.llama_token_data * len(likely))()
            for place, token in enumerate(likely):
                room[place].id, room[place].logit = int(token), float(logits[token])
            asked = llama_cpp.llama_token_data_array()
            asked.data, asked.size, asked.selected, asked.sorted = room, len(likely), -1, True
            llama_cpp.llama_sampler_apply(rules, ctypes.byref(asked))
            found = [one.id for one in room if one.logit > REFUSED]
            if found:
                return found[0]
        return END


def _picked(logits: np.ndarray, temperature: float, random: np.random.Generator | None) -> int:
    if temperature <= 0 or random is None:
        return int(logits.argmax())
    weights = np.exp((logits - logits.max()) / temperature, dtype=np.float64)
    return int(np.searchsorted(np.cumsum(weights), random.random() * weights.sum()))
