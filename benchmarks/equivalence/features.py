"""Computation graphs that make new columns of a table: Cartesian genetic programming (Miller and Thomson, 2000).

Most genes are not expressed at any time, so that mutations drift, and functions repeat, as they do in any search of
this kind.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from isozyme import hashing
from isozyme.benchmarks.equivalence import ridge
from isozyme.spaces import InvalidCandidate

COLUMNS = 10  # of the table
GENES = 24
MADE = 3  # columns
CONSTANT = "constant"
ARITY = {
    "absolute": 1, "add": 2, "divide": 2, "maximum": 2, "minimum": 2, "multiply": 2, "sign": 1, "square": 1,
    "subtract": 2, "tanh": 1, CONSTANT: 0,
}  # fmt: skip
"""Functions of numpy, and the number that a gene carries."""

_ROWS = 128
_OPERATIONS = {name: getattr(np, name) for name in ARITY if name != CONSTANT}
_COMMUTATIVE = {"add", "maximum", "minimum", "multiply"}
_NAMES = tuple(ARITY)
_LINE = re.compile(r"v(\d+) = (\w+)\((.*)\)")
# A table like those that evaluators have, whose columns are scaled to unit variance: the Gaussian case of the stock
# inputs; its last column is what the model is to predict.
*_COLUMNS, _TARGETS = hashing.hard_inputs([(_ROWS,)] * (COLUMNS + 1), 1)[0]


class Gene(NamedTuple):
    """One value: `operation` of earlier values, or the number `constant`."""

    operation: str
    inputs: tuple[int, ...] = ()
    constant: float = 0.0


class Features(NamedTuple):
    """Values 0 to 9 are the columns of the table, gene i computes value 10 + i; `outputs` are the columns made."""

    genes: tuple[Gene, ...]
    outputs: tuple[int, ...]


def make(candidate: Features, columns: Sequence[np.ndarray]) -> np.ndarray:
    """The columns made, float64 [rows, MADE], of the columns of a table."""
    with np.errstate(all="ignore"):
        made = hashing.evaluate(_nodes(candidate), candidate.outputs, _OPERATIONS, columns)
    return np.stack([np.broadcast_to(column, columns[0].shape) for column in made], axis=-1)


class FeatureGraphs:
    """The space. A mutation changes an operation, rewires an input or an output, or changes a constant."""

    version = "features-1"
    references: Mapping[str, Features] = {}

    def initial(self, rng: np.random.Generator) -> Features:
        """Any candidate."""
        return self.random(rng)

    def random(self, rng: np.random.Generator) -> Features:
        """Uniform operations, wires and outputs."""
        genes = [Gene(_NAMES[0])] * GENES
        for place in range(GENES):
            genes[place] = _redrawn(Gene(_NAMES[rng.integers(len(_NAMES))]), place, rng)
        return Features(tuple(genes), tuple(rng.integers(COLUMNS + GENES, size=MADE).tolist()))

    def mutate(self, candidate: Features, rng: np.random.Generator) -> Features:
        """One change of one gene or of one output."""
        genes, outputs = list(candidate.genes), list(candidate.outputs)
        place = int(rng.integers(GENES + MADE))
        if place >= GENES:
            outputs[place - GENES] = int(rng.integers(COLUMNS + GENES))
            return Features(candidate.genes, tuple(outputs))
        gene = genes[place]
        if rng.random() < 0.5:
            genes[place] = _redrawn(gene._replace(operation=_NAMES[rng.integers(len(_NAMES))]), place, rng)
        elif gene.inputs:
            inputs = list(gene.inputs)
            inputs[rng.integers(len(inputs))] = int(rng.integers(COLUMNS + place))
            genes[place] = gene._replace(inputs=tuple(inputs))
        else:
            genes[place] = gene._replace(constant=_number(rng))
        return Features(tuple(genes), candidate.outputs)

    def validate(self, candidate: Features) -> str | None:
        """The reason why a candidate is outside the space, or None."""
        genes, outputs = candidate
        if len(genes) != GENES or len(outputs) != MADE:
            return f"{len(genes)} genes and {len(outputs)} outputs: there must be {GENES} and {MADE}"
        for value, (operation, inputs, constant) in enumerate(genes, COLUMNS):
            if ARITY.get(operation) != len(inputs):
                return f"v{value}: {operation} does not take {len(inputs)} values"
            if not all(0 <= i < value for i in inputs):
                return f"v{value}: inputs come before what is made of them"
            if not math.isfinite(constant):
                return f"v{value}: {constant} is not finite"
        if not all(0 <= i < COLUMNS + GENES for i in outputs):
            return "an output that nothing computes"
        return None

    def canonical(self, candidate: Features) -> bytes:
        """Digest of the expressed graph, with commutative operands in any order."""
        return hashing.graph_digest(_nodes(candidate), candidate.outputs)

    def probe(self, candidate: Features) -> list[np.ndarray]:
        """Predictions of a model of a table of stock inputs, float64 [128]; the columns made if they are not finite.

        So candidates are told apart by what evaluators see of them: factors, offsets and the order of columns, which
        change nothing for the model, do not matter.
        """
        made = make(candidate, _COLUMNS)
        if not np.isfinite(made).all():
            return [made]
        inputs = np.column_stack([*_COLUMNS, made])
        with np.errstate(all="ignore"):
            return [ridge.predict(inputs, _TARGETS, inputs)]

    def form(self, candidate: Features) -> Mapping[str, float]:
        """No metrics of form."""
        del candidate
        return {}

    def lower(self, candidate: Features) -> Features:
        """The candidate, which `make` takes."""
        return candidate

    def to_source(self, candidate: Features) -> str:
        """One line a gene, and the outputs."""
        lines = []
        for value, (operation, inputs, constant) in enumerate(candidate.genes, COLUMNS):
            arguments = repr(constant) if operation == CONSTANT else ", ".join([f"v{i}" for i in inputs])
            lines.append(f"v{value} = {operation}({arguments})")
        return "\n".join([*lines, f"return {', '.join([f'v{i}' for i in candidate.outputs])}"])

    def from_source(self, text: str) -> Features:
        """Reads what `to_source` writes."""
        *lines, last = text.strip().split("\n")
        try:
            genes = tuple([_gene(line, value) for value, line in enumerate(lines, COLUMNS)])
            candidate = Features(genes, _values(last.removeprefix("return ")))
        except ValueError as error:
            raise InvalidCandidate(str(error)) from None
        reason = self.validate(candidate)
        if reason is not None:
            raise InvalidCandidate(reason)
        return candidate

    def export(self, candidate: Features) -> Mapping[str, str]:
        """The text."""
        return {"features.txt": self.to_source(candidate)}


def _nodes(candidate: Features) -> list[hashing.Node]:
    nodes = [hashing.input_node(i) for i in range(COLUMNS)]
    for operation, inputs, constant in candidate.genes:
        if operation == CONSTANT:
            nodes.append(hashing.constant_node(constant))
        else:
            nodes.append(hashing.Node(operation, inputs, operation in _COMMUTATIVE))
    return nodes


def _redrawn(gene: Gene, place: int, rng: np.random.Generator) -> Gene:
    """The gene with as many inputs as its operation takes: those that it has, and random ones."""
    arity = ARITY[gene.operation]
    more = rng.integers(COLUMNS + place, size=max(0, arity - len(gene.inputs))).tolist()
    constant = _number(rng) if gene.operation == CONSTANT else 0.0
    return Gene(gene.operation, (*gene.inputs[:arity], *more), constant)


def _number(rng: np.random.Generator) -> float:
    return round(float(rng.normal()), 1) + 0.0  # No -0.0.


def _gene(line: str, value: int) -> Gene:
    match: Any = _LINE.fullmatch(line)
    if match is None or int(match[1]) != value:
        raise ValueError(f"{line!r} is not v{value} = operation(...)")
    if match[2] == CONSTANT:
        return Gene(CONSTANT, (), float(match[3]))
    return Gene(match[2], _values(match[3]))


def _values(text: str) -> tuple[int, ...]:
    names = text.split(", ")
    if not all(re.fullmatch(r"v\d+", name) for name in names):
        raise ValueError(f"{text!r} is not a list of values such as v0, v12")
    return tuple([int(name[1:]) for name in names])
