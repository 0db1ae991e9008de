"""Writes a candidate as a file that defines the stand-alone network and imports only jax."""

from collections.abc import Sequence

from isozyme.spaces.tabnas.lowering import parameters

_FILE = '''"""A feed-forward network found by Isozyme: {sizes}. It needs jax only.

{parameters} parameters. It was trained with Adam and a cosine decay, on standardised columns and on embeddings of
categorical ones, which are part of the {inputs:,} inputs.
"""

import jax
import jax.numpy as jnp

SIZES = {tuple}  # Inputs, hidden widths, outputs.


def init(key: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
    """Weights [fan-in, fan-out] and biases [fan-out] of each layer: He's initialisation, LeCun's in the last layer."""
    layers = []
    for fan_in, fan_out in zip(SIZES[:-1], SIZES[1:]):
        key, own = jax.random.split(key)
        variance = (1.0 if len(layers) == len(SIZES) - 2 else 2.0) / fan_in
        layers.append((jax.random.normal(own, (fan_in, fan_out)) * jnp.sqrt(variance), jnp.zeros(fan_out)))
    return layers


def apply(params: list[tuple[jax.Array, jax.Array]], x: jax.Array) -> jax.Array:
    """{outputs} from x [rows, {inputs}]."""
    for weight, bias in params[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = params[-1]
    return {result}
'''


def to_jax_file(widths: Sequence[int], inputs: int, outputs: int) -> str:
    """Text of a Python module with `init(key)` and `apply(params, x)`.

    Args:
      widths: of the hidden layers.
      inputs: numbers that the first layer reads.
      outputs: classes, or 1 where a number is predicted.
    """
    sizes = (inputs, *widths, outputs)
    return _FILE.format(
        sizes="-".join(map(str, sizes)),
        parameters=f"{parameters(widths, inputs, outputs):,}",
        tuple=sizes,
        inputs=inputs,
        outputs=f"Logits [rows, {outputs}]" if outputs > 1 else "Predictions [rows]",
        result="x @ weight + bias" if outputs > 1 else "(x @ weight + bias)[:, 0]",
    )
