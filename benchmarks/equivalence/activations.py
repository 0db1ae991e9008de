"""Lambdas as activation functions of a network whose hidden layer stays random (Huang, Zhu and Siew, 2006)."""

from collections.abc import Mapping

import numpy as np

from isozyme import hashing
from isozyme.benchmarks.equivalence import expressions
from isozyme.benchmarks.equivalence.expressions import ARITY, Tree, part, places, replaced
from isozyme.spaces import InvalidCandidate

LARGEST = 10  # parts of an expression
NUMBERS = (0.0, 0.1, 0.5, 1.0, 2.0)
_UNARY, _BINARY = ([name for name, arity in ARITY.items() if arity == count] for count in (1, 2))
# All cases of the stock inputs end to end: operations are elementwise, so that one call does for all.
_STOCK = np.concatenate([case[0] for case in hashing.hard_inputs([(16,)])])


class Activations:
    """Texts of Python lambdas, as `expressions.write` writes them. A search starts one change from the identity."""

    version = "activations-1"
    references: Mapping[str, str] = {
        "identity": "lambda x: x", "relu": "lambda x: np.maximum(x, 0.0)", "tanh": "lambda x: np.tanh(x)",
    }  # fmt: skip

    def initial(self, rng: np.random.Generator) -> str:
        """A random function of x, or of x and something."""
        return self.mutate(self.references["identity"], rng)

    def random(self, rng: np.random.Generator) -> str:
        """A random expression of up to three levels of operations."""
        while True:
            tree = _tree(rng, 3)
            if expressions.size(tree) <= LARGEST:
                return expressions.write(tree)

    def mutate(self, candidate: str, rng: np.random.Generator) -> str:
        """Another function or number, a new part, one function more, or one part less."""
        tree = expressions.read(candidate)
        spots = places(tree)
        while True:
            place = spots[rng.integers(len(spots))]
            changed = _CHANGES[rng.integers(len(_CHANGES))](part(tree, place), rng)
            child = None if changed is None else replaced(tree, place, changed)
            if child is not None and child != tree and expressions.size(child) <= LARGEST:
                return expressions.write(child)

    def validate(self, candidate: str) -> str | None:
        """The reason why a text is outside the space, or None."""
        try:
            tree = expressions.read(candidate)
        except InvalidCandidate as error:
            return str(error)
        parts = expressions.size(tree)
        return None if parts <= LARGEST else f"{parts} parts, where {LARGEST} is the most"

    def canonical(self, candidate: str) -> bytes:
        """Key of the data flow, found by tracing."""
        key = hashing.static_callable_key(expressions.function(expressions.read(candidate)), 1)
        return candidate.encode() if key is None else key

    def probe(self, candidate: str) -> list[np.ndarray]:
        """Values on the stock inputs, float64 [384]."""

        def run(rng: np.random.Generator) -> list[np.ndarray]:
            del rng
            return [np.broadcast_to(self.lower(candidate)(_STOCK), _STOCK.shape)]

        return hashing.behaviour(run)

    def form(self, candidate: str) -> Mapping[str, float]:
        """No metrics of form."""
        del candidate
        return {}

    def lower(self, candidate: str) -> expressions.Function:
        """The function, made of numpy's."""
        return expressions.function(expressions.read(candidate))

    def to_source(self, candidate: str) -> str:
        """The text itself."""
        return candidate

    def from_source(self, text: str) -> str:
        """Reads a lambda and writes it in the form of this space; runs nothing."""
        candidate = expressions.write(expressions.read(text))
        reason = self.validate(candidate)
        if reason is not None:
            raise InvalidCandidate(reason)
        return candidate

    def export(self, candidate: str) -> Mapping[str, str]:
        """A module that defines `activation`."""
        return {"activation.py": f"import numpy as np\n\nactivation = {candidate}\n"}


def _tree(rng: np.random.Generator, depth: int) -> Tree:
    """A random expression of at most so many levels of operations."""
    kind = rng.integers(4) if depth else 3
    if kind == 0:
        return (_chosen(_UNARY, rng), _tree(rng, depth - 1))
    if kind < 3:
        return (_chosen(_BINARY, rng), _tree(rng, depth - 1), _tree(rng, depth - 1))
    return "x" if rng.random() < 0.7 else _number(rng)


def _chosen(names: list[str], rng: np.random.Generator) -> str:
    return names[rng.integers(len(names))]


def _number(rng: np.random.Generator) -> float:
    return NUMBERS[rng.integers(len(NUMBERS))]


def _other(tree: Tree, rng: np.random.Generator) -> Tree:
    """Another operation or number in place of the outermost one."""
    if isinstance(tree, tuple):
        return (_chosen(_UNARY if len(tree) == 2 else _BINARY, rng), *tree[1:])
    return None if tree == "x" else _number(rng)


def _new(tree: Tree, rng: np.random.Generator) -> Tree:
    """Something else."""
    del tree
    return _tree(rng, 1)


def _wrapped(tree: Tree, rng: np.random.Generator) -> Tree:
    """A function of the tree, or of the tree and something."""
    if rng.random() < 0.5:
        return (_chosen(_UNARY, rng), tree)
    operands = [tree, _tree(rng, 0)]
    first = int(rng.integers(2))
    return (_chosen(_BINARY, rng), operands[first], operands[1 - first])


def _unwrapped(tree: Tree, rng: np.random.Generator) -> Tree:
    """One of the operands alone."""
    return tree[rng.integers(1, len(tree))] if isinstance(tree, tuple) else None


_CHANGES = (_other, _new, _wrapped, _unwrapped)
