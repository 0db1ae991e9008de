"""The space of optimizer programs (Lion, arXiv 2302.06675)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyglove as pg

from isozyme.spaces.lion import (
    example,
    export,
    graph,
    lowering,
    mutation,
    probe,
    reductions,
    simplification,
    source,
    tuning,
)
from isozyme.spaces.lion.named import NAMED
from isozyme.spaces.lion.operations import OPERATIONS
from isozyme.spaces.lion.program import Program, check, live_statements
from isozyme.spaces.protocol import InvalidCandidate

_BYTES_PER_WEIGHT = 4  # float32


@pg.members(
    [
        ("start", pg.typing.Str("adamw"), "Where a search starts: one of NAMED, or a program's source text."),
        ("max_statements", pg.typing.Int(60, min_value=1), "At this length mutation stops inserting."),
        (
            "mutates",
            pg.typing.Enum("programs", ["programs", "constants"]),
            "Everything, or the start's constants alone: the paper's baseline.",
        ),
    ],
    serialization_key="isozyme.OptimizerPrograms",
)
class OptimizerPrograms(pg.Object):
    """Straight-line programs `train(w, g, v1, v2, lr) -> update, v1, v2` over 45 functions.

    A candidate is a `Program`, a tuple of statements. Statements without effect stay in it, as stepping stones for
    later mutations, and are left out of its keys and its execution.
    """

    start: str
    max_statements: int
    mutates: str

    version = "lion-4"

    def _on_bound(self) -> None:
        super()._on_bound()
        self._longest = self.max_statements  # Reading a symbolic field takes longer than half a mutation.
        self._start = NAMED[self.start] if self.start in NAMED else self._read_start()
        self._tunes = self.mutates == "constants"
        if self._tunes and not mutation.constants(self._start):
            raise ValueError("mutates is 'constants', of which start has none; take another start, or 'programs'")
        self._operators = mutation.constant_operators() if self._tunes else mutation.operators(self._longest)

    def _read_start(self) -> Program:
        try:
            return source.from_source(self.start)
        except InvalidCandidate as error:
            raise ValueError(f"start is neither one of {', '.join(NAMED)} nor a program: {error}") from None

    @property
    def references(self) -> Mapping[str, Program]:
        """The start where it has no name, and AdamW and Lion as published."""
        start = {} if self.start in ("adamw", "lion") else {"start": self._start}
        return {**start, "adamw": NAMED["adamw"], "lion": NAMED["lion"]}

    @property
    def baselines(self) -> Mapping[str, Program]:
        """AdamW over a grid of learning rates and weight decays."""
        return tuning.BASELINES

    def tunings(self, candidate: Program) -> Mapping[str, Program]:
        """The program at a tenth to ten times its rate."""
        return tuning.tunings(candidate)

    def initial(self, rng: np.random.Generator) -> Program:
        """The start, for every member of the first population."""
        del rng
        return self._start

    def random(self, rng: np.random.Generator) -> Program:
        """A random valid program of up to 20 statements, or the start with random constants."""
        if self._tunes:
            return mutation.random_constants(self._start, rng)
        return mutation.random(rng, self._longest)

    @property
    def operators(self) -> Mapping[str, mutation.Operator]:
        """Insert, delete and modify, or scale, each of which returns None where it does not apply."""
        return self._operators

    def mutate(self, candidate: Program, rng: np.random.Generator) -> Program:
        """A valid child: one statement inserted, deleted or modified, or one constant scaled."""
        return mutation.mutate(candidate, rng, self._operators)

    def validate(self, candidate: Program) -> str | None:
        """The reason why a program is outside the space, or None."""
        unknown = [s.operation for s in candidate.statements if s.operation not in OPERATIONS]
        if unknown:
            return f"{unknown[0]} is not a function of the space"
        try:
            check(candidate)
        except InvalidCandidate as error:
            return str(error)
        return None

    def canonical(self, candidate: Program) -> bytes:
        """Digest of the live data flow; blind to names, order, commuted operands and dead state."""
        return graph.canonical(candidate)

    def probe(self, candidate: Program) -> Sequence[np.ndarray]:
        """Updates over 24 steps on 64 weights, float64 [24, 64]; twice where the first ones are not all finite."""
        return probe.updates(graph.build(candidate))

    def form(self, candidate: Program) -> Mapping[str, float]:
        """Statements, live statements, and bytes of optimizer state for one float32 weight."""
        live, states = live_statements(candidate)
        return {
            "length": float(len(candidate.statements)),
            "live_length": float(len(live)),
            "state_bytes": float(_BYTES_PER_WEIGHT * sum(states)),
        }

    def lower(self, candidate: Program) -> lowering.Lowered:
        """Instructions and registers for the interpreter."""
        return lowering.lower(graph.build(candidate))

    def to_source(self, candidate: Program) -> str:
        """The program as a Python function."""
        return source.to_source(candidate)

    def from_source(self, text: str) -> Program:
        """Reads a program; raises `InvalidCandidate` with the line and the reason."""
        return source.from_source(text)

    def simplifications(self, candidate: Program) -> Sequence[tuple[str, Program]]:
        """Successive programs of equal behaviour, each cheaper than the one before, and what was done."""
        return [(step.description, step.program) for step in simplification.steps(candidate)]

    def reductions(self, candidate: Program) -> Sequence[tuple[str, Program]]:
        """Simpler programs of another behaviour that may do as well, those that save most first."""
        return reductions.reductions(candidate)

    def export(self, candidate: Program) -> Mapping[str, str | bytes]:
        """Writes `optimizer.py`, which defines `optimizer(learning_rate) -> optax.GradientTransformation`, and
        `example.npz`, gradients and the updates that the program makes of them."""
        text = export.to_optax_file(candidate)
        return {"optimizer.py": text, "example.npz": example.example_file(graph.build(candidate))}
