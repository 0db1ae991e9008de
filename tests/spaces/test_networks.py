"""Descriptions of networks and the one counter, against published sizes and against what jax computes."""

import math
import pickle

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from isozyme.spaces.costs import ParameterCount
from isozyme.spaces.networks import (
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
    count,
    input_shape,
    output_shape,
)
from isozyme.spaces.tabnas import WIDTHS, FeedForward, feed_forward

RELU = Activation("relu")


def normed(*convolution, act: Activation | None = RELU, bits=None) -> tuple[Layer, ...]:
    """A convolution, batch norm and, unless None, an activation."""
    layer = Convolution(*convolution, bits=bits or Bits())
    return (layer, BatchNorm(), *([act] if act else []))


def squeezed(channels, inside, bits=None):
    """Squeeze-and-excitation."""
    bits = bits or Bits()
    layers = (Dense(inside, bits=bits), RELU, Dense(channels, bits=bits), Activation("sigmoid"))
    return Gate((Pooling(), *layers))


def bottleneck(before, expanded, after, kernel, stride, inside=0, bits=None) -> Layer:
    """MnasNet's inverted bottleneck: no expansion where it would be by 1, `inside` channels in the squeeze."""
    layers = (
        *(normed(expanded, bits=bits) if expanded != before else ()),
        *normed(expanded, kernel, stride, expanded, bits=bits),
        *([squeezed(expanded, inside, bits)] if inside else []),
        *normed(after, act=None, bits=bits),
    )
    return Residual(layers) if stride == 1 and before == after else layers


def mnasnet(blocks, resolution, stem=32, head=1280, bits=None):
    """Blocks of (layers, expansion, kernel, stride, width, share squeezed), see section 2.3 of mnasnet.md."""
    layers, before = [*normed(stem, 3, 2, bits=bits)], stem
    for repeats, expansion, kernel, first, after, share in blocks:
        for i in range(repeats):
            inside, stride = int(share * before), first if i == 0 else 1
            layers.append(bottleneck(before, expansion * before, after, kernel, stride, inside, bits=bits))
            before = after
    last = Dense(1000, bits=bits or Bits())
    return Network((resolution, resolution, 3), (*layers, *normed(head, bits=bits), Pooling(), last))


MOBILENET_V2 = [
    *((1, 1, 3, 1, 16, 0), (2, 6, 3, 2, 24, 0), (3, 6, 3, 2, 32, 0), (4, 6, 3, 2, 64, 0), (3, 6, 3, 1, 96, 0)),
    *((3, 6, 3, 2, 160, 0), (1, 6, 3, 1, 320, 0)),
]
MNASNET_A1 = [
    *((1, 1, 3, 1, 16, 0), (2, 6, 3, 2, 24, 0), (3, 3, 5, 2, 40, 0.25), (4, 6, 3, 2, 80, 0), (2, 6, 3, 1, 112, 0.25)),
    *((3, 6, 5, 2, 160, 0.25), (1, 6, 3, 1, 320, 0)),
]


def test_published_image_networks():
    """mnasnet.md, facts 2 and 3: parameters, and millions of multiply-adds at five resolutions."""
    found = count(mnasnet(MOBILENET_V2, 224))
    assert (found.params, round(found.multiply_adds / 1e6, 2)) == (3_504_872, 300.77)
    sizes = {resolution: count(mnasnet(MNASNET_A1, resolution)) for resolution in (224, 192, 160, 128, 96)}
    assert {one.params for one in sizes.values()} == {3_887_038}
    assert [round(one.multiply_adds / 1e6, 2) for one in sizes.values()] == [311.58, 229.32, 159.72, 102.77, 58.48]
    assert len({one.activations for one in sizes.values()}) == 5


