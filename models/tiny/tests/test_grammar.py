from random import Random

import pytest

from tinymodel.corpus import everyday, grammar, request


@pytest.mark.parametrize(
    ("phrase", "forms"),
    [
        ("plain", {"plain"}),
        ("<a|b>", {"a", "b"}),
        ("x <a|> y", {"x a y", "x y"}),
        ("<a <b|c>|d>", {"a b", "a c", "d"}),
        ("a < b and c <= d", {"a < b and c <= d"}),
        ("f -> <g|h>", {"f -> g", "f -> h"}),
        ("<a| ->|b> c", {"a c", "-> c", "b c"}),
    ],
)
def test_a_phrase_stands_for_its_forms(phrase, forms):
    random = Random(1)
    assert {grammar.draw(phrase, random) for _ in range(200)} == forms
    assert grammar.forms(phrase) == len(forms)


@pytest.mark.parametrize("phrase", ["<a", "<a|<b>"])
def test_brackets_must_match(phrase):
    with pytest.raises(grammar.GrammarError):
        grammar.parse(phrase)


def test_every_phrase_in_the_files_is_one():
    for task in everyday.tasks():
        for wordings in task.wordings.values():
            assert all(grammar.forms(wording) > 0 for wording in wordings), task.key
    for lines, _ in request.frames().values():
        assert all(grammar.forms(line) > 0 for line in lines)


def test_no_frame_keeps_a_macro():
    for section, (lines, _) in request.frames().items():
        for line in lines:
            for macro in ("CALLIT", "SIGNED", "COLON", "RETURNS", "CHECKS", "WRITE", "GIVEN", "SHOULD", "THAT "):
                assert macro not in line, (section, line)
