"""Lowers a program to arrays for an interpreter: instructions over a file of registers.

One register is one row of a [registers, parameters] array. Rows 0 to 4 are w, g, v1, v2, lr; literals sit in rows of
their own, filled once before training; every other value gets a row for as long as it is needed. A new state is
computed straight into its own row where nothing later reads the old one, and copied there otherwise. The last
instruction takes the update from w.
"""

from typing import NamedTuple

import numpy as np

from isozyme.spaces.lion.graph import COMPUTE, Graph
from isozyme.spaces.lion.operations import SCALAR, TREE
from isozyme.spaces.lion.program import INPUTS

COPY = "copy"
OPCODES: dict[str, int] = {name: code for code, name in enumerate([*COMPUTE, COPY])}
W, V1, V2 = 0, 2, 3
# Columns of an instruction.
OPERATION, TARGET, OPERANDS, KIND = 0, 1, slice(2, 6), 6
COLUMNS = 7
SMALLEST_CAPACITY = 64


class Lowered(NamedTuple):
    """What an executable takes. Capacities are powers of two, so that nearly all programs share one executable.

    Attributes:
      code: int32 [capacity, COLUMNS], instructions.
      length: number of instructions in use.
      registers: float64 [capacity], what each register holds before the first step; literals, otherwise 0.
    """

    code: np.ndarray
    length: int
    registers: np.ndarray


def lower(graph: Graph) -> Lowered:
    """Assigns registers and writes the instructions."""
    return _Assembler(graph).assemble()


class _Assembler:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._code: list[tuple[int, ...]] = []
        self._literals: list[float] = [0.0] * len(INPUTS)
        self._row: dict[int, int] = {index: index for index in range(len(INPUTS))}
        self._free: list[int] = []
        self._last_use = self._last_uses()

    def assemble(self) -> Lowered:
        values = self._graph.values
        first = len(INPUTS)
        for index in range(first, len(values)):
            if values[index].operation is None:
                self._row[index] = len(self._literals)
                self._literals.append(values[index].literal)
        self._next_row = len(self._literals)
        for index in range(first, len(values)):
            if values[index].operation is not None:
                self._compute(index)
        self._finish()
        capacity = SMALLEST_CAPACITY
        while capacity < max(len(self._code), self._next_row):
            capacity *= 2
        code = np.zeros((capacity, COLUMNS), np.int32)
        code[: len(self._code)] = self._code
        registers = np.zeros(capacity)
        registers[: len(self._literals)] = self._literals
        return Lowered(code, len(self._code), registers)

    def _outputs(self) -> dict[int, int]:
        """Node returned for each state row; w's own change comes last."""
        states = {V1: self._graph.v1, V2: self._graph.v2}
        return {row: node for row, node in states.items() if node is not None}

    def _last_uses(self) -> dict[int, int]:
        uses = {index: index for index in range(len(self._graph.values))}
        for index, value in enumerate(self._graph.values):
            uses.update(dict.fromkeys(value.inputs, index))
        end = len(self._graph.values)
        uses.update(dict.fromkeys([W, self._graph.update, *self._outputs().values()], end))
        return uses

    def _compute(self, index: int) -> None:
        value = self._graph.values[index]
        kind = max((self._graph.values[i].kind for i in value.inputs), default=SCALAR)
        operands = [self._row[i] for i in value.inputs]
        assert value.operation is not None
        for i in dict.fromkeys(value.inputs):
            self._release(i, index)
        row = self._home(index)
        if row is None:
            row = self._take()
        self._row[index] = row
        self._emit(value.operation, row, operands, kind)

    def _home(self, index: int) -> int | None:
        """The state row that the node may be written to at once: the old state is no longer read."""
        for row, node in self._outputs().items():
            if node == index and self._last_use[row] <= index:
                return row
        return None

    def _release(self, node: int, index: int) -> None:
        temporary = self._graph.values[node].operation is not None and self._row[node] >= len(INPUTS)
        if temporary and self._last_use[node] == index:
            self._free.append(self._row[node])

    def _take(self) -> int:
        if self._free:
            return self._free.pop()
        self._next_row += 1
        return self._next_row - 1

    def _finish(self) -> None:
        """Moves the results home, as if all at once."""
        moves = {row: self._row[node] for row, node in self._outputs().items() if self._row[node] != row}
        update = self._row[self._graph.update]
        # Whatever a move would overwrite before another reads it goes aside first.
        for row in moves:
            if row in {update, *(source for target, source in moves.items() if target != row)}:
                aside = self._take()
                self._emit(COPY, aside, [row], TREE)
                update = aside if update == row else update
                moves = {target: aside if source == row else source for target, source in moves.items()}
        for row, source in moves.items():
            self._emit(COPY, row, [source], TREE)
        self._emit("-", W, [W, update], TREE)

    def _emit(self, operation: str, row: int, operands: list[int], kind: int) -> None:
        padded = operands + [0] * (4 - len(operands))
        self._code.append((OPCODES[operation], row, *padded, kind))
