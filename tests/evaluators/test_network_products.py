"""Products of corners: right for any use, whatever the shapes; one executable."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from isozyme.evaluators.networks.products import product


def masked(x, weight, rows, columns):
    """The same by masks alone."""
    x = jnp.where(jnp.arange(x.shape[1]) < rows, x, 0.0)
    return jnp.where(jnp.arange(weight.shape[1]) < columns, x @ weight, 0.0)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(1, 1), (64, 65), (129, 40), (200, 300)])
def test_product_and_gradients_equal_the_masked_ones(fan_in, fan_out):
    """For uses at, below and above every size; nothing is compiled again."""
    rng = np.random.default_rng(0)
    x, weight, pull = (rng.normal(size=s).astype(np.float32) for s in ((5, fan_in), (fan_in, fan_out), (5, fan_out)))

    def cut(x, weight, rows, columns):
        x = jnp.where(jnp.arange(fan_in) < rows, x, 0.0)
        return jnp.where(jnp.arange(fan_out) < columns, product(x, weight, rows, columns), 0.0)

    def both(function):
        @jax.jit
        def run(rows, columns):
            value, back = jax.vjp(lambda x, w: function(x, w, rows, columns), x, weight)
            return value, *back(jnp.asarray(pull))

        return run

    ours, theirs = both(cut), both(masked)
    for rows in (1, fan_in // 2, fan_in // 2 + 1, fan_in):
        for columns in (1, fan_out // 2, fan_out // 2 + 1, fan_out):
            for mine, expected in zip(ours(rows, columns), theirs(rows, columns), strict=True):
                np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-5)
    assert ours._cache_size() == 1  # pyright: ignore[reportAttributeAccessIssue]


def test_what_is_fixed_has_no_branches():
    """None stands for all rows or columns: the plain product."""
    x, weight = jnp.ones((2, 300)), jnp.ones((300, 200))
    np.testing.assert_array_equal(product(x, weight, None, None), x @ weight)
    np.testing.assert_array_equal(product(x, weight, jnp.int32(300), None), x @ weight)


@pytest.mark.parametrize(("size", "corners"), [(512, [64, 128, 256, 512]), (300, [38, 75, 150, 300]), (64, [64])])
def test_corners_are_halves_down_to_64(size, corners):
    """What jax would compute: one of these products; the whole is always among them, and alone where all is in use."""
    x, weight = jnp.ones((2, 9)), jnp.ones((9, size))

    def products(columns):
        """Columns of each product in what is traced."""
        text = str(jax.make_jaxpr(lambda n: product(x, weight, None, n if columns else None))(3))
        return [int(n) for n in re.findall(r"f32\[2,(\d+)\] = dot_general", text)]

    assert products(columns=True) == corners
    assert products(columns=False) == [size]
