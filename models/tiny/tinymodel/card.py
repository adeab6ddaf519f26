"""The tables of the model card, written from the results, so that no number in it is typed by hand."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

BEGIN, END = "<!-- results: written by `make card` -->", "<!-- end of results -->"


def share(found: dict) -> str:
    """A count of a total, with the percentage."""
    return f"{found['right']} of {found['n']} ({found['right'] / found['n']:.0%})"


def rows(results: dict) -> list[tuple[str, str]]:
    """What is said about one model."""
    found: list[tuple[str, str]] = []
    for name, what in (
        ("yardstick", "hand-written requests as they are"),
        ("yardstick_prefilled", "hand-written requests, signature begun as the agent does"),
    ):
        if name in results:
            one = results[name]
            found.append((f"{what}: greedy", share(one)))
            found.append((f"{what}: pass@8 at T = 0.8", f"{one['pass@8']:.1%}"))
    for name, what in (
        ("held_greedy", "compositions never trained on: greedy"),
        ("allowed_greedy", "other generated requests: greedy"),
        ("second_turn", "compositions never trained on, as the second turn"),
        ("generated_faults", "repair of generated faults"),
    ):
        if name in results:
            found.append((what, share(results[name])))
    for name in ("held_sampled", "held_all_sampled"):
        if name in results:
            one = results[name]
            found.append(
                (
                    f"compositions never trained on ({one['n']}), T = 0.8: pass@1 / 4 / 32",
                    " / ".join(f"{one[f'pass@{k}']:.1%}" for k in (1, 4, 32)),
                )
            )
    if "own_failures" in results:
        one = results["own_failures"]
        found.append(
            (
                "its own failures at T = 0.8, per attempt: repair / fresh sample",
                f"{one['repair']:.1%} / {one['fresh']:.1%} ({one['failures']} of {one['tasks']} failed)",
            )
        )
        if "repair_of_new" in one:
            found.append(
                (
                    "the same among answers that do not repeat the failed code: repair / fresh sample",
                    f"{one['repair_of_new']:.1%} / {one['fresh_of_new']:.1%}",
                )
            )
    for name, what in (("split", "as they come"), ("split_constrained", "in the product's form")):
        if name in results:
            one = results[name]
            found.append(
                (
                    f"decompositions ({one['n']}), {what}: valid JSON / all names / all descriptions",
                    f"{one['valid']} / {one['names']} / {one.get('described', one['exact'])}",
                )
            )
    return found


def table(folder: Path) -> str:
    """All models of the folder side by side."""
    models = {path.stem: dict(rows(json.loads(path.read_text()))) for path in sorted(folder.glob("edgecoder-*.json"))}
    names = list(dict.fromkeys(name for found in models.values() for name in found))
    lines = ["| measure | " + " | ".join(models) + " |", "|---" * (len(models) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(found.get(name, "") for found in models.values()) + " |" for name in names]
    fidelity = folder / "fidelity.json"
    if fidelity.exists():
        one = json.loads(fidelity.read_text())
        exact, packed = one["f32"], one["q8_0"]
        lines += [
            "",
            f"File: {one['bytes']:,} bytes, {one['parameters']:,} parameters. llama.cpp against the trainer, largest difference of any "
            f"logit: {exact['largest_difference']:.5f} (f32), {packed['largest_difference']:.2f} (q8_0, same next token at "
            f"{packed['same_next_token']:,} of {packed['positions']:,} positions). Of {one['strings']:,} strings, "
            f"{one['strings_cut_differently']} are cut into different tokens.",
        ]
    return "\n".join(lines)


def main() -> None:
    """`python -m tinymodel.card --results eval/results --card README.md`"""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--results", type=Path, required=True)
    ask.add_argument("--card", type=Path, required=True)
    given = ask.parse_args()
    before, _, rest = given.card.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    given.card.write_text(f"{before}{BEGIN}\n{table(given.results)}\n{END}{after}")


if __name__ == "__main__":
    main()
