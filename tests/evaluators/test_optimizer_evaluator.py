"""Training with candidates: interpreter, compiled path and optax agree; failures are typed; one compilation a task."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from isozyme.evaluators import Job, Status
from isozyme.evaluators.optimizer import OptimizerEvaluator, Task
from isozyme.evaluators.optimizer.interpreter import interpret
from isozyme.evaluators.optimizer.runner import Runner
from isozyme.evaluators.optimizer.tasks import LoadedTask, schedule
from isozyme.evaluators.optimizer.training import FlatNetwork, Update
from isozyme.spaces.lion import NAMED, FlatLayout, OptimizerPrograms, build, step_function

SPACE = OptimizerPrograms()
HEAD = "def train(w, g, v1, v2, lr):\n"


def perceptron(steps, hidden=8, batch_size=32):
    return Task("digits", "digits", "mlp", {"hidden": [hidden]}, batch_size=batch_size, steps=steps)


def walk(seed, steps):
    rng = np.random.default_rng(seed)
    candidate = NAMED["adamw"]
    for _ in range(steps):
        candidate = SPACE.mutate(candidate, rng)
    return candidate


@pytest.fixture(scope="module")
def evaluator():
    """A perceptron, a convolutional network and a transformer, all small."""
    made = OptimizerEvaluator(
        [
            perceptron(40),
            Task("cnn", "digits", "cnn", {"channels": [4]}, batch_size=16, steps=20),
            Task("text", "python_source", "transformer", {"width": 8}, batch_size=8, steps=20, context=8),
        ],
        repeats=2,
    )
    made.prepare()
    made.setup(SPACE, seed=0)
    return made


def from_optax(make):
    """An optax optimizer on the flat vector, for comparison; `lr` scales its updates."""

    def start(w):
        return w, make.init(w)

    def step(state, g, lr):
        w, inner = state
        change, inner = make.update(g, inner, w)
        return w + lr * change, inner

    return Update(start, lambda state: state[0], step)


def plain_adamw(rate, decay):
    """AdamW without bias correction, ε outside the root: what a program without a step counter can say."""

    def init(w):
        return jnp.zeros_like(w), jnp.zeros_like(w)

    def update(g, state, w):
        m, v = 0.1 * g + 0.9 * state[0], 0.001 * g**2 + 0.999 * state[1]
        return -rate * (m / (jnp.sqrt(v) + 1e-8) + decay * w), (m, v)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("adamw", plain_adamw(1e-3, 0.01)),
        ("lion", optax.lion(3e-4, 0.9, 0.99, weight_decay=0.03)),
        ("sgd_momentum", optax.sgd(0.1, momentum=0.9)),
        ("rmsprop", optax.chain(optax.scale_by_rms(0.9, eps=1e-8, eps_in_sqrt=False), optax.scale(-1e-3))),
        ("signsgd", optax.chain(optax.scale_by_sign(), optax.scale(-1e-3))),
    ],
)
def test_published_programs_score_as_in_optax(name, reference):
    """Must show 3: losses within 1e-5 relative over 100 steps in float32, through both paths."""
    task = LoadedTask(perceptron(100), seed=0, download=False)
    interpreter, compiled = Runner(task, SPACE, "interpreter"), Runner(task, SPACE, "compiled")
    expected, _ = interpreter.run(interpreter.compile(from_optax(reference)), "search", 0, 1.0)
    for runner in (interpreter, compiled):
        loss, _ = runner.run(runner.load(NAMED[name]), "search", 0, 1.0)
        assert loss == pytest.approx(expected, rel=1e-5)


def test_interpreter_and_compiled_path_agree(capsys):
    """Must show 3, on 200 random programs: the same status always, losses within 1e-5 where training is not chaotic.

    Chaotic: a start moved by one unit in the last place moves the loss by 1e-6 or more. Where updates are so large that
    they swallow the start's last place, data moved likewise show the same; these are counted apart. Losses above 1,
    which only a program that does harm reaches, are compared relatively: float32 has no more digits.
    """
    task = LoadedTask(perceptron(30), seed=1, download=False)
    interpreter, compiled = Runner(task, SPACE, "interpreter"), Runner(task, SPACE, "compiled")
    weights, batches = jax.device_put(task.batches("search", 0, 1.0))
    moved = jnp.nextafter(weights, jnp.inf)
    rng = np.random.default_rng(9)
    programs = [SPACE.random(rng) for _ in range(60)] + [walk(seed, 1 + seed % 35) for seed in range(140)]
    counts = {"tame": 0, "chaotic": 0, "chaotic in data only": 0, "diverged": 0}
    worst, beyond = 0.0, 0
    data = batches._replace(
        inputs=jnp.nextafter(batches.inputs, jnp.inf), held_inputs=jnp.nextafter(batches.held_inputs, jnp.inf)
    )
    for program in programs:
        run = interpreter.load(program)
        starts = ((weights, batches), (moved, batches), (weights, data))
        loss, from_start, from_data = (float(run(*start)[0]) for start in starts)
        other = float(compiled.load(program)(weights, batches)[0])
        assert math.isfinite(loss) == math.isfinite(other), SPACE.to_source(program)
        small = 1e-6 * max(1.0, loss)
        if not math.isfinite(loss):
            counts["diverged"] += 1
        elif abs(loss - from_start) >= small:
            counts["chaotic"] += 1
        elif abs(loss - from_data) >= small:
            counts["chaotic in data only"] += 1
            beyond += abs(loss - other) > 1e-5 * max(1.0, loss)
        else:
            counts["tame"] += 1
            worst = max(worst, abs(loss - other) / max(1.0, loss))
            assert worst <= 1e-5, SPACE.to_source(program)
    with capsys.disabled():
        print(f"\ninterpreter against compiled path, 200 programs: {counts}, largest difference where tame {worst:.1e}")
        print(f"of those chaotic in data only, {beyond} differ by more than 1e-5")
    assert counts["tame"] > 120
    assert counts["chaotic in data only"] < 10
    assert beyond <= 2
    assert interpreter.compilations() == 1


REDUCTIONS = {
    "scalar": "a = lr * 2.0",
    "tree of scalars": "a = norm(g)",
    "tree": "a = g * 2.0",
}


@pytest.mark.parametrize("body", REDUCTIONS.values(), ids=REDUCTIONS.keys())
@pytest.mark.parametrize(
    "call", ["norm(a)", "global_norm(a)", "dot(a, g)", "dot(a, a)", "cosine_sim(a, w)", "clip_by_global_norm(a, 0.1)"]
)
def test_interpreter_sums_by_kind(body, call):
    """One number counts once, a tree of scalars once a tensor, a tree element by element."""
    program = SPACE.from_source(f"{HEAD}    {body}\n    b = {call}\n    u = g * b\n    return u, v1, v2\n")
    network = FlatNetwork(((2, 3), (4,), ()), lambda tensors, inputs: inputs)
    rng = np.random.default_rng(0)
    w, g = rng.normal(size=11), rng.normal(size=11)
    lowered = SPACE.lower(program)
    lowered = lowered._replace(code=jnp.asarray(lowered.code), registers=jnp.asarray(lowered.registers, jnp.float32))
    update = interpret(network, lowered)
    got = update.weights(update.step(update.start(jnp.float32(w)), jnp.float32(g), jnp.float32(0.7)))
    expected = step_function(build(program), FlatLayout(network.sizes))(w, g, np.zeros(11), np.zeros(11), 0.7)[0]
    np.testing.assert_allclose(got, w - expected, rtol=1e-5, atol=1e-6)


def full(evaluator, candidates, split="search"):
    """Outcomes of the full run."""
    return evaluator.evaluate([Job(candidate, split, stage=1) for candidate in candidates])


def test_one_executable_a_task(evaluator):
    """Whatever the candidate, the repeat, the split or the length of the run: nothing is compiled again."""
    programs = [*NAMED.values(), *(walk(seed, 10) for seed in range(5))]
    evaluator.evaluate([Job(p, stage=stage) for p in programs for stage in range(2)])
    for split in ("selection", "final"):
        full(evaluator, [NAMED["lion"]], split)
    assert [runner.compilations() for runner in evaluator._runners] == [1, 1, 1]


def test_metrics(evaluator):
    """Mean loss over tasks relative to a uniform guess, accuracy, both for each task, and the short run's loss."""
    short, outcome = evaluator.evaluate([Job(NAMED["sgd_momentum"], stage=stage) for stage in range(2)])
    metrics = short.metrics | outcome.metrics
    names = ["digits", "cnn", "text"]
    assert outcome.status is Status.OK
    assert set(metrics) == {"short_loss", "loss", "accuracy"} | {
        f"{m}/{n}" for m in ("loss", "accuracy") for n in names
    }
    assert metrics["loss"] == pytest.approx(np.mean([metrics[f"loss/{n}"] for n in names]))
    assert metrics["accuracy"] == pytest.approx(np.mean([metrics[f"accuracy/{n}"] for n in names]))
    assert metrics["loss/digits"] < metrics["short_loss"] < 1.0
    assert all(0 <= metrics[f"accuracy/{n}"] <= 1 for n in names)


