"""Shared weights: one executable whatever is sampled, warm-up, and scores of the stand-alone network they contain."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from isozyme.evaluators.networks import narrowed
from isozyme.evaluators.protocol import Supernet
from isozyme.evaluators.tabular import TableTask, TabularSupernet, space_for
from isozyme.evaluators.tabular.tasks import LoadedTable
from isozyme.evaluators.tabular.training import predict

WIDTHS = (4, 16, 64, 96)
NAMES = ["diamonds_cut", "diamonds_price"]
TASKS = {name: TableTask(name, steps=120, batch_size=64, rate=1e-2, held_rows=1000) for name in NAMES}
SPACES = {name: space_for(task, layers=2, widths=WIDTHS) for name, task in TASKS.items()}
LOADED = {name: LoadedTable(task, SPACES[name], seed=0) for name, task in TASKS.items()}

PREDICT = jax.jit(predict, static_argnums=1)


def made(name, seed=0) -> Supernet:
    """A supernet that is set up."""
    supernet: Supernet = TabularSupernet(TASKS[name])
    supernet.prepare()
    supernet.setup(SPACES[name], seed)
    return supernet


def one_step(supernet):
    """What a one-shot search compiles: choices drawn on device, a weight step, a look at the search split."""

    @jax.jit
    def step(state, key, warm):
        choice, train, look = jax.random.split(key, 3)
        choices = jax.random.randint(choice, (2,), 0, len(WIDTHS))
        state = supernet.train(state, choices, train, warm)
        return state, supernet.quality(state, choices, look)

    return step


@pytest.fixture(scope="module", params=NAMES)
def trained(request):
    """A supernet, its compiled step, and the states before and after 120 of them."""
    supernet = made(request.param)
    step, start = one_step(supernet), supernet.start(0)
    state, seen = start, []
    for t in range(120):
        state, quality = step(state, jax.random.key(t), t < 30)
        seen.append(float(quality))
    return supernet, step, start, state, seen


def test_nothing_recompiles_when_the_sample_changes(trained):
    """120 steps with other choices each, warm or not, and whole splits: an executable for the step, one for scores."""
    supernet, step, _, state, _ = trained
    assert step._cache_size() == 1
    for choices in ((0, 0), (3, 1), (2, 2)):
        for split in ("search", "selection", "final"):
            supernet.score(state, np.array(choices), split)
    assert supernet._score._cache_size() == 1


def test_shared_weights_learn(trained):
    """Every candidate is better after training than before; qualities seen on the way rise."""
    supernet, _, start, state, seen = trained
    for choices in ((0, 0), (1, 3), (3, 3)):
        before, after = (supernet.score(s, np.array(choices), "final") for s in (start, state))
        assert after["loss"] < before["loss"]
        assert after["score"] > before["score"]
    assert np.mean(seen[-20:]) > np.mean(seen[:5])
    assert np.isfinite(seen).all()


@pytest.mark.parametrize("choices", [(0, 0), (3, 1), (2, 3)])
def test_a_candidate_is_the_stand_alone_network_with_sliced_weights(trained, choices):
    """Fact 13 of tunas.md, after training: predictions to 1e-6 of the largest."""
    supernet, _, _, state, _ = trained
    loaded = LOADED[supernet.task.data]
    rows = loaded.held["search"]
    widths = [WIDTHS[choice] for choice in choices]
    narrow = narrowed(state.weights, widths)
    assert [bias.size for _, bias in narrow.layers[:-1]] == widths
    masked, alone = (PREDICT(weights, loaded.network, jnp.asarray(widths), rows) for weights in (state.weights, narrow))
    np.testing.assert_allclose(masked, alone, rtol=1e-6, atol=1e-6 * float(jnp.abs(alone).max()))


def test_warm_up_trains_the_widest(trained):
    """Bit for bit as if it had been chosen; without, a narrow choice leaves what is beyond it alone at the start."""
    supernet, _, start, _, _ = trained
    key, narrow, widest = jax.random.key(5), jnp.array([1, 0]), jnp.array([3, 3])
    train = jax.jit(supernet.train)
    warm, chosen, other = (
        train(start, narrow, key, True),
        train(start, widest, key, False),
        train(start, narrow, key, False),
    )
    for a, b in zip(jax.tree.leaves(warm), jax.tree.leaves(chosen), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(warm.weights.layers[0][0][:, 16:], start.weights.layers[0][0][:, 16:])
    np.testing.assert_array_equal(other.weights.layers[0][0][:, 16:], start.weights.layers[0][0][:, 16:])
    np.testing.assert_array_equal(other.weights.layers[1][0][16:], start.weights.layers[1][0][16:])
    assert not np.array_equal(other.weights.layers[0][0][:, :16], start.weights.layers[0][0][:, :16])


def test_quality_is_an_unbiased_look_at_the_search_split(trained):
    """Mean over 400 batches of 64 rows: the whole split's accuracy or R² within four standard errors; in one scan."""
    supernet, _, _, state, _ = trained
    choices = jnp.array([2, 1])
    keys = jax.random.split(jax.random.key(9), 400)
    looks = jax.jit(lambda keys: lax.map(lambda key: supernet.quality(state, choices, key), keys))(keys)
    whole = supernet.score(state, choices, "search")["score"]
    assert abs(float(looks.mean()) - whole) < 4 * float(looks.std()) / 20
    assert float(looks.std()) > 0


def test_everything_derives_from_seeds_and_keys():
    """The same start and step again in another supernet; other seeds and keys give others."""
    first, again, other = made("diamonds_cut"), made("diamonds_cut"), made("diamonds_cut", seed=1)
    choices, key = jnp.array([1, 1]), jax.random.key(0)
    steps = [jax.jit(lambda state, key, s=s: s.train(state, choices, key, False)) for s in (first, again, other)]

    def learnt(number, seed, key):
        state = steps[number]((first, again, other)[number].start(seed), key)
        return np.asarray(state.weights.layers[0][0]).tobytes()

    found = learnt(0, 0, key)
    assert learnt(1, 0, key) == found
    assert found not in (learnt(2, 0, key), learnt(0, 1, key), learnt(0, 0, jax.random.key(1)))
    conditions = [s.conditions(split) for s in (first, other) for split in ("search", "final")]
    assert len(set(conditions)) == 4
    assert json.loads(conditions[0])["seed"] == 0
    assert first.conditions("search") == again.conditions("search")


def test_shared_and_stand_alone_training_start_apart():
    """By name: the shared weights of seed 0 are not the first repeat's."""
    loaded = LOADED["diamonds_cut"]
    keys = [loaded.key("shared", 0), loaded.key("alone", 0), loaded.key("alone", 1)]
    assert len({jax.random.key_data(key).tobytes() for key in keys}) == 3
