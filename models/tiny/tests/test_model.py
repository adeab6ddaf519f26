import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from tinymodel import attention, form, gguf_file, judge, pack, tokens
from tinymodel.average import average
from tinymodel.corpus import samples
from tinymodel.corpus_file import CHOSEN, LEARNED, Corpus
from tinymodel.decoder import Decoder, Layout, grown
from tinymodel.evaluate import pass_at
from tinymodel.hardest import Hardest
from tinymodel.muon import Optimiser

FOLDER = Path(__file__).parents[1]
SHIPPED = FOLDER / "edgecoder-tiny.gguf"
SMALL = Layout(vocabulary=1536, width=64, blocks=2, heads=2, key_heads=1, head_width=32, hidden=96, context=64)


def test_a_grown_decoder_computes_the_same():
    torch.manual_seed(1)
    before = Decoder(SMALL)
    wanted = Layout(**{**SMALL.as_dict(), "blocks": 3, "context": 128})
    after = Decoder(wanted)
    after.load_state_dict(grown(before.state_dict(), SMALL, wanted))
    ids = torch.randint(0, 1536, (2, 20))
    assert torch.allclose(before(ids), after(ids), atol=1e-6)


@pytest.mark.skipif(attention.kernel() is None, reason="no compiler")
@pytest.mark.parametrize(("batch", "length"), [(3, 1), (2, 32), (2, 64), (1, 97), (1, 416)])
def test_the_attention_kernel_computes_what_pytorch_does(batch, length):
    torch.manual_seed(length)

    def computed(attend):
        torch.manual_seed(length)
        q, k, v = (torch.randn(batch, length, heads, 64, requires_grad=True) for heads in (4, 2, 2))
        out = attend(q, k, v)
        out.backward(torch.randn(out.shape))
        return out, q.grad, k.grad, v.grad

    for ours, theirs in zip(computed(attention.attend), computed(attention.pytorch_attend), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_signatures_are_told_from_mentions():
    request = "Write add(a, b) that adds them, `twice(n: int)` for 2n, and mean(xs) by calling `total(xs)`."
    assert [name for name, _ in form.signatures(request)] == ["add", "twice", "mean"]
    assert '\\"Write a function twice(n: int) \\" text' not in form.grammar(request)
    assert form.signatures("Make a module with f(x) and g(y)") == [("f", "f(x)"), ("g", "g(y)")]
    assert '"Write a function twice(n: int) " text' in form.grammar(request)
    assert "part1" not in form.grammar("Write a module.")


def test_an_average_lies_between_and_wants_whole_shares():
    torch.manual_seed(4)
    first, second = Decoder(SMALL).state_dict(), Decoder(SMALL).state_dict()
    found = average([first, second], [0.6, 0.4])
    assert torch.allclose(found["embedding.weight"], 0.6 * first["embedding.weight"] + 0.4 * second["embedding.weight"])
    for shares in ([0.6], [0.6, 0.6]):
        with pytest.raises(ValueError, match="add up to one"):
            average([first, second], shares)


def test_shrinking_is_refused():
    with pytest.raises(ValueError, match="cannot grow"):
        grown(Decoder(SMALL).state_dict(), SMALL, Layout(**{**SMALL.as_dict(), "blocks": 1}))


def test_a_model_file_keeps_weights_layout_and_tokenizer(tmp_path):
    torch.manual_seed(2)
    decoder = Decoder(SMALL)
    tokenizer = tokens.of_model(SHIPPED)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    for file_type, tolerance in (("f32", 0.0), ("f16", 1e-3), ("q8_0", 0.02)):
        path = tmp_path / f"{file_type}.gguf"
        gguf_file.write(path, decoder.state_dict(), SMALL, tmp_path / "tokenizer.json", file_type)
        weights, layout = gguf_file.read(path)
        assert layout == SMALL
        for name, value in decoder.state_dict().items():
            assert torch.allclose(weights[name], value, atol=tolerance), name
        again = tokens.of_model(path)
        text = "<|im_start|>user\nWrite f(x): é 123 'a' if x else \"b\"<|im_end|>\n"
        assert again.encode(text).ids == tokenizer.encode(text).ids
        assert again.decode(again.encode("def f(x):\n    return 1").ids) == "def f(x):\n    return 1"


def test_only_answers_are_learned():
    tokenizer = tokens.of_model(SHIPPED)
    drawn = [samples.draw(Random(seed)) for seed in range(40)]
    corpus = pack.pack(drawn, tokenizer, Random(1), share=0.5, longest=1000)
    assert len(corpus.lengths) < 40
    for start, end in zip(corpus.starts, corpus.starts[1:], strict=False):
        learned = tokenizer.decode(
            corpus.ids[start:end][corpus.learned[start:end] > 0].tolist(), skip_special_tokens=False
        )
        assert "<|im_start|>" not in learned
        assert learned.endswith("<|im_end|>")


def test_batches_hold_every_sample_once_within_the_budget():
    lengths = np.random.default_rng(1).integers(5, 200, 300)
    ids = np.arange(lengths.sum(), dtype=np.int64) % 1000
    corpus = Corpus(ids.astype(np.uint16), np.ones(len(ids), np.uint8), np.concatenate([[0], np.cumsum(lengths)]))
    batches = list(corpus.batches(np.arange(300), 1024, np.random.default_rng(2)))
    assert sum(batch.tokens for batch in batches) == lengths.sum()
    assert all(batch.ids.numel() <= 1024 for batch in batches)
    assert all(len(batch.places) == len(batch.targets) for batch in batches)


def test_a_signature_that_the_request_leaves_open_says_nothing_of_how_hard_it_is():
    tokenizer = tokens.of_model(SHIPPED)
    for named, telling in (
        (2, "```python\ndef f(x):\n    return x\n```<|im_end|>"),
        (1, "    return x\n```<|im_end|>"),
    ):
        one = samples.Sample("code", None, "f", samples.fenced("def f(x):\n    return x"), "f", named)
        corpus = pack.pack([one], tokenizer, Random(1), share=0, longest=100)
        told = tokenizer.decode(corpus.ids[corpus.learned == LEARNED].tolist(), skip_special_tokens=False)
        assert told == telling


def test_what_is_known_least_is_learned_and_a_few_others():
    ids = np.arange(400, dtype=np.uint16)
    marks = np.ones(400, np.uint8)
    marks[:10] = CHOSEN
    corpus = Corpus(ids, marks, np.arange(0, 401, 10))

    def losses_of(_ids, _places, targets):
        return torch.where(targets < 50, 3.0, 0.01)

    chosen = Hardest(corpus, losses_of, 0.1, 64, np.random.default_rng(1))(np.arange(40))
    assert set(chosen[:4]) == {1, 2, 3, 4}
    assert len(chosen) == len(set(chosen)) == 5


def test_the_optimiser_lowers_the_loss():
    torch.manual_seed(3)
    decoder = Decoder(SMALL)
    optimiser = Optimiser(decoder, 0.004)
    ids = torch.randint(0, 50, (4, 32))
    places = torch.arange(0, 4 * 32 - 1)
    targets = ids.reshape(-1)[1:]
    losses = []
    for _ in range(15):
        loss = decoder.loss(ids, places, targets) / len(targets)
        loss.backward()
        optimiser.step(0.02, 1.0)
        decoder.zero_grad(set_to_none=True)
        losses.append(loss.item())
    assert losses[-1] < losses[0] * 0.7


def test_the_yardstick_is_solvable_and_its_tests_tell_right_from_wrong():
    requests = judge.Request.load(FOLDER / "yardstick" / "requests.jsonl")
    assert len(requests) >= 200
    for request in requests:
        assert request.passed(request.canonical_solution), request.task_id
        assert not request.passed(f"def {request.entry_point}(*args):\n    return object()"), request.task_id


def test_held_out_tasks_are_solved_by_their_solutions():
    for line in (FOLDER / "eval" / "heldout.jsonl").read_text().splitlines():
        task = json.loads(line)
        scope: dict = {}
        exec(task["canonical_solution"] + task["test"], scope)
        scope["check"](scope[task["entry_point"]])


@pytest.mark.parametrize(
    ("answer", "code"),
    [("```python\na\n```", "a"), ("Here:\n```\nb\n```\nmore", "b"), ("```python\nopen", "open"), ("bare", "bare")],
)
def test_code_is_taken_from_the_first_block(answer, code):
    assert judge.code_of(answer) == code


@pytest.mark.parametrize(
    ("drawn", "right", "k", "rate"), [(4, 4, 1, 1.0), (4, 0, 4, 0.0), (4, 1, 1, 0.25), (4, 1, 4, 1.0)]
)
def test_pass_at_k(drawn, right, k, rate):
    assert pass_at(drawn, right, k) == pytest.approx(rate)