def test_learning_is_real(evaluator):
    """An optimizer that does nothing stays at chance level; one that learns does not."""
    text = f"{HEAD}    u = g * 0.0\n    return u, v1, v2\n"
    still, learning = full(evaluator, [SPACE.from_source(text), NAMED["sgd_momentum"]])
    assert still.metrics["loss"] == pytest.approx(1.0, abs=0.1)
    assert learning.metrics["accuracy/digits"] > 0.3
    assert still.metrics["accuracy/digits"] < 0.2
    assert learning.metrics["loss/text"] < 0.9


def test_twins_score_alike(evaluator):
    """Seeds do not depend on the candidate or its place: equal programs get equal metrics, to the last bit."""
    source = SPACE.to_source(NAMED["adamw"])
    twin = SPACE.from_source(source.replace("w * 0.01", "0.01 * w").replace("wd", "decay"))
    assert twin != NAMED["adamw"]
    first, _, second, again = full(evaluator, [NAMED["adamw"], NAMED["lion"], twin, NAMED["adamw"]])
    assert first.metrics == second.metrics == again.metrics


def test_seeds_and_splits():
    """Other seeds, repeats and splits give other numbers; the same ones the same, in another evaluator too."""
    scores = {}
    for seed in (0, 1, 0):
        made = OptimizerEvaluator([perceptron(20)], repeats=1)
        made.setup(SPACE, seed)
        for split in ("search", "selection", "final"):
            (outcome,) = full(made, [NAMED["sgd_momentum"]], split)
            scores.setdefault((seed, split), set()).add(outcome.metrics["loss"])
    assert all(len(found) == 1 for found in scores.values())
    assert len(set.union(*scores.values())) == 6


