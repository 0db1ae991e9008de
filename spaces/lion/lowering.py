"""Lowers a program to arrays for an interpreter: instructions over a file of registers.

One register is one row of a [registers, parameters] array. Rows 0 to 4 are w, g, v1, v2, lr; literals sit in rows of
their own, filled once before training; every other value gets a row for as long as it is needed. A new state is
computed straight into its own row where nothing later reads the old one, and copied there otherwise. The last
instruction takes the update from w.
"""

from typing import NamedTuple

import numpy as np

from isozyme.spaces.lion import operations
from isozyme.spaces.lion.graph import COMPUTE, Graph
from isozyme.spaces.lion.operations import COPY, DIVIDE_BY_ROOT, MULTIPLY_ADD, SUBTRACT_PRODUCT, Operation
from isozyme.spaces.lion.program import INPUTS

# What an interpreter has to run; an instruction's code is its place. `interpolate` takes its complement as well.
INSTRUCTIONS: tuple[Operation, ...] = (*COMPUTE.values(), MULTIPLY_ADD, SUBTRACT_PRODUCT, DIVIDE_BY_ROOT, COPY)
OPCODES: dict[str, int] = {operation.name: code for code, operation in enumerate(INSTRUCTIONS)}
W, G, V1, V2, LR = range(len(INPUTS))
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


def arity(operation: Operation) -> int:
    """Number of operands of an instruction."""
    return 4 if operation.name == "interpolate" else operation.arity


def lower(graph: Graph) -> Lowered:
    """Selects instructions, assigns registers, writes the arrays."""
    return _Assembler(graph).assemble()


class _Instruction(NamedTuple):
    """Computes `node` from the nodes `inputs`."""

    node: int
    operation: str
    inputs: tuple[int, ...]


def _select(graph: Graph) -> list[_Instruction]:
    """Instructions in order, pairs fused; the last one takes the update from w."""
    uses = [0] * len(graph.values)
    for value in graph.values:
        for i in value.inputs:
            uses[i] += 1
    for output in (graph.update, graph.v1, graph.v2):
        if output is not None:
            uses[output] += 1
    last = _Instruction(W, "-", (W, graph.update))
    selected = {
        index: _Instruction(index, value.operation, value.inputs)
        for index, value in enumerate(graph.values)
        if value.operation is not None
    }
    for instruction in [*selected.values(), last]:
        for i, operand in enumerate(instruction.inputs):
            inner = selected.get(operand)
            fused = inner and uses[operand] == 1 and _fuse(instruction, i, inner)
            if fused:
                del selected[operand]
                if instruction is last:
                    last = fused
                else:
                    selected[instruction.node] = fused
                break
    return [*selected.values(), last]


def _fuse(outer: _Instruction, place: int, inner: _Instruction) -> _Instruction | None:
    """One instruction for `outer` with `inner` as its operand number `place`, if there is one."""
    others = outer.inputs[:place] + outer.inputs[place + 1 :]
    match outer.operation, place, inner.operation:
        case "+", _, "*":
            return _Instruction(outer.node, MULTIPLY_ADD.name, inner.inputs + others)
        case "-", 1, "*":
            return _Instruction(outer.node, SUBTRACT_PRODUCT.name, inner.inputs + others)
        case "/", 1, "sqrt":
            return _Instruction(outer.node, DIVIDE_BY_ROOT.name, others + inner.inputs)
    return None


class _Assembler:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        *self._body, self._last = _select(graph)
        self._code: list[tuple[int, ...]] = []
        self._row: dict[int, int] = {index: index for index in range(len(INPUTS))}
        self._free: list[int] = []
        self._outputs = {row: node for row, node in ((V1, graph.v1), (V2, graph.v2)) if node is not None}
        self._last_use = self._last_uses()

    def assemble(self) -> Lowered:
        literals = self._graph.literals()
        self._row.update({node: len(INPUTS) + i for i, node in enumerate(literals)})
        self._next_row = len(INPUTS) + len(literals)
        for position, instruction in enumerate(self._body):
            self._compute(position, instruction)
        self._finish()
        capacity = SMALLEST_CAPACITY
        while capacity < max(len(self._code), self._next_row):
            capacity *= 2
        code = np.zeros((capacity, COLUMNS), np.int32)
        code[: len(self._code)] = self._code
        registers = np.zeros(capacity)
        registers[len(INPUTS) : len(INPUTS) + len(literals)] = list(literals.values())
        return Lowered(code, len(self._code), registers)

    def _last_uses(self) -> dict[int, int]:
        """Position of the last instruction that reads a node; what is returned or read at the end lives on."""
        uses: dict[int, int] = {}
        for position, instruction in enumerate(self._body):
            uses.update(dict.fromkeys(instruction.inputs, position))
        uses.update(dict.fromkeys([*self._last.inputs, *self._outputs.values()], len(self._body)))
        return uses

    def _compute(self, position: int, instruction: _Instruction) -> None:
        operands = [self._row[i] for i in instruction.inputs]
        for i in dict.fromkeys(instruction.inputs):
            if self._last_use[i] == position and self._is_temporary(i):
                self._free.append(self._row[i])
        row = self._home(position, instruction.node)
        if row is None:
            row = self._take()
        self._row[instruction.node] = row
        self._emit(instruction.operation, row, operands, self._kind(instruction))

    def _is_temporary(self, node: int) -> bool:
        return self._graph.values[node].operation is not None and self._row[node] >= len(INPUTS)

    def _kind(self, instruction: _Instruction) -> int:
        return max((self._graph.values[i].kind for i in instruction.inputs), default=operations.SCALAR)

    def _home(self, position: int, node: int) -> int | None:
        """The state row that the node may be written to at once: nothing later reads the old state."""
        for row, returned in self._outputs.items():
            if returned == node and self._last_use.get(row, -1) <= position:
                return row
        return None

    def _take(self) -> int:
        if self._free:
            return self._free.pop()
        self._next_row += 1
        return self._next_row - 1

    def _finish(self) -> None:
        """Moves the results home, as if all at once, and takes the update from w."""
        moves = {row: self._row[node] for row, node in self._outputs.items() if self._row[node] != row}
        operands = [self._row[i] for i in self._last.inputs]
        # Whatever a move would overwrite before another reads it goes aside first.
        for row in list(moves):
            if row in {*operands, *(source for target, source in moves.items() if target != row)}:
                aside = self._take()
                self._emit(COPY.name, aside, [row], operations.TREE)
                operands = [aside if operand == row else operand for operand in operands]
                moves = {target: aside if source == row else source for target, source in moves.items()}
        for row, source in moves.items():
            self._emit(COPY.name, row, [source], operations.TREE)
        self._emit(self._last.operation, W, operands, operations.TREE)

    def _emit(self, operation: str, row: int, operands: list[int], kind: int) -> None:
        padded = operands + [0] * (4 - len(operands))
        self._code.append((OPCODES[operation], row, *padded, kind))
