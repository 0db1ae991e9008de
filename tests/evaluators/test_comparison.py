"""The fair comparison of optimizers (issue 6, deliverable 5) and the batch-size claim (issue 6, must show 3)."""

import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from isozyme.benchmarks import lion_batch_size, optimizer_comparison
from isozyme.benchmarks.comparison import charts, cost
from isozyme.benchmarks.comparison.contestants import ADAMW, LION, OTHERS, decay_is_decoupled, of_program
from isozyme.benchmarks.comparison.networks import PatchConvolutions, TablePerceptron, patches
from isozyme.benchmarks.comparison.problems import Data, Problem
from isozyme.benchmarks.comparison.tuning import FULL, QUICK, Grid, runner, tune
from isozyme.evaluators.datasets import load
from isozyme.evaluators.datasets.text import IsozymeWordnetGlosses
from isozyme.evaluators.optimizer.networks import MultiLayerPerceptron
from isozyme.evaluators.optimizer.training import FlatNetwork
from isozyme.search.validation.paired_test import Interval
from isozyme.spaces.lion import NAMED, OptimizerPrograms, to_optax

_GRID = Grid((0.1, 1.0, 10.0), (1.0, 2.0), (0.0, 0.5), kept=2, seeds=2)


@pytest.fixture(scope="module")
def digits():
    """A small perceptron on digits."""
    examples = load("digits", context=0, rows=200)
    return Data(examples, lambda key: MultiLayerPerceptron((8, 8, 1), 10, key, (16,)))


@pytest.fixture(scope="module")
def problem(digits):
    return Problem("digits", digits, batch_size=32, steps=40)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_lion_as_a_program_is_optax_lion(problem, decay):
    """lion.md, acceptance fact 2: both are one contestant, with the program's own decay taken out and replaced."""
    program = of_program("lion", NAMED["lion"])
    ours, theirs = runner(problem, program), runner(problem, LION)
    for rate in (3e-4, 3e-3):
        loss = theirs("search", 0, rate, decay)
        assert ours("search", 0, rate / 3e-4, decay) == pytest.approx(loss, abs=1e-4)
    assert abs(ours("search", 0, 10.0, 0.5) - ours("search", 0, 10.0, 0.0)) > 1e-3  # The decay does something.


@pytest.mark.parametrize("contestant", [ADAMW, LION, *OTHERS], ids=lambda one: one.name)
def test_decay_means_the_same_for_all(contestant):
    """Issue 6: "its learning rate and weight decay tuned": with gradients of zero, each step takes decay × lr of w."""
    network = FlatNetwork(((3, 2), (2,)), lambda tensors, inputs: inputs)
    update = contestant.update(network, 0.02, 0.01)
    w = jnp.arange(1.0, 9.0)
    state = update.step(update.start(w), jnp.zeros(8), jnp.float32(0.5))
    np.testing.assert_allclose(update.weights(state), 0.995 * w, rtol=1e-6)


def test_contestant_follows_the_schedule():
    """`optax.adamw` given the schedule takes the same steps."""
    network = FlatNetwork(((3, 2), (2,)), lambda tensors, inputs: inputs)
    rates = np.array([0.2, 1.0, 0.6, 0.1], np.float32)
    gradients = np.random.Generator(np.random.PCG64(0)).normal(size=(4, 8)).astype(np.float32)
    update = ADAMW.update(network, 0.02, 0.001)
    state = update.start(jnp.ones(8))
    for g, lr in zip(gradients, rates, strict=True):
        state = update.step(state, jnp.asarray(g), lr)
    reference = optax.adamw(lambda count: 0.02 * jnp.asarray(rates)[count], weight_decay=0.05)
    w, own = jnp.ones(8), reference.init(jnp.ones(8))
    for g in gradients:
        changes, own = reference.update(jnp.asarray(g), own, w)
        w = optax.apply_updates(w, changes)
    np.testing.assert_allclose(update.weights(state), np.asarray(w), rtol=1e-5)


_COUPLED = {
    "inside the sign": "c = interpolate(g, v1, 0.9)\n    d = w * 0.1\n    c = c + d\n    u = sign(c)\n    u = u * lr",
    "in the state": "d = w * 0.1\n    v1 = v1 + d\n    u = v1 * lr",
    "of another shape": "d = tanh(w)\n    u = g + d\n    u = u * lr",
    "off the schedule": "u = g * lr\n    d = w * 0.1\n    u = u + d",
    "by gradients": "d = w * g\n    u = g + d\n    u = u * lr",
    "by a norm": "d = global_norm(w)\n    u = g * d\n    u = u * lr",
}