def test_conditions_name_everything(evaluator):
    """The key's conditions: version, tasks, split, seeds, path, backend, precision and thread count."""
    conditions = {split: evaluator.conditions(split) for split in ("search", "selection", "final")}
    assert len(set(conditions.values())) == 3
    found = json.loads(conditions["search"])
    assert (found["backend"], found["precision"], found["threads"]) == (jax.default_backend(), "float32", 1)
    assert found["repeats"] == [0, 1]
    assert json.loads(conditions["final"])["repeats"] == [2, 3, 4, 5]
    assert len(found["tasks"]) == 3


BAD = {
    "divides by zero": "u = reciprocal(v1)",
    "overflows": "a = exp10(g)\n    a = exp10(a)\n    u = exp10(a)",
    "outside the domain": "a = arcsin(g)\n    b = a + 2.0\n    u = arcsin(b)",
    "root of a negative power": "a = g - 10.0\n    u = power(a, 0.5)",
    "grows without bound": "u = w * -1e10",
    "not a number as limit": "a = get_pi()\n    b = arcsin(a)\n    u = clip_by_global_norm(g, b)",
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_divergence_is_a_typed_result(evaluator, body):
    """Must show 7: NaN and overflow are results with a reason; metrics that were finite stay, all are finite."""
    candidate = SPACE.from_source(f"{HEAD}    {body}\n    return u, v1, v2\n")
    (outcome,) = evaluator.evaluate([Job(candidate)])
    assert outcome.status is Status.DIVERGED
    assert outcome.reason in ("short_loss is nan", "short_loss is inf")
    assert all(math.isfinite(value) for value in outcome.metrics.values())


def test_stages(evaluator):
    """The short run first, on which hurdles are judged, then everything else; closing splits know the latter only."""
    short, whole = evaluator.evaluate([Job(NAMED["lion"], stage=stage) for stage in range(2)])
    assert list(short.metrics) == ["short_loss"]
    assert {"loss", "accuracy", "loss/digits"} <= set(whole.metrics)
    assert "short_loss" not in whole.metrics
    (closing,) = full(evaluator, [NAMED["lion"]], "selection")
    assert closing.status is Status.OK
    assert closing.metrics["loss"] != whole.metrics["loss"]


def test_compiled_path_of_the_evaluator():
    """`path='compiled'` gives the same metrics as the interpreter, and says so in the conditions."""
    scores = []
    for path in ("interpreter", "compiled"):
        made = OptimizerEvaluator([perceptron(20)], repeats=1, path=path)
        made.setup(SPACE, 0)
        scores.append(full(made, [NAMED["discovered"]])[0].metrics)
        assert json.loads(made.conditions("search"))["path"] == path
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)


