"""Simplification by keys and by tests of no loss (issue 6: 4): toys with known answers, and a real evaluation."""

from collections.abc import Sequence

import numpy as np
import pytest

from isozyme import hashing
from isozyme.evaluators import Job, Status
from isozyme.evaluators.optimizer import OptimizerEvaluator, Task
from isozyme.search.validation.simplification import Simplification, result, simplify
from isozyme.spaces.lion import OptimizerPrograms

MARGIN = 0.005


class Parts:
    """Candidates are sets of parts, as sorted tuples of names; '_' marks one without any effect."""

    version = "parts-1"

    def canonical(self, candidate: tuple[str, ...]) -> bytes:
        return " ".join(part for part in candidate if not part.startswith("_")).encode()

    def probe(self, candidate: tuple[str, ...]) -> Sequence[np.ndarray] | None:
        del candidate

    def simplifications(self, candidate: tuple[str, ...]) -> list:
        steps = [(f"{part} is dead", part) for part in candidate if part.startswith("_")]
        found = []
        for description, part in steps:
            candidate = tuple(p for p in candidate if p != part)
            found.append((description, candidate))
        return found

    def reductions(self, candidate: tuple[str, ...]) -> list:
        return [(f"without {part}", tuple(p for p in candidate if p != part)) for part in candidate]


class Costs:
    """1 and what the parts that are missing are worth, times noise that candidates share, and a little of their own."""

    def __init__(self, worth: dict[str, float], noise: float = 0.0, seed: int = 0) -> None:
        self.worth, self.noise, self.seed = worth, noise, seed
        self.asked: list[tuple[tuple[str, ...], int]] = []

    def __call__(self, candidates: Sequence, evaluations: Sequence[int]) -> np.ndarray:
        self.asked += [(candidate, evaluation) for candidate in candidates for evaluation in evaluations]
        return np.array([[self.cost(candidate, evaluation) for evaluation in evaluations] for candidate in candidates])

    def cost(self, candidate: tuple[str, ...], evaluation: int) -> float:
        missing = [worth for part, worth in self.worth.items() if part not in candidate]
        shared = np.random.default_rng([self.seed, evaluation]).normal()
        own = np.random.default_rng([self.seed, evaluation, *"/".join(candidate).encode()]).normal()
        return float((1.0 + sum(missing) + self.noise * own) * np.exp(shared))


def run(candidate, costs, **settings):
    steps = simplify(Parts(), candidate, costs, Simplification(margin=MARGIN, **settings))
    return steps, result(steps)


def test_known_answer():
    """Dead parts go by their key, useless ones by a test, useful ones stay; every step says why."""
    candidate = ("_dead", "bad", "good", "useless")
    steps, final = run(candidate, Costs({"good": 0.1, "useless": 0.0, "bad": -0.05}, noise=0.001))
    assert final == ("good",)
    assert steps[0].candidate == candidate
    assert steps[1].description == "_dead is dead"
    key = hashing.static_key(Parts(), ("bad", "good", "useless")).hex()[:12]
    assert steps[1].evidence == f"key {key} as before"
    assert all("%" in step.evidence and "evaluations" in step.evidence for step in steps[2:])
    assert {s.accepted for s in steps if s.description == "without good"} == {False}


def test_small_losses_do_not_add_up():
    """Each step is compared with the best candidate so far: of ten parts worth 0.2 % each, two may go at 0.5 %."""
    parts = tuple(f"p{i}" for i in range(10))
    _, final = run(parts, Costs(dict.fromkeys(parts, 0.002)))
    assert len(final) == 8


def test_what_a_step_gains_is_not_spent():
    """A part that is worth 5 % stays, though without the bad one, which costs 10 %, all is still better than found."""
    steps, final = run(("bad", "good"), Costs({"good": 0.05, "bad": -0.1}))
    assert final == ("good",)
    assert steps[-1].description == "confirmed on fresh evaluations"


def test_hopeless_reductions_end_early():
    """Issue 6: evaluations are spent wisely; nothing is asked twice."""
    costs = Costs({"good": 0.5, "useless": 0.0}, noise=0.001)
    run(("good", "useless"), costs)
    assert len([c for c, _ in costs.asked if c == ("useless",)]) == 3
    assert len(set(costs.asked)) == len(costs.asked)


def test_confirmed_on_fresh_draws():
    """What only looks harmless on the evaluations that chose it is taken back."""

    class Lucky(Costs):
        def cost(self, candidate, evaluation):
            return super().cost(candidate, evaluation) + (
                0.1 if evaluation >= 12 and "second" not in candidate else 0.0
            )

    steps, final = run(("first", "second"), Lucky({"first": 0.0, "second": 0.0}))
    assert final == ("second",)
    assert [(s.description, s.accepted) for s in steps[-2:]] == [
        ("not confirmed", False),
        ("confirmed on fresh evaluations", True),
    ]
    steps, final = run(("_dead", "second"), Lucky({"second": 0.0}))
    assert final == ("second",)
    assert steps[-1].description == "back to what keeps behaviour"


@pytest.mark.parametrize(("loss", "at_least", "at_most"), [(MARGIN, 0.0, 0.1), (0.0, 0.8, 1.0)])
def test_error_rates(loss, at_least, at_most):
    """A loss of just the margin is taken in at most 5 % of tests (100 of them: 0.1 is 2.3 standard errors away)."""
    taken = 0
    for seed in range(100):
        steps, _ = run(("part",), Costs({"part": loss}, noise=0.004, seed=seed))
        taken += next(step.accepted for step in steps if step.description == "without part")
    assert at_least <= taken / 100 <= at_most


def test_failures():
    """A reduction that fails is not taken; a candidate that fails itself is simplified by keys alone."""
    _, final = run(("needed", "useless"), Costs({"needed": np.inf, "useless": 0.0}))
    assert final == ("needed",)
    steps, final = run(("_dead", "part"), Costs({"absent": np.inf, "part": 0.0}))
    assert final == ("part",)
    assert "nothing can be compared" in steps[0].evidence
    assert len(steps) == 2


SOURCE = """
def train(w, g, v1, v2, lr):
    c = interpolate(g, v1, 0.9)
    a = c * c
    b = sqrt(a)
    s = c / b
    d = sin(w)
    e = d * 0.00001
    s = s + e
    v1 = interpolate(g, v1, 0.99)
    lr = lr * 0.01
    s = s * lr
    v2 = cosh(s)
    return s, v1, v2
"""


def test_real_training():
    """Issue 6, 4: a padded sign-momentum learns digits as well without its padding; what it learns by stays."""
    space = OptimizerPrograms()
    task = Task("digits", "digits", "mlp", {"hidden": [16]}, batch_size=16, steps=80)
    evaluator = OptimizerEvaluator([task], repeats=1)
    evaluator.setup(space, 0)

    def costs(candidates, evaluations):
        outcomes = [evaluator.evaluate([Job(c, stage=1, evaluation=d) for d in evaluations]) for c in candidates]
        return np.array([[o.metrics["loss"] if o.status == Status.OK else np.inf for o in row] for row in outcomes])

    raw = space.from_source(SOURCE)
    steps = simplify(space, raw, costs, Simplification(evaluations=6, margin=0.02))
    final = result(steps)
    assert space.form(raw)["live_length"] == 10
    assert space.form(final)["live_length"] <= 5
    assert "sign(" in space.to_source(final)
    assert "sin(" not in space.to_source(final)
    loss, best = costs([raw, final], range(100, 106)).mean(axis=1)
    assert loss < 0.5
    assert best < loss * 1.02
