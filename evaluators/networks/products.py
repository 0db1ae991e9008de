"""A matrix product of which only a corner is needed, of a size that is known when it runs.

Both matrices have fixed shapes. What is computed is the smallest of a few corners that holds all that is used: sizes
are halved down to 64, and `lax.switch` takes one of the products. So a narrow network in a wide one costs a small
multiple of what it would cost alone, from one executable. Batched by `jax.vmap`, all of them would be computed, for
every element: use `jax.lax.map` over candidates.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

_SMALLEST = 64  # A product of this size costs about as much as starting it.


@jax.custom_vjp
def product(x: jax.Array, weight: jax.Array, rows: Any, columns: Any) -> jax.Array:
    """Computes x @ weight, right in its first `columns` columns; the others are right or zero.

    Its gradients are those of the product where x is zero beyond its first `rows` columns and what is passed back
    is zero beyond `columns`, as both are in a masked network. (Differentiated by itself, `lax.switch` would keep every
    branch's operands, which takes a third longer.)

    Args:
      x: [batch, fan-in], zero beyond its first `rows` columns.
      weight: [fan-in, fan-out].
      rows: how many inputs are in use, an int32 scalar; None for all of them.
      columns: how many outputs are wanted, an int32 scalar; None for all of them.
    """

    def corner(m: int, n: int) -> jax.Array:
        return _pad(x[:, :m] @ weight[:m, :n], (len(x), weight.shape[1]))

    return _switch(weight, rows, columns, corner)


def _forward(x: jax.Array, weight: jax.Array, rows: Any, columns: Any) -> tuple[jax.Array, tuple]:
    return product(x, weight, rows, columns), (x, weight, rows, columns)


def _backward(saved: tuple, gradient: jax.Array) -> tuple:
    x, weight, rows, columns = saved

    def corner(m: int, n: int) -> tuple[jax.Array, jax.Array]:
        return (
            _pad(gradient[:, :n] @ weight[:m, :n].T, x.shape),
            _pad(x[:, :m].T @ gradient[:, :n], weight.shape),
        )

    return *_switch(weight, rows, columns, corner), None, None


product.defvjp(_forward, _backward)


def _switch(weight: jax.Array, rows: Any, columns: Any, corner: Callable[[int, int], Any]) -> Any:
    """`corner(m, n)` for the smallest m and n that hold all rows and columns in use."""
    m, n = (_sizes(size, used) for size, used in zip(weight.shape, (rows, columns), strict=True))
    index = _place(m, rows) * len(n) + _place(n, columns)
    return lax.switch(index, [partial(corner, i, j) for i in m for j in n])


def _sizes(size: int, used: Any) -> list[int]:
    """Sizes to choose from, in ascending order."""
    sizes = [size]
    while used is not None and sizes[0] > _SMALLEST:
        sizes.insert(0, -(-sizes[0] // 2))
    return sizes


def _place(sizes: list[int], used: Any) -> Any:
    return 0 if used is None else jnp.searchsorted(jnp.array(sizes, jnp.int32), used)


def _pad(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.pad(x, [(0, whole - part) for part, whole in zip(x.shape, shape, strict=True)])
