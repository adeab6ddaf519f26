"""Tasks composed from primitives: code text, a reference that computes the same another way, and English for both."""

from tinymodel.corpus.composed.family import Family
from tinymodel.corpus.composed.lists import Lists
from tinymodel.corpus.composed.mappings import Mappings
from tinymodel.corpus.composed.matrices import Matrices
from tinymodel.corpus.composed.pairs import Pairs
from tinymodel.corpus.composed.pipeline import Pipeline
from tinymodel.corpus.composed.positions import Positions
from tinymodel.corpus.composed.quantifiers import Quantifiers
from tinymodel.corpus.composed.recurrences import Recurrences
from tinymodel.corpus.composed.scalars import Scalars
from tinymodel.corpus.composed.texts import Texts

FAMILIES: list[Family] = [
    Pipeline(), Quantifiers(), Positions(), Scalars(), Pairs(), Texts(), Lists(), Matrices(), Mappings(), Recurrences(),
]  # fmt: skip