def test_mobilenet_v3_large():
    """tunas.md, clarifications: rows of kernel, expanded and output width, squeeze, stride; 1280 without batch norm."""
    rows = [
        *((3, 16, 16, 0, 1), (3, 64, 24, 0, 2), (3, 72, 24, 0, 1), (5, 72, 40, 1, 2), *[(5, 120, 40, 1, 1)] * 2),
        *((3, 240, 80, 0, 2), (3, 200, 80, 0, 1), *[(3, 184, 80, 0, 1)] * 2, (3, 480, 112, 1, 1), (3, 672, 112, 1, 1)),
        *((5, 672, 160, 1, 2), *[(5, 960, 160, 1, 1)] * 2),
    ]
    layers, before = [*normed(16, 3, 2)], 16
    for kernel, expanded, after, squeeze, stride in rows:
        inside = squeeze * (24 if expanded == 72 else (expanded // 4 + 4) // 8 * 8)  # 16 loses over 10 % of 18.
        layers.append(bottleneck(before, expanded, after, kernel, stride, inside))
        before = after
    head = (*normed(960), Pooling(), Dense(1280), Activation("hard_swish"), Dense(1000))
    found = count(Network((224, 224, 3), (*layers, *head)))
    assert (found.params, round(found.multiply_adds / 1e6, 2)) == (5_483_032, 216.59)


def test_batch_norms_have_variables_that_are_not_trained():
    """Two a channel, as Keras counts them."""
    found = count(mnasnet(MOBILENET_V2, 224))
    assert found.all_variables - found.params == 2 * 17_056
    assert count(Network((4, 4, 6), (BatchNorm(),)))[:2] == (12, 24)


def test_bit_operations():
    """fliqs.md, fact 2 and section 4: 77 GBOPs at full precision; 16, 8 and 4 bits cost 16 : 4 : 1."""
    found = [count(mnasnet(MOBILENET_V2, 224, bits=Bits(n, n))).bit_operations for n in (16, 8, 4)]
    assert found[0] == 4 * found[1] == 16 * found[2] == count(mnasnet(MOBILENET_V2, 224)).bit_operations
    assert round(found[0] / 1e9, 1) == 77.0
    mixed = Network((10,), (Dense(20, bits=Bits(4, 8)), RELU, Dense(3, bits=Bits(8, 16))))
    assert count(mixed).bit_operations == 200 * 32 + 60 * 128


def test_feed_forward_networks():
    """tabnas.md: 32-144-24 on 1027 inputs has 41,153 parameters; embeddings of a table's columns come on top."""
    network = feed_forward((32, 144, 24), 1027, 1)
    assert count(network).params == 41_153
    assert count(network).multiply_adds == 1027 * 32 + 32 * 144 + 144 * 24 + 24
    columns = Columns(1000, (Embedding(50, 20), Embedding(7, 7)))
    table = feed_forward((32, 144, 24), columns, 1)
    assert input_shape(table) == input_shape(network) == (1027,)
    assert count(table) == count(network)._replace(params=42_202, all_variables=42_202)


@given(st.lists(st.sampled_from(range(len(WIDTHS))), min_size=3, max_size=3), st.integers(1, 1000), st.integers(1, 9))
def test_the_cost_of_a_limit_is_the_count(genes, inputs, outputs):
    """What hard limits compute as a chain is what the one counter finds."""
    space = FeedForward(inputs, outputs)
    limited = ParameterCount([list(WIDTHS)] * 3, inputs, outputs)
    assert limited(tuple(genes)) == count(space.network(tuple(genes))).params == space.form(tuple(genes))["parameters"]


CHANNELS = st.sampled_from([1, 2, 4, 6])
SIMPLE = st.one_of(
    st.builds(Dense, CHANNELS, st.booleans()),
    st.builds(Convolution, CHANNELS, st.sampled_from([1, 2, 3, 5]), st.integers(1, 3), bias=st.booleans()),
    st.just(BatchNorm()),
    st.builds(Activation, st.sampled_from(["relu", "sigmoid", "swish"])),
    st.builds(Pooling, st.sampled_from(["mean", "max"]), st.integers(1, 3), st.integers(1, 2)),
)


@st.composite
def images(draw):
    """A network on images of some size, with grouped convolutions, gates and residual blocks among its layers."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9), CHANNELS))
    layers, now = [], shape
    for _ in range(draw(st.integers(0, 5))):
        channels = now[-1]
        depthwise = st.builds(Convolution, st.just(channels), st.sampled_from([3, 5]), groups=st.just(channels))
        gate = st.builds(lambda n, c=channels: Gate((Pooling(), Dense(n), RELU, Dense(c))), CHANNELS)
        inner = st.lists(st.one_of(depthwise, gate, st.just(BatchNorm())), max_size=2).map(tuple)
        layer = draw(st.one_of(SIMPLE, depthwise, gate, inner, inner.map(Residual)))
        layers.append(layer)
        now = output_shape(layer, now)
    return Network(shape, (*layers, Pooling(), Dense(3)))


def made(layer, x, variables):
    """Runs a layer as jax does it, with weights of zeros; puts their shapes into `variables`, trained ones first."""
    trained, moving = variables

    def weights(*shape):
        trained.append(shape)
        return jnp.zeros(shape)

    match layer:
        case Dense(outputs, bias):
            y = x @ weights(x.shape[-1], outputs)
            return y + weights(outputs) if bias else y
        case Convolution(outputs, kernel, stride, groups, bias):
            filters = weights(kernel, kernel, x.shape[-1] // groups, outputs)
            numbers = ("NHWC", "HWIO", "NHWC")
            y = lax.conv_general_dilated(
                x, filters, (stride, stride), "SAME", dimension_numbers=numbers, feature_group_count=groups
            )
            return y + weights(outputs) if bias else y
        case BatchNorm():
            moving.extend([x.shape[-1:]] * 2)
            return (x - x.mean()) * weights(x.shape[-1]) + weights(x.shape[-1])
        case Activation(name):
            return getattr(jax.nn, name)(x)
        case Pooling(_, None, _):
            return x.mean(axis=tuple(range(1, x.ndim - 1)))
        case Pooling(_, window, stride):
            return lax.reduce_window(x, -jnp.inf, lax.max, (1, window, window, 1), (1, stride, stride, 1), "SAME")
        case Residual(layers):
            return x + made(layers, x, variables)
        case Gate(layers):
            return x * made(layers, x, variables).reshape(len(x), *[1] * (x.ndim - 2), x.shape[-1])
        case tuple():
            for one in layer:
                x = made(one, x, variables)
            return x


def inner_jaxprs(values):
    """Those that an equation calls, as `jax.jit` and custom derivatives do."""
    return [getattr(value, "jaxpr", value) for value in values if hasattr(value, "eqns") or hasattr(value, "jaxpr")]


def products(jaxpr):
    """Multiply-adds and outputs of the products and convolutions in what jax would compute."""
    total = outputs = 0
    for equation in jaxpr.eqns:
        for inner in inner_jaxprs(equation.params.values()):
            total, outputs = (a + b for a, b in zip((total, outputs), products(inner), strict=True))
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            left, right = (v.aval.shape for v in equation.invars)
            size = math.prod(equation.outvars[0].aval.shape)
            outputs += size
            total += size * (left[-1] if equation.primitive.name == "dot_general" else math.prod(right[:-1]))
    return total, outputs


@settings(max_examples=60)
@given(images())
def test_counts_are_those_of_what_jax_computes(network):
    """Shapes, variables, multiply-adds and activations, of any layers; no array of the network's size is made by us."""
    trained, moving = variables = [], []
    x = jax.ShapeDtypeStruct((1, *network.inputs), jnp.float32)
    jaxpr, out = jax.make_jaxpr(lambda x: made(network.layers, x, variables), return_shape=True)(x)
    assert out.shape == (1, *output_shape(network.layers, network.inputs))
    found = count(network)
    assert found.params == sum(map(math.prod, trained))
    assert found.all_variables == found.params + sum(map(math.prod, moving))
    assert (found.multiply_adds, found.activations) == products(jaxpr.jaxpr)
    assert found.bit_operations == 256 * found.multiply_adds


@pytest.mark.parametrize(
    ("layer", "line"),
    [
        (Convolution(6, groups=4), "channels in and out are not multiples of groups"),
        (Residual((Dense(3),)), r"residual block make \(8, 8, 3\) of \(8, 8, 6\)"),
        (Gate((Dense(6),)), "a gate needs a number for each channel"),
        ((Pooling(), Convolution(6)), r"it takes \[height, width, channels\]"),
    ],
)
def test_layers_that_do_not_fit(layer, line):
    """One line that says which and why, also where it is a block's last layer."""
    for layers in ((layer,), (Residual(()), (layer, RELU))):
        with pytest.raises(ValueError, match=line):
            count(Network((8, 8, 6), layers))


def test_descriptions_are_values():
    """Equal by kind and fields, usable as keys, written as the code that makes them, and kept by pickle."""
    blocks = [(RELU,), Residual((RELU,)), Gate((RELU,)), (RELU, ()), Dense(4), Embedding(4, 4), Pooling()]
    assert len({*blocks}) == len(blocks)
    network = mnasnet(MNASNET_A1, 32, bits=Bits(4, 8))
    assert network == mnasnet(MNASNET_A1, 32, bits=Bits(4, 8)) != mnasnet(MNASNET_A1, 32)
    assert eval(repr(network)) == pickle.loads(pickle.dumps(network)) == network
    assert hash(network) == hash(pickle.loads(pickle.dumps(network)))
