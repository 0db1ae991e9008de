"""The small families of benchmarks/hashing.py, and its collision curve: functional_hashing.md, facts 9, 11 and 14."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.benchmarks.equivalence import curve, expressions, ridge
from isozyme.benchmarks.equivalence.activations import Activations
from isozyme.benchmarks.equivalence.evaluators import ActivationEvaluator, FeatureEvaluator
from isozyme.benchmarks.equivalence.features import FeatureGraphs, Features, Gene
from isozyme.evaluators import Job, Status
from isozyme.hashing import numeric_key, static_key
from isozyme.spaces import InvalidCandidate
from isozyme.spaces.lion import OptimizerPrograms

GRAPHS, LAMBDAS = FeatureGraphs(), Activations()
SPACES = pytest.mark.parametrize("space", [GRAPHS, LAMBDAS], ids=["graphs", "lambdas"])
SEEDS = st.integers(0, 2**32 - 1)


def walk(space, seed, steps):
    """Candidates, each a child of the one before."""
    rng = np.random.default_rng(seed)
    candidates = [space.random(rng), space.initial(rng)]
    for _ in range(steps):
        candidates.append(space.mutate(candidates[-1], rng))
    return candidates


@SPACES
@given(seed=SEEDS)
def test_children_are_valid_and_survive_as_text(space, seed):
    candidates = walk(space, seed, 10)
    assert [space.validate(one) for one in candidates] == [None] * 12
    assert [space.from_source(space.to_source(one)) for one in candidates] == candidates
    assert len(set(candidates)) > 5


@SPACES
@given(seed=SEEDS)
def test_one_static_key_means_one_behaviour(space, seed):
    """Fact 9: whatever the static key is blind to, changes no value by more than rounding."""
    known = {}
    for candidate in walk(space, seed, 10):
        values = space.probe(candidate)[0]
        other = known.setdefault(static_key(space, candidate), values)
        np.testing.assert_allclose(values, other, rtol=1e-9, atol=1e-12)


def graph(*genes, outputs=(0, 0, 10)):
    """A candidate whose first genes are given."""
    return Features((*genes, *[Gene("sign", (0,))] * (24 - len(genes))), outputs)


def test_keys_of_graphs():
    """Fact 9: dead genes and commuted operands have one static key; x·x and square(x) one numeric key."""
    product = graph(Gene("multiply", (1, 2)))
    assert static_key(GRAPHS, product) == static_key(GRAPHS, graph(Gene("multiply", (2, 1)), Gene("tanh", (3,))))
    square, itself = graph(Gene("square", (1,))), graph(Gene("multiply", (1, 1)))
    assert static_key(GRAPHS, square) != static_key(GRAPHS, itself)
    assert numeric_key(GRAPHS, square) == numeric_key(GRAPHS, itself)
    less = graph(Gene("constant", (), 1.5), Gene("subtract", (1, 10)), Gene("multiply", (11, 10)), outputs=(12, 0, 0))
    assert numeric_key(GRAPHS, less) == numeric_key(GRAPHS, graph(outputs=(0, 1, 0)))
    distinct = [product, square, graph(Gene("divide", (1, 2))), graph(Gene("divide", (2, 1))), graph()]
    assert len({numeric_key(GRAPHS, one) for one in distinct}) == len(distinct)


def test_keys_of_lambdas():
    """Fact 9."""

    def keys(text):
        candidate = LAMBDAS.from_source(text)
        return static_key(LAMBDAS, candidate), numeric_key(LAMBDAS, candidate)

    assert keys("lambda x: x + np.tanh(x)") == keys("lambda x: np.tanh(x) + x")
    for one, other in (("x * x", "np.square(x)"), ("-x", "0 - x"), ("x / 2", "0.5 * x"), ("np.maximum(x, x)", "1 * x")):
        (static, numeric), (other_static, other_numeric) = keys(f"lambda x: {one}"), keys(f"lambda x: {other}")
        assert (static == other_static, numeric == other_numeric) == (False, True)
    texts = ["x", "1 - x", "x - 1", "np.sign(x)", "np.tanh(x)", "np.sqrt(x)", "0.0", "1 / x", "x / x", "np.exp(x)"]
    assert len({keys(f"lambda x: {text}")[1] for text in texts}) == len(texts)


@pytest.mark.parametrize(
    "text",
    [
        "x", "lambda: 1", "lambda x, y: x", "lambda x=1: x", "lambda *x: x", "lambda x: y", "lambda x: True",
        "lambda x: 'a'", "lambda x: 1e999", "lambda x: " + "9" * 400, "lambda x: x ** 2", "lambda x: x if x else 1",
        "lambda x: x.real", "lambda x: np.load(x)", "lambda x: np.tanh(x, x)", "lambda x: np.tanh(x, out=x)",
        "lambda x: np.tanh(*x)", "lambda x: os.tanh(x)", "lambda x: tanh(x)", "lambda x: __import__('os')",
        "lambda x: (lambda y: y)(x)", "lambda x: [x][0]", "lambda x: (", "import os", "", "lambda x: \0",
        "lambda x: " + "-" * 5_000 + "x", "lambda x: " + "x + " * 20 + "x",
    ],
)  # fmt: skip
def test_foreign_texts_are_refused(text):
    with pytest.raises(InvalidCandidate):
        LAMBDAS.from_source(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v10 = multiply(v1, v2)", "v10 = multiply(v1)"), ("v10 = multiply(v1, v2)", "v10 = multiply(v1, v10)"),
        ("v10 = multiply(v1, v2)", "v11 = multiply(v1, v2)"), ("v10 = multiply(v1, v2)", "v10 = load(v1, v2)"),
        ("v10 = multiply(v1, v2)", "v10 = constant(nan)"), ("v10 = multiply(v1, v2)", "v10 = constant(one)"),
        ("v10 = multiply(v1, v2)\n", ""), ("return v0, v0, v10", "return v0, v0, v34"), ("return ", "")
    ],
)  # fmt: skip
def test_what_is_no_graph_is_refused(old, new):
    text = GRAPHS.to_source(graph(Gene("multiply", (1, 2))))
    assert old in text
    wrong = text.replace(old, new) if new or old.endswith("\n") else "return v0"
    with pytest.raises(InvalidCandidate):
        GRAPHS.from_source(wrong)


EVALUATORS = pytest.mark.parametrize(
    ("space", "evaluator"), [(GRAPHS, FeatureEvaluator()), (LAMBDAS, ActivationEvaluator())], ids=["graphs", "lambdas"]
)


@EVALUATORS
def test_one_key_means_one_score(space, evaluator):
    """Fact 14: candidates of one numeric key score alike."""
    evaluator.setup(space, 0)
    losses = {}
    for seed in range(3):
        for candidate in walk(space, seed, 12):
            (outcome,) = evaluator.evaluate([Job(candidate)])
            losses.setdefault(numeric_key(space, candidate), []).append(outcome.metrics.get("loss", np.inf))
    assert sum(map(len, losses.values())) > 1.2 * len(losses)
    for values in losses.values():
        np.testing.assert_allclose(values, values[0], rtol=1e-6)
    assert len({round(values[0], 9) for values in losses.values()}) > 10


@EVALUATORS
def test_scores_depend_on_seed_split_and_candidate_alone(space, evaluator):
    candidate = space.random(np.random.default_rng(3))
    found = []
    for seed in (0, 1, 0):
        evaluator.setup(space, seed)
        for split in ("search", "selection", "final"):
            (outcome,) = evaluator.evaluate([Job(candidate, split)])
            found.append((evaluator.conditions(split), outcome.metrics["loss"]))
    assert found[:3] == found[6:]
    assert len(dict(found)) == 6
    assert all(0.1 < loss < 1.0 for _, loss in found)


def test_what_is_worth_something_scores_better():
    """Real data: rectified units beat linear ones, and body mass times blood pressure helps."""
    digits = ActivationEvaluator()
    digits.setup(LAMBDAS, 0)
    linear, relu = (digits.evaluate([Job(LAMBDAS.references[name])])[0].metrics for name in ("identity", "relu"))
    assert relu["loss"] < 0.8 * linear["loss"]
    assert relu["accuracy"] > linear["accuracy"] > 0.8
    table = FeatureEvaluator()
    table.setup(GRAPHS, 0)
    plain, product = graph(outputs=(0, 1, 2)), graph(Gene("multiply", (2, 3)))
    worse, better = (table.evaluate([Job(one)])[0].metrics["loss"] for one in (plain, product))
    assert better < worse < 0.6


def test_what_is_not_finite_diverges():
    digits, table = ActivationEvaluator(), FeatureEvaluator()
    digits.setup(LAMBDAS, 0)
    table.setup(GRAPHS, 0)
    broken = graph(Gene("subtract", (1, 1)), Gene("divide", (2, 10)), outputs=(11, 0, 0))
    outcomes = [digits.evaluate([Job("lambda x: np.sqrt(x)")])[0], table.evaluate([Job(broken)])[0]]
    assert [one.status for one in outcomes] == [Status.DIVERGED] * 2
    assert all(one.reason and not one.metrics for one in outcomes)
    assert GRAPHS.probe(broken)[0].shape == (128, 3)


def test_the_read_out():
    """Exact on a line; factors, offsets, order and constant columns change nothing."""
    rng = np.random.default_rng(0)
    inputs, others = rng.normal(size=(50, 3)), rng.normal(size=(9, 3))
    weights = np.array([1.0, -2.0, 3.0])
    np.testing.assert_allclose(ridge.predict(inputs, inputs @ weights + 5, others), others @ weights + 5, atol=0.05)
    targets = rng.normal(size=(50, 2))
    moved = [np.column_stack([part[:, ::-1] * [2.0, -1e6, 1e-6] + 7, np.full(len(part), 3.3)])
             for part in (inputs, others)]  # fmt: skip
    expected = ridge.predict(inputs, targets, others)
    np.testing.assert_allclose(ridge.predict(moved[0], targets, moved[1]), expected, rtol=1e-4)


@given(seed=SEEDS)
def test_rewriting_changes_rounding_only(seed):
    rng = np.random.default_rng(seed)
    tree = expressions.read(LAMBDAS.random(rng))
    x = rng.uniform(0.5, 2.0, 20)
    with np.errstate(all="ignore"):
        one, other = (expressions.function(t)(x) + 0 * x for t in (tree, expressions.rewritten(tree)))
        close = np.isclose(one, other, rtol=1e-6, atol=1e-6, equal_nan=True) | (np.abs(one) > 1e6)
    assert close.mean() > 0.5  # What cancels, or divides by what cancels, may go astray.
    assert expressions.rewritten(expressions.read("lambda x: x / (x + 2 + 3)")) == (
        "multiply", "x", ("divide", 1.0, ("add", "x", ("add", 2.0, 3.0)))
    )  # fmt: skip


def test_the_collision_curve_falls():
    """Fact 11: models per hash decrease with the bits of the mantissa to 1; rounding splits equals at 52 bits only."""
    different = [
        behaviour
        for space in (GRAPHS, LAMBDAS, OptimizerPrograms())
        for behaviour in curve.different(space, curve.random_candidates(space, 150, seed=0))
    ]
    close = curve.close_pairs(curve.adamw_mutants(100, seed=2), seed=0)
    equal = curve.rewritten_pairs(100, seed=0)
    points = [curve.errors(different, close, equal, bits) for bits in (1, 3, 5, 7, 12, 24)]
    for values in ([p.models_per_key for p in points], [p.merged for p in points]):
        assert values == sorted(values, reverse=True)
    assert points[0].models_per_key > 1.03
    assert points[-1].models_per_key == points[-1].models_per_key_either == 1.0
    assert points[0].merged > 0.2
    assert points[-1].merged == 0.0
    for point in points:
        assert point.merged_either >= point.merged
        assert point.split_either <= point.split <= 0.03
    assert points[-1].split == 0.0
    assert curve.errors(different, close, equal, 52).split > 0.5


def test_merged_candidates_are_counted():
    """Three behaviours, of which one bit tells two apart, and 12 bits all."""
    behaviours = [[np.array([value])] for value in (1.0, 1.001, 3.0)]
    pair = behaviours[0], behaviours[1]
    coarse, fine = (curve.errors(behaviours, [pair], [pair], bits) for bits in (1, 12))
    assert (coarse.models_per_key, coarse.merged, coarse.split) == (1.5, 1.0, 0.0)
    assert (fine.models_per_key, fine.merged, fine.split) == (1.0, 0.0, 1.0)