def test_large_programs_get_a_larger_executable():
    """More registers than the usual capacity: one more compilation, not a failure."""
    lines = "".join(f"    x{i} = max(g, 0.{i + 1:03d})\n" for i in range(80))
    sums = "    u = x0 + x1\n" + "".join(f"    u = u + x{i}\n" for i in range(2, 80))
    candidate = SPACE.from_source(f"{HEAD}{lines}{sums}    u = u * 0.01\n    return u, v1, v2\n")
    made = OptimizerEvaluator([perceptron(20)], repeats=1)
    made.setup(SPACE, 0)
    outcomes = full(made, [NAMED["lion"], candidate])
    assert [o.status for o in outcomes] == [Status.OK, Status.OK]
    assert made._runners[0].compilations() == 2


@pytest.mark.parametrize("name", ["constant", "cosine", "warmup_cosine"])
def test_schedules(name):
    """Rates lie in (0, 1] and peak at 1 or close to it."""
    rates = schedule(name, 100)
    assert rates.dtype == np.float32
    assert rates.min() > 0
    assert 0.95 < rates.max() <= 1


@pytest.mark.parametrize(
    ("network", "sizes"), [("mlp", {"channels": [4]}), ("cnn", {"hidden": [4]}), ("transformer", {"with": 4})]
)
def test_misspelt_sizes_are_refused_at_once(network, sizes):
    with pytest.raises(ValueError, match="sizes has"):
        Task("t", "digits", network, sizes)


@pytest.mark.parametrize(
    ("network", "sizes"),
    [
        ("mlp", {"hidden": "abc"}),
        ("mlp", {"hidden": [0]}),
        ("mlp", {"hidden": []}),
        ("cnn", {"channels": [True]}),
        ("cnn", {"channels": 4}),
        ("transformer", {"width": -8}),
        ("transformer", {"width": 9}),
    ],
)
def test_wrong_sizes_are_refused_at_once(network, sizes):
    with pytest.raises(ValueError, match="sizes"):
        Task("t", "digits", network, sizes)


def test_tasks_of_one_name_are_refused():
    """Their metrics would overwrite each other."""
    with pytest.raises(ValueError, match="named"):
        OptimizerEvaluator([perceptron(5), perceptron(6)])
