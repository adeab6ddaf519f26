"""Rows, columns, the diagonal or all numbers of a matrix, reduced."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tinymodel.corpus.composed import values
from tinymodel.corpus.composed.family import UNDEFINED, Choice, Family, Told, circumscribed
from tinymodel.corpus.composed.pipeline import REDUCING, reductions
from tinymodel.corpus.composed.primitives import function, one_of

ROWS: dict[str, tuple[str, Callable, str, str]] = {
    "sum": ("sum(row)", sum, "row sums", "sum each row"),
    "max": ("max(row)", max, "row maximums", "take the maximum of each row"),
    "min": ("min(row)", min, "row minimums", "take the minimum of each row"),
    "first": ("row[0]", lambda row: row[0], "first elements of each row", "take the first element of each row"),
    "last": ("row[-1]", lambda row: row[-1], "last elements of each row", "take the last element of each row"),
    "len": ("len(row)", len, "row lengths", "take the length of each row"),
}
NO_REDUCTIONS = ("first", "last", "running", "firstk", "lastk")


class Matrices(Family):
    """Lists of lists."""

    name, weight = "mat", 4

    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        pool = [one for one in reductions("int") if not one.plain_only and one.code and one.key not in NO_REDUCTIONS]
        shape = like["shape"] if like else random.choice(["row", "row", "col", "flat", "diag"])
        filter_ = one_of("number_filters", random)
        return {
            "shape": shape,
            "row": random.choice(list(ROWS)),
            "reduction": random.choice(pool).chosen(random),
            "filter": filter_,
        }

    def key(self, choice: Choice) -> tuple:
        shape = choice["shape"]
        part = choice["row"] if shape in ("row", "col") else choice["filter"].key if shape == "flat" else ""
        return ("mat", shape, part, choice["reduction"].key)

    def types(self, choice: Choice) -> list[str]:
        return ["matrix"]

    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        matrix = arguments[0] if arguments else circumscribed(random, "matrix")
        phrase, filter_ = ROWS[choice["row"]][2], choice["filter"]
        told = {
            "row": f"the {phrase} of {matrix}",
            "col": f"the {phrase.replace('row', 'column')} of {matrix}",
            "diag": random.choice([f"the diagonal elements of {matrix}", f"the main diagonal of {matrix}"]),
            "flat": f"the numbers in all rows of {matrix} {filter_.say(filter_.primitive.after, random)}",
        }[choice["shape"]]
        reduction = choice["reduction"]
        return Told("returns", reduction.say(reduction.primitive.of, random, n=told, plain=told))

    def plan(self, choice: Choice, arguments: list[str]) -> list[str]:
        matrix, step = arguments[0], ROWS[choice["row"]][3]
        last = choice["reduction"].fill(choice["reduction"].primitive.does[0])
        condition = choice["filter"].fill(choice["filter"].primitive.after[0])
        first = {
            "row": [f"Go through the rows of {matrix}.", f"{step[:1].upper()}{step[1:]}."],
            "col": [f"Transpose {matrix} with zip.", f"{step[:1].upper()}{step[1:]}.".replace("row", "column")],
            "diag": [f"Take the diagonal of {matrix}."],
            "flat": [f"Go through all rows of {matrix}.", f"Keep the numbers {condition}."],
        }[choice["shape"]]
        return [*first, f"{last[:1].upper()}{last[1:]}."]

    def usual_name(self, choice: Choice) -> str:
        row = choice["row"]
        part = {"row": f"row_{row}", "col": f"col_{row}", "diag": "diagonal", "flat": choice["filter"].part_of_name()}
        return f"{choice['reduction'].part_of_name()}_{part[choice['shape']]}"

    def code(self, choice: Choice, name: str, arguments: list[str]) -> str:
        matrix, per_row = arguments[0], ROWS[choice["row"]][0]
        each = {
            "row": f"{per_row} for row in {matrix}",
            "col": f"{per_row.replace('row', 'col')} for col in zip(*{matrix})",
            "diag": f"{matrix}[i][i] for i in range(len({matrix}))",
            "flat": f"x for row in {matrix} for x in row if {choice['filter'].holds('x')}",
        }[choice["shape"]]
        expression = choice["reduction"].fill(choice["reduction"].primitive.code, it=each, li=f"[{each}]")
        return function(name, arguments, expression if expression.startswith("vals") else f"return {expression}")

    def reference(self, choice: Choice) -> Callable[..., object]:
        def computed(matrix: list[list[int]]) -> object:
            columns = [[row[at] for row in matrix] for at in range(len(matrix[0]))]
            of_row = ROWS[choice["row"]][1]
            found = {
                "row": lambda: [of_row(row) for row in matrix],
                "col": lambda: [of_row(column) for column in columns],
                "diag": lambda: [matrix[at][at] for at in range(len(matrix))],
                "flat": lambda: [x for row in matrix for x in row if choice["filter"](x)],
            }[choice["shape"]]()
            reduction = choice["reduction"]
            if reduction.primitive.needs_one and not found:
                return UNDEFINED
            return REDUCING[reduction.key](found, *reduction.values)

        return computed

    def inputs(self, choice: Choice, random: Random) -> tuple:
        rows = random.randint(2, 3)
        columns = rows if choice["shape"] == "diag" else random.randint(2, 3)
        return ([values.integers(random, columns) for _ in range(rows)],)
