"""What networks are, whatever family they come from: descriptions as plain values, and what is counted on them.

Needs no arrays and no jax: a space describes its candidates by it, and evaluators make descriptions trainable
(`evaluators/networks/`).
"""

from isozyme.spaces.networks.counting import Counts, count
from isozyme.spaces.networks.layers import (
    Activation,
    BatchNorm,
    Bits,
    Columns,
    Convolution,
    Dense,
    Embedding,
    Gate,
    Layer,
    Network,
    Pooling,
    Residual,
    Shape,
    input_shape,
    output_shape,
)

__all__ = [
    "Activation",
    "BatchNorm",
    "Bits",
    "Columns",
    "Convolution",
    "Counts",
    "Dense",
    "Embedding",
    "Gate",
    "Layer",
    "Network",
    "Pooling",
    "Residual",
    "Shape",
    "count",
    "input_shape",
    "output_shape",
]
