"""How large a network is and what it computes, by shape arithmetic on its description alone.

>>> from isozyme.spaces.networks import Activation, Dense, Network
>>> count(Network((1027,), (Dense(32), Activation(), Dense(144), Activation(), Dense(24), Activation(), Dense(1))))
Counts(params=41153, all_variables=41153, multiply_adds=40952, activations=201, bit_operations=10483712)
"""

import math
from typing import NamedTuple

from isozyme.spaces.networks.layers import (
    Activation,
    BatchNorm,
    Columns,
    Convolution,
    Dense,
    Gate,
    Layer,
    Network,
    Pooling,
    Residual,
    Shape,
    input_shape,
    output_shape,
)


class Counts(NamedTuple):
    """What is counted on a network, for one example.

    Attributes:
      params: trainable numbers, scales and shifts of batch norms and embeddings among them.
      all_variables: those and the moving means and variances of batch norms, as Keras's `count_params` has it.
      multiply_adds: of convolutions and matrix products, those of gates among them. What biases, batch norms,
        activations, pooling, sums and embeddings take is not counted (mnasnet.md, acceptance facts).
      activations: numbers that convolutions and matrix products put out.
      bit_operations: Σ multiply-adds · bits of a weight · bits of an activation (FLIQS, section 4).
    """

    params: int = 0
    all_variables: int = 0
    multiply_adds: int = 0
    activations: int = 0
    bit_operations: int = 0


def count(network: Network) -> Counts:
    """Counts a network; raises ValueError where its layers do not fit together."""
    inputs = network.inputs
    embedded = sum(e.vocabulary * e.size for e in inputs.embeddings) if isinstance(inputs, Columns) else 0
    return _sum(Counts(embedded, embedded), _count(network.layers, input_shape(network)))


def _count(layer: Layer, shape: Shape) -> Counts:
    """What one layer adds to the counts, given the shape of what goes in."""
    match layer:
        case Dense(outputs, bias, bits):
            positions, fan_in = math.prod(shape[:-1]), shape[-1]
        case Convolution(outputs, kernel, _, groups, bias, bits):
            positions, fan_in = math.prod(output_shape(layer, shape)[:-1]), kernel**2 * shape[-1] // groups
        case BatchNorm():
            return Counts(params=2 * shape[-1], all_variables=4 * shape[-1])
        case Residual(layers) | Gate(layers):
            output_shape(layer, shape)  # Raises where what comes out does not fit what goes in.
            return _count(layers, shape)
        case tuple():
            total = Counts()
            for one in layer:
                total, shape = _sum(total, _count(one, shape)), output_shape(one, shape)
            return total
        case Activation() | Pooling():
            return Counts()
    weights = (fan_in + bias) * outputs
    products = positions * fan_in * outputs
    return Counts(weights, weights, products, positions * outputs, products * bits.weights * bits.activations)


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(*map(int.__add__, one, other))
