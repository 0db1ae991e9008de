"""The masked network: equal to a stand-alone one with sliced weights, in what it computes and in what it learns."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isozyme.evaluators.datasets import load_table
from isozyme.evaluators.networks import Weights, apply, initial, narrowed
from isozyme.evaluators.tabular.columns import embedding_size, network_for
from isozyme.evaluators.tabular.training import Rows, loss, predict, quality
from isozyme.evaluators.training import adam_recipe, batch, start, step
from isozyme.spaces.networks import Activation, Convolution, Dense, Network, count, input_shape

WIDEST = 80  # Products of 40 and of 80.
TABLES = ["rand_visits", "diamonds_price"]
WIDTHS = st.lists(st.integers(1, WIDEST), min_size=3, max_size=3)


def some(name, count=64):
    """The widest network of three layers, and the first training rows of a real table."""
    table = load_table(name)["train"]
    rows = Rows(*(jnp.asarray(column[:count]) for column in (table.numeric, table.categorical, table.target)))
    return network_for(table, [WIDEST] * 3), rows


LOADED: dict[str, Any] = {name: some(name) for name in TABLES}
PREDICT = jax.jit(predict, static_argnums=1)


def alone(weights: Weights, rows: Rows, relu=lambda x: np.maximum(x, 0), concatenate=np.concatenate):
    """A stand-alone network, written without masks; in numpy, which compiles nothing for new shapes."""
    columns = [embedding[rows.categorical[:, i]] for i, embedding in enumerate(weights.embeddings)]
    x = concatenate([rows.numeric, *columns], axis=1)
    for weight, bias in weights.layers[:-1]:
        x = relu(x @ weight + bias)
    return x @ weights.layers[-1][0] + weights.layers[-1][1]


def with_biases(key: jax.Array, network: Network) -> Weights:
    """Initial weights, but biases other than zero, which could hide a forgotten mask."""
    weights = initial(key, network)
    biases = (None if b is None else b + jax.random.normal(key, b.shape) for _, b in weights.layers)
    return Weights(weights.embeddings, [(w, b) for (w, _), b in zip(weights.layers, biases, strict=True)])


INITIAL = jax.jit(with_biases, static_argnums=1)


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=20)
@given(widths=WIDTHS, seed=st.integers(0, 9))
def test_masked_equals_sliced(name, widths, seed):
    """Fact 13 of tunas.md: a masked network in the supernet is the stand-alone one with sliced weights, to 1e-6."""
    network, rows = LOADED[name]
    key = jax.random.key(seed)
    weights = jax.device_get(INITIAL(key, network))
    narrow = narrowed(weights, widths)
    assert [b.size for _, b in narrow.layers] == [*widths, network.layers[-1].outputs]
    expected = alone(narrow, jax.device_get(rows))
    found = PREDICT(weights, network, np.array(widths), rows)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", TABLES)
def test_masked_learns_as_sliced(name):
    """Thirty steps of Adam on the same batches: the same losses, and weights outside of the mask never move."""
    network, rows = LOADED[name]
    widths = [7, 80, 43]
    how = adam_recipe(1e-2, 16, 30)
    state = start(how, initial(jax.random.key(1), network, jnp.asarray(widths)))
    before = state.weights
    narrow = narrowed(state.weights, widths)
    moments = how.optimizer.init(narrow)  # pyright: ignore[reportArgumentType]

    def plain(weights, part):
        out = alone(weights, part, jax.nn.relu, jnp.concatenate)
        if out.shape[1] == 1:
            return jnp.mean((out[:, 0] - part.target) ** 2)
        return optax.softmax_cross_entropy_with_integer_labels(out, part.target).mean()

    @jax.jit
    def both(state, narrow, moments, key):
        """A step of either network, and both losses before it."""
        part = batch(rows, key, 16)
        value, gradients = jax.value_and_grad(plain)(narrow, part)
        updates, moments = how.optimizer.update(gradients, moments)
        masked = loss(state.weights, network, jnp.asarray(widths), part)
        state = step(how, state, lambda weights: loss(weights, network, jnp.asarray(widths), part))
        return (state, optax.apply_updates(narrow, updates), moments), (value, masked)

    losses, states = [], (state, narrow, moments)
    for t in range(30):
        states, values = both(*states, jax.random.key(t))
        losses.append(tuple(map(float, values)))
    state, narrow, _ = states
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-4)
    assert losses[-1][0] < losses[0][0]
    for mine, theirs in zip(jax.tree.leaves(narrowed(state.weights, widths)), jax.tree.leaves(narrow), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)
    assert jnp.array_equal(state.weights.layers[0][0][:, 7:], before.layers[0][0][:, 7:])
    assert jnp.array_equal(state.weights.layers[1][0][7:], before.layers[1][0][7:])
    assert jnp.array_equal(state.weights.layers[2][1][43:], before.layers[2][1][43:])


def test_initialisation_goes_by_fan_in():
    """He's and LeCun's deviations; other widths, the same draws times √(80 / width before); biases of zero."""
    network, _ = LOADED["rand_visits"]
    wide, narrow = (initial(jax.random.key(0), network, w) for w in (None, jnp.array([20, 80, 5])))
    factors = [1.0, 2.0, 1.0, 4.0]
    for (a, bias), (b, _), factor in zip(wide.layers, narrow.layers, factors, strict=True):
        np.testing.assert_allclose(b, factor * a, rtol=1e-5)
        assert not bias.any()
    fan_ins = [*input_shape(network), 80, 80]
    for (weight, _), fan_in in zip(wide.layers, fan_ins, strict=False):
        assert float(jnp.std(weight)) == pytest.approx(np.sqrt(2 / fan_in), rel=0.1)
    assert float(jnp.std(wide.layers[3][0])) == pytest.approx(np.sqrt(1 / 80), rel=0.3)
    for one, mine in zip(network.inputs.embeddings, wide.embeddings, strict=True):
        assert mine.shape == (one.vocabulary, one.size)
        assert float(jnp.linalg.norm(mine, axis=1).mean()) == pytest.approx(1.0, abs=0.4)


def test_inputs_are_columns_and_embeddings():
    """1.6 v^0.56 numbers for a vocabulary of v, as fast.ai has it; the first layer reads them all."""
    assert [embedding_size(v) for v in (2, 3, 7, 13, 100, 10**6)] == [2, 3, 5, 7, 21, 600]
    network, rows = LOADED["rand_visits"]
    embedded = sum(embedding_size(one.vocabulary) for one in network.inputs.embeddings)
    assert input_shape(network) == (rows.numeric.shape[1] + embedded,)
    assert [LOADED[name][0].layers[-1].outputs for name in TABLES] == [2, 1]


@pytest.mark.parametrize("name", TABLES)
def test_quality_as_scikit_learn_has_it(name):
    """Accuracy and R², cross-entropy and squared error."""
    from sklearn import metrics

    network, rows = LOADED[name]
    weights = INITIAL(jax.random.key(3), network)
    widths = jnp.asarray([5, 9, 80])
    target = np.asarray(rows.target)
    out = np.asarray(PREDICT(weights, network, widths, rows), np.float64)
    variance = np.var(target.astype(np.float32))
    value, error = jax.jit(quality, static_argnums=1)(weights, network, widths, rows, variance)
    if out.shape[1] == 1:
        expected = metrics.r2_score(target, out[:, 0]), metrics.mean_squared_error(target, out[:, 0])
    else:
        chances = np.exp(out) / np.exp(out).sum(axis=1, keepdims=True)
        expected = metrics.accuracy_score(target, out.argmax(axis=1)), metrics.log_loss(target, chances, labels=[0, 1])
    assert (float(value), float(error)) == pytest.approx(expected, rel=1e-4)


def test_a_description_is_trained_as_it_is_counted():
    """What has to be kept for gradients is what the counter counts; without widths, arrays go in and all is in use."""
    network = Network((5,), (Dense(7), Activation("sigmoid"), Dense(4, bias=False), Activation("relu"), Dense(2)))
    weights = with_biases(jax.random.key(0), network)
    assert sum(leaf.size for leaf in jax.tree.leaves(weights)) == count(network).params
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    (first, second), (third, _), (fourth, fifth) = jax.device_get(weights.layers)
    hidden = 1 / (1 + np.exp(-(x @ first + second)))
    expected = np.maximum(hidden @ third, 0) @ fourth + fifth
    np.testing.assert_allclose(apply(weights, network, x), expected, rtol=1e-5, atol=1e-6)
    for name in TABLES:
        network, _ = LOADED[name]
        shapes = jax.eval_shape(lambda key, network=network: initial(key, network), jax.random.key(0))
        assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == count(network).params


def test_layers_without_a_trainable_form_are_refused():
    """By both functions, before anything is computed."""
    network = Network((8, 8, 3), (Convolution(4, 3), Dense(2)))
    with pytest.raises(TypeError, match=r"Convolution.* has no trainable form here"):
        initial(jax.random.key(0), network)
    with pytest.raises(TypeError, match=r"Convolution.* has no trainable form here"):
        apply(Weights([], []), network, jnp.zeros((1, 8, 8, 3)))
