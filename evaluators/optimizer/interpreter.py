"""Runs lowered programs as data: one executable for the whole space, called with instruction arrays."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from isozyme.evaluators.optimizer.training import FlatNetwork, Update
from isozyme.spaces.lion.lowering import INSTRUCTIONS, KIND, LR, OPERANDS, OPERATION, TARGET, G, Lowered, W, arity
from isozyme.spaces.lion.operations import NODE_SCALARS, SCALAR, TREE, Operation


def interpret(network: FlatNetwork, program: Lowered) -> Update:
    """The candidate as an `Update` whose state is the register file, float32 [registers, parameters]."""
    size = sum(network.sizes)
    branches = _branches(network.sizes)

    def start(weights: jax.Array) -> jax.Array:
        filled = jnp.broadcast_to(jnp.asarray(program.registers, jnp.float32)[:, None], (len(program.registers), size))
        return filled.at[W].set(weights)

    def instruction(index: jax.Array, registers: jax.Array) -> jax.Array:
        columns = program.code[index]
        row = lax.switch(columns[OPERATION], branches, registers, columns[OPERANDS], columns[KIND])
        # Written outside the switch, or every branch would copy the whole file.
        return lax.dynamic_update_slice(registers, row[None], (columns[TARGET], 0))

    def step(registers: jax.Array, g: jax.Array, lr: jax.Array) -> jax.Array:
        registers = registers.at[G].set(g).at[LR].set(lr)
        return lax.fori_loop(0, program.length, instruction, registers)

    return Update(start, lambda registers: registers[W], step)


def _branches(sizes: list[int]) -> list[Any]:
    """One function an opcode: (registers, operand rows, kind) -> row."""
    layout = _MaskedLayout(sizes)

    def row(registers: jax.Array, index: jax.Array) -> jax.Array:
        return lax.dynamic_slice(registers, (index, 0), (1, layout.size))[0]

    def branch(operation: Operation) -> Any:
        def run(registers: jax.Array, operands: jax.Array, kind: jax.Array) -> jax.Array:
            rows = [row(registers, operands[i]) for i in range(arity(operation))]
            result = operation.compute(jnp, layout, kind, *rows)
            return jnp.broadcast_to(jnp.asarray(result, jnp.float32), (layout.size,))

        return run

    return [branch(operation) for operation in INSTRUCTIONS]


class _MaskedLayout:
    """Sums over rows whose kind is known only when the program runs: a mask picks the elements that count."""

    def __init__(self, sizes: list[int]) -> None:
        self.size = sum(sizes)
        starts = np.cumsum([0, *sizes[:-1]])
        self._bounds = list(zip(starts.tolist(), (starts + sizes).tolist(), strict=True))
        everything, first_of_each = np.ones(self.size, bool), np.zeros(self.size, bool)
        first_of_each[starts] = True
        first = np.arange(self.size) == 0
        by_kind = {SCALAR: first, NODE_SCALARS: first_of_each, TREE: everything}
        self._of_tree = jnp.stack([jnp.array(by_kind[kind]) for kind in range(3)])
        by_kind[SCALAR] = first_of_each  # Each tensor sees the one number.
        self._of_tensor = jnp.stack([jnp.array(by_kind[kind]) for kind in range(3)])

    def total(self, x: jax.Array, kind: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(self._of_tree[kind], x, 0.0))

    def per_tensor(self, x: jax.Array, kind: jax.Array) -> jax.Array:
        counted = jnp.where(self._of_tensor[kind], x, 0.0)
        return jnp.concatenate([jnp.broadcast_to(jnp.sum(counted[a:b]), (b - a,)) for a, b in self._bounds])
