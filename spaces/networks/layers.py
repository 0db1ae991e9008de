"""Layers as plain values: what a candidate lowers to, and what an executable or a key may be named by.

Frozen dataclasses and not named tuples, since tuples of different kinds are equal when their fields are: a residual
block would be taken for a plain one. `repr` writes a description as the code that makes it.

An array is [positions …, channels]: [height, width, channels] for an image, [features] for a row of a table, without an
axis of examples. Convolutions and windows pad as TensorFlow's SAME does: ⌈size / stride⌉ positions a side come out.
"""

import math
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bits:
    """How many bits the numbers of a layer's products have; 16 stands for full precision (FLIQS, section 4).

    Attributes:
      weights: of a weight.
      activations: of a number that enters the layer.
    """

    weights: int = 16
    activations: int = 16


@dataclass(frozen=True, slots=True)
class Dense:
    """A matrix product over channels, the same at all positions."""

    outputs: int
    bias: bool = True
    bits: Bits = Bits()


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with a square kernel over [height, width, channels].

    Attributes:
      outputs: channels that come out.
      kernel: its side.
      stride: in both directions.
      groups: into which channels are cut; as many as channels make it depthwise.
      bias: none by default, as a batch norm follows nearly always.
      bits: of its products.
    """

    outputs: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bias: bool = False
    bits: Bits = Bits()


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Standardises each channel, then scales and shifts it."""


@dataclass(frozen=True, slots=True)
class Activation:
    """An elementwise function, by its name in `jax.nn`: 'relu', 'swish', 'hard_swish', 'sigmoid'."""

    name: str = "relu"


@dataclass(frozen=True, slots=True)
class Pooling:
    """The mean or the maximum over a square window, or over all positions, which then are gone.

    Attributes:
      kind: 'mean' or 'max'.
      window: its side; None for all positions.
      stride: of windows, in both directions.
    """

    kind: str = "mean"
    window: int | None = None
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Residual:
    """Adds what goes in to what its layers make of it."""

    layers: "tuple[Layer, ...]"


@dataclass(frozen=True, slots=True)
class Gate:
    """Multiplies what goes in by what its layers make of it, one factor a channel, as squeeze-and-excitation does."""

    layers: "tuple[Layer, ...]"


Block = tuple["Layer", ...]
"""Layers one after another, as a layer."""
Layer = Dense | Convolution | BatchNorm | Activation | Pooling | Residual | Gate | Block


@dataclass(frozen=True, slots=True)
class Embedding:
    """A vector of `size` numbers for each of `vocabulary` categories."""

    vocabulary: int
    size: int


@dataclass(frozen=True, slots=True)
class Columns:
    """A row of a table: numbers, then an embedding of each categorical column, end to end.

    Attributes:
      numeric: how many numeric columns.
      embeddings: of the categorical columns.
    """

    numeric: int
    embeddings: tuple[Embedding, ...] = ()

    @property
    def features(self) -> int:
        """Numbers that the first layer reads."""
        return self.numeric + sum(embedding.size for embedding in self.embeddings)


@dataclass(frozen=True, slots=True)
class Network:
    """A whole network.

    Attributes:
      inputs: the shape of an array, or the columns of a table.
      layers: one after another.
    """

    inputs: Shape | Columns
    layers: tuple[Layer, ...]


def input_shape(network: Network) -> Shape:
    """Tells the shape of what enters the first layer."""
    return (network.inputs.features,) if isinstance(network.inputs, Columns) else network.inputs


def output_shape(layer: Layer, shape: Shape) -> Shape:
    """Computes the shape of what a layer makes of an array.

    Args:
      layer: or a block of layers.
      shape: of what goes in.

    Raises:
      ValueError: the layer does not take such an array; the line says why.
    """
    match layer:
        case Dense(outputs):
            return (*shape[:-1], outputs)
        case Convolution(outputs, _, stride, groups):
            if shape[-1] % groups or outputs % groups:
                raise ValueError(f"{layer} of {shape}: channels in and out are not multiples of groups")
            return (*_strided(layer, shape, stride), outputs)
        case Pooling(_, window, stride):
            return shape[-1:] if window is None else (*_strided(layer, shape, stride), shape[-1])
        case Residual(layers):
            if (found := output_shape(layers, shape)) != shape:
                raise ValueError(f"layers of a residual block make {found} of {shape}, which do not add up")
            return shape
        case Gate(layers):
            if (found := output_shape(layers, shape)) != shape[-1:]:
                raise ValueError(f"layers of a gate make {found} of {shape}; a gate needs a number for each channel")
            return shape
        case tuple():
            for one in layer:
                shape = output_shape(one, shape)
            return shape
        case BatchNorm() | Activation():
            return shape


def _strided(layer: Convolution | Pooling, shape: Shape, stride: int) -> Shape:
    if len(shape) != 3:
        raise ValueError(f"{layer} of {shape}: it takes [height, width, channels]")
    return tuple(math.ceil(size / stride) for size in shape[:-1])
