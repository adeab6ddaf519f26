import json
import tomllib
from pathlib import Path
from random import Random

import pytest

from tinymodel.corpus import classes, composed, everyday, faults, names, request, samples, splits, tasks
from tinymodel.corpus.composed.family import Told
from tinymodel.corpus.execution import Call, failure

PROFILE = Path(__file__).parents[3] / "crates/rules/agent/profiles/edgecoder-tiny.toml"


@pytest.mark.parametrize("task", everyday.tasks(), ids=lambda task: task.key)
def test_an_everyday_task_runs_and_can_be_told(task):
    random = Random(task.key)
    assert sum(map(len, task.wordings.values())) > 0
    for _ in range(3):
        constants = task.constants_of(random)
        scope: dict = {}
        exec(task.function("task_x", task.arguments, constants), scope)
        for _ in range(5):
            try:
                scope["task_x"](*task.inputs(random))
            except (IndexError, ZeroDivisionError, ValueError, KeyError):
                continue  # such inputs never become tests
        form, told = task.described(task.arguments, constants, random)
        assert form in everyday.FORMS.values()
        assert told and "{" not in told.replace("{k", "")


def test_a_line_of_no_task_is_refused():
    with pytest.raises(ValueError, match="line 2"):
        everyday.read("@ key | name | x:n | int\nnonsense\n")


@pytest.mark.parametrize("family", composed.FAMILIES, ids=lambda family: family.name)
def test_code_and_reference_of_a_composition_agree(family):
    random = Random(family.name)
    for _ in range(60):
        choice = family.draw(random)
        arguments = names.usual_arguments(family.types(choice))
        calls = tasks._family_tests(random, family, choice, "f_x")
        if calls:
            assert failure(family.code(choice, "f_x", arguments), calls) is None, family.key(choice)
        for shown in (arguments, None):
            assert isinstance(family.tell(choice, random, shown), Told)
        assert family.plan(choice, arguments)
        assert family.usual_name(choice)


def test_held_compositions_are_never_trained_on():
    random = Random(1)
    held = {tasks.draw(random, want_held=True).key for _ in range(150)}
    trained = {tasks.draw(random).key for _ in range(600)}
    assert not held & trained


def test_samples_are_right_and_reproducible():
    drawn = [samples.draw(Random(seed)) for seed in range(150)]
    assert [samples.draw(Random(seed)).as_json() for seed in range(150)] == [sample.as_json() for sample in drawn]
    for sample in drawn:
        assert samples.Sample.from_json(sample.as_json()) == sample
        if sample.code and sample.kind != "plan":
            assert failure(sample.code, sample.tests) is None
            assert sample.answer == samples.fenced(sample.code)


def test_the_systems_are_those_of_the_profile():
    assert tomllib.loads(PROFILE.read_text())["systems"] == samples.SYSTEMS


def test_faults_fail_and_say_how():
    random = Random(2)
    found = 0
    for _ in range(60):
        task = tasks.draw(random)
        fault = faults.broken(task, random)
        if fault:
            found += 1
            assert failure(fault[0], task.tests) == fault[1]
    assert found > 30


def test_an_everyday_task_is_also_misunderstood():
    random, wrong = Random(6), set()
    for _ in range(40):
        task = tasks.from_everyday(random)
        code = task and task.mutated(random)
        if code:
            assert code.startswith((f"def {task.name}(", "import "))
            wrong.add(failure(code, task.tests) is not None)
    assert True in wrong


def test_a_signature_alone_has_the_name_of_one_task():
    assert everyday.says_all("harmonic_sum")
    assert not everyday.says_all("total")
    told = request.Wanted(Told("returns", "the sum"), "sum_all", ("xs",), ("ints",))
    assert all("sum_all(xs" in request.bare(told, Random(seed)) for seed in range(30))


def test_splits_are_lists_of_functions_that_the_request_names():
    random = Random(3)
    sizes = set()
    for _ in range(150):
        text, answer = splits.draw(random)
        parts = json.loads(answer)
        sizes.add(len(parts))
        assert [part["id"] for part in parts] == list(range(1, len(parts) + 1))
        assert all(part["function"] in text and part["function"] in part["task"] for part in parts)
    assert {1, 2, 10} <= sizes


def test_classes_do_what_their_tests_say():
    random = Random(4)
    for _ in range(60):
        drawn = classes.draw(random)
        assert drawn is None or failure(drawn.code, drawn.tests) is None


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(x):\n    return x", None),
        ("def f(x):\n    return x + 1", "f(1) returned 2, expected 1"),
        ("def f(x):\n    return y", "f(1) raised NameError: name 'y' is not defined"),
        ("def f(x)\n    return x", "SyntaxError: expected ':'"),
        ("def f(x):\n    while True:\n        pass", "f(1): timeout"),
        ("f = g", "NameError: name 'g' is not defined"),
    ],
)
def test_failures_are_worded_as_the_product_words_them(code, said):
    assert failure(code, [Call("f(1)", "1")]) == said


@pytest.mark.parametrize(
    ("verb_phrase", "third"),
    [
        ("add up xs", "adds up xs"),
        ("carry it", "carries it"),
        ("play it", "plays it"),
        ("fetch it", "fetches it"),
        ("go", "goes"),
    ],
)
def test_third_person(verb_phrase, third):
    assert request.third_person(verb_phrase) == third


def test_a_request_names_what_is_given():
    random = Random(5)
    for form, text in (("returns", "the sum of xs"), ("checks", "xs is empty"), ("does", "sort xs")):
        for _ in range(200):
            wanted = request.Wanted(Told(form, text), "total", ("xs",), ("ints",), "int")
            assert "total" in request.write(wanted, random)