@pytest.mark.parametrize("body", list(_COUPLED))
def test_coupled_decay_is_left_alone(body):
    """What the weights do otherwise belongs to the program (lion.md, section 12: decay inside the sign is no Lion)."""
    source = f"def train(w, g, v1, v2, lr):\n    {_COUPLED[body]}\n    return u, v1, v2\n"
    assert not decay_is_decoupled(OptimizerPrograms().from_source(source))


@pytest.mark.parametrize("name", sorted(NAMED))
def test_decay_of_published_programs_is_decoupled(name):
    assert decay_is_decoupled(NAMED[name])


@pytest.mark.parametrize("grid", [FULL, QUICK, _GRID])
@pytest.mark.parametrize("centre", [1e-3, 0.1])
def test_tuning(grid, centre):
    """Issue 6: "tuned at equal budget": the same number of runs wherever the best point is, failures included."""
    calls = []

    def run(split, repeat, rate, decay):
        calls.append((split, repeat))
        return math.inf if rate > 0.5 else 1.0 + math.log(rate / 0.01) ** 2 + (decay - 0.5) ** 2

    tuned = tune(run, centre, grid)
    assert len(calls) == grid.runs
    assert set(calls) == {("search", repeat) for repeat in range(grid.seeds)}
    assert tuned.decay == 0.5
    assert abs(math.log10(tuned.rate / 0.01)) < 0.51
    far = tune(lambda split, repeat, rate, decay: -rate, centre, grid)
    assert far.at_edge
    assert far.rate >= centre * grid.wide[-1]


def test_batch_sizes_share_start_and_examples(digits):
    """Issue 6: "paired over seeds"; at equal examples, batch sizes differ in where the stream is cut only."""
    small, large = (Problem("one", digits, size, 64 // size) for size in (4, 16))
    (w, one), (x, other) = (problem.start("final", 3) for problem in (small, large))
    np.testing.assert_array_equal(w, x)
    np.testing.assert_array_equal(one.order.ravel(), other.order.ravel())
    again, _ = small.start("final", 4)
    assert not np.array_equal(w, again)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(one.held_targets, small.start("search", 3)[1].held_targets)


@pytest.mark.parametrize("side", [7, 8])
def test_convolution_by_patches(side):
    """Patches times a matrix are XLA's strided convolution."""
    rng = np.random.Generator(np.random.PCG64(0))
    x = jnp.asarray(rng.normal(size=(side, side, 2)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 2, 5)), jnp.float32)
    dimensions = ("NHWC", "HWIO", "NHWC")
    expected = jax.lax.conv_general_dilated(x[None], kernel, (2, 2), [(1, 1), (1, 1)], dimension_numbers=dimensions)[0]
    np.testing.assert_allclose(jax.jit(patches)(x) @ kernel.reshape(18, 5), expected, atol=1e-4)


def test_convolutional_network():
    """Three layers, the sides odd on the way: 28 -> 14 -> 7 -> 4."""

    def logits(key, x):
        return PatchConvolutions((28, 28, 1), 3, key, (2, 3, 4))(x)

    shape = jax.eval_shape(logits, jax.random.key(0), jnp.zeros((28, 28, 1)))
    assert shape.shape == (3,)


def test_table_perceptron_embeds_categories():
    """Codes behind the numbers pick rows of the embeddings, which the perceptron reads."""

    @jax.jit
    def both(row):
        network = TablePerceptron(2, (4, 3), 5, jax.random.key(0), (8,))
        embedded = [network.embeddings[0].weight[3], network.embeddings[1].weight[1]]
        return network(row), network.perceptron(jnp.concatenate([row[:2], *embedded]))

    np.testing.assert_allclose(*both(jnp.array([0.5, -1.0, 3.0, 1.0])), rtol=1e-6)


def test_result_of_real_training(problem):
    """Tuned, then compared with fresh seeds: Lion beside itself as a program makes no difference to speak of."""
    twin = of_program("twin", NAMED["lion"])._replace(centre=2.0)  # Twice 3e-4 is the other's centre.
    result = optimizer_comparison.Result(problem, [twin, ADAMW, LION], _GRID, seeds=3)
    assert result.tuned["twin"].rate * 3e-4 == pytest.approx(result.tuned["lion"].rate)
    assert result.tuned["twin"].decay == result.tuned["lion"].decay
    np.testing.assert_allclose(result.differences["twin"], result.differences["lion"], atol=1e-3)
    assert sorted(result.ranks.values()) == [1, 2, 3]
    assert all(interval.mean < math.log(10) for interval in result.losses.values())  # Better than guessing.
    plain = json.loads(json.dumps(optimizer_comparison.figures({"digits": result}), allow_nan=False))
    assert plain["digits"]["adamw"]["difference"] is None


def test_slope_of_gains():
    """Issue 6: "Lion's gain grows with batch size", per doubling, with an interval over seeds."""
    sizes = (8, 32, 128)
    noise = np.random.Generator(np.random.PCG64(0)).normal(size=(3, 10)) * 0.01
    found = lion_batch_size.slope(np.array([[0.0], [0.04], [0.08]]) + noise, sizes)
    assert 0 < found.low < 0.02 < found.high < 0.03
    flat = lion_batch_size.slope(noise, sizes)
    assert flat.low < 0 < flat.high
    assert math.isinf(lion_batch_size.slope(np.full((3, 10), -math.inf), sizes).mean)


def test_equal_examples_or_steps(digits):
    """The paper's equal epochs, or the same number of steps at every batch size."""
    course = lion_batch_size.Course("one", digits, (4, 16), examples=64)
    assert [course.at(size, "examples").steps for size in course.sizes] == [16, 4]
    assert len({course.at(size, "steps").steps for size in course.sizes}) == 1


def test_charts(tmp_path):
    """Issue 6: "with intervals and a chart": the same file each time, also where an optimizer failed."""
    good, failed = Interval(-0.02, -0.03, -0.01), Interval(math.inf, math.inf, math.inf)
    texts = []
    for name in ("one.svg", "other.svg"):
        charts.draw_differences(tmp_path / name, {"digits": {"lion": good, "rmsprop": failed}}, "AdamW")
        charts.draw_gains(tmp_path / f"gains-{name}", {"digits": {8: good, 32: failed}})
        texts.append([(tmp_path / name).read_text(), (tmp_path / f"gains-{name}").read_text()])
    assert texts[0] == texts[1]
    assert all(word in texts[0][0] for word in ("lion", "rmsprop", "relative to AdamW"))
    assert "batch size" in texts[0][1]


def test_candidates_from_files(tmp_path):
    """A program's source, or the card that a run leaves; what cannot be read is one line."""
    source = OptimizerPrograms().to_source(NAMED["signsgd"])
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "run" / "best").mkdir(parents=True)
    card = tmp_path / "run" / "best" / "card.json"
    card.write_text(json.dumps({"candidate": source}))
    assert optimizer_comparison.candidates([tmp_path / "mine.py", card]) == dict.fromkeys(
        ("mine", "run"), NAMED["signsgd"]
    )
    assert optimizer_comparison.candidates([]) == {"discovered": NAMED["discovered"]}
    card.write_text("{}")
    for path in (card, tmp_path / "missing.py"):
        with pytest.raises(SystemExit) as error:
            optimizer_comparison.candidates([path])
        assert "\n" not in str(error.value)


def test_costs(problem):
    """lion.md, section 10: Lion halves the state. Both loops run the real optimizers."""
    found = cost.measure(problem, {"adamw": optax.adamw(1e-3), "lion": to_optax(NAMED["lion"], 1.0)}, 2, 100)
    assert {name: one.state_bytes for name, one in found.items()} == {"adamw": 8.0, "lion": 4.0}
    assert all(one.step > 0 and one.update > 0 for one in found.values())


def test_wordnet(tmp_path, monkeypatch):
    """A text other than the search's; where Debian's package is missing, the line says how to get it."""
    folder = tmp_path / "wordnet"
    monkeypatch.setattr("isozyme.evaluators.datasets.text._WORDNET", folder)

    def prepare(place: str) -> Any:
        builder = IsozymeWordnetGlosses(data_dir=tmp_path / place, file_format="array_record")
        builder.download_and_prepare(file_format="array_record")
        return builder

    with pytest.raises(FileNotFoundError, match="apt-get install wordnet-base"):
        prepare("without")
    folder.mkdir()
    for part in ("noun", "verb", "adj", "adv"):
        lines = [f"{i:08} 03 n 01 word 0 001 @ 00000000 n 0000 | {part} number {i}  \n" for i in range(1, 2001)]
        (folder / f"data.{part}").write_text("  1 The licence. | Not a gloss.\n" + "".join(lines))
    builder = prepare("with")
    texts = {split: [bytes(row["text"]) for row in builder.as_data_source(split)] for split in ("train", "test")}
    glosses = {split: {line for text in rows for line in text.split(b"\n")} for split, rows in texts.items()}
    assert not glosses["train"] & glosses["test"]
    assert glosses["train"] | glosses["test"] == {
        f"{part} number {i}".encode() for part in ("noun", "verb", "adj", "adv") for i in range(1, 2001)
    }
