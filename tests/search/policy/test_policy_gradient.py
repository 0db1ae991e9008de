"""The algorithm `PolicyGradient`: what it learns, what it leaves alone, how it copes with lag, its exam."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyglove as pg
import pytest
from toys import BitStrings

from isozyme.evaluators.protocol import Status
from isozyme.search import Maximize, Minimize, Proposal, Trial
from isozyme.search.algorithms import PolicyGradient
from isozyme.search.exam.exam import CHECKS
from isozyme.search.exam.toy_search import SPACE as POINTS
from isozyme.search.exam.toy_search import Points, ask_and_tell
from isozyme.search.policy.feasible_share import FeasibleShare
from isozyme.search.policy.mapo import MAPO
from isozyme.search.policy.policy import policy_over
from isozyme.search.policy.rewards import CostAware
from isozyme.search.policy.trial_learner import TrialSettings, learner
from isozyme.spaces.choices import of_sizes
from isozyme.spaces.costs import AdditiveCost
from isozyme.spaces.limits import Limit
from isozyme.spaces.template import TemplateSpace

SPACE = TemplateSpace(
    pg.Dict(
        kind=pg.oneof(["none", pg.Dict(width=pg.oneof([8, 16, 32]), skip=pg.oneof([False, True]))]),
        layers=pg.manyof(2, ["conv", "pool", "norm"], distinct=False, sorted=False),
    )
)
POLICY = policy_over(SPACE)
QUALITY = (Maximize("quality", 0.0),)
BITS = AdditiveCost([[float(point.bit_count()) for point in range(16)], [0.0, 0.0]])
EXACT = FeasibleShare(exact=True)
VARIANTS = {
    "rejection": lambda: PolicyGradient(limit=Limit(BITS, 3.0)),
    "exact": lambda: PolicyGradient(limit=Limit(BITS, 3.0), feasible_share=EXACT),
    "mapo": lambda: PolicyGradient(memory=MAPO(threshold=-1.5)),
}


class Sized(Points):
    """Points that offer other choices than their own."""

    def __init__(self, sizes):
        self._sizes = sizes

    def choices(self):
        return of_sizes(self._sizes)


def quality(candidate):
    """The best is width 32 with skip, then two times conv: 4."""
    kind, layers = candidate
    return (2.0 if kind == (1, 2, 1) else 0.0) + layers.count(0)


def search(running, trials, lag=1, seed=0):
    """Asks and tells; returns all trials."""

    def finish(number, proposal):
        assert SPACE.validate(proposal.candidate) is None
        return Trial(number, proposal, Status.OK, metrics={"quality": quality(proposal.candidate)})

    events = ask_and_tell(running, trials, finish, lambda number: np.random.default_rng((seed, number)), lag)
    return [event for event in events if isinstance(event, Trial)]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", VARIANTS)
def test_exam_of_variants(name, check):
    """Design, section 3.3, as for all algorithms: determinism, lag, failures, snapshots; here with the options."""
    assert check(VARIANTS[name], 2) is None


@pytest.mark.parametrize("lag", [1, 8])
def test_it_learns(lag):
    """tunas.md, section 3: the policy comes to draw the best candidate, nested decisions included, at any lag."""
    trials = search(PolicyGradient(0.05).start(SPACE, QUALITY), 600, lag)
    late = [trial.metrics["quality"] for trial in trials[-100:]]
    assert np.mean([trial.metrics["quality"] for trial in trials[:100]]) < 2.0
    assert np.mean(late) > 3.0


def test_an_entropy_bonus_keeps_it_open():
    """tunas.md, section 3: entropy regularisation; the policy stays broader than without."""
    left = []
    for weight in (0.0, 2.0):
        algorithm = PolicyGradient(0.05, entropy=weight).start(SPACE, QUALITY)
        search(algorithm, 300)
        left.append(float(POLICY.entropy(logits(algorithm))))
    assert left[1] > left[0] + 1.0


def test_warm_up():
    """tunas.md, section 3: at rate 0 the baseline settles while the policy stays as it is."""
    settings = PolicyGradient(0.05, warm_up=20)
    before, after = (settings.start(SPACE, QUALITY) for _ in range(2))
    search(before, 20)
    assert (np.concatenate(logits(before)) == 0.0).all()
    assert state(before).average.mean > 0.0
    search(after, 22)
    assert np.concatenate(logits(after)).any()


def state(running):
    """What a run has learned, as its snapshot tells."""
    leaves, structure = jax.tree.flatten(learner(POLICY.points, TrialSettings(0.05, 0, 0.95, 0.0)).start())
    saved = running.snapshot()["state"]
    assert len(saved) == len(leaves)
    return jax.tree.unflatten(structure, [np.asarray(one, np.float32) for one in saved])


def logits(running):
    return [jnp.asarray(row) for row in state(running).logits]


def told(number, candidate, value, proposal=None, status=Status.OK):
    return Trial(number, proposal or Proposal(candidate), status, metrics={"quality": value})


def test_without_lag_the_weight_is_one():
    """Lag: a trial that comes back before the policy has moved moves it as if nobody had asked how old it is; one
    that was more probable then counts less."""
    moved = {}
    for name, log_p in (("own", None), ("impossible", -1_000.0), ("certain", 0.0)):
        algorithm = PolicyGradient(0.05).start(SPACE, QUALITY)
        for number, value in enumerate((1.0, 3.0)):
            proposal = algorithm.propose(number, np.random.default_rng(number))
            note = proposal.note if log_p is None else f"{log_p} 1"
            algorithm.feedback(Trial(number, replace(proposal, note=note), Status.OK, metrics={"quality": value}))
        moved[name] = np.concatenate([np.ravel(leaf) for leaf in state(algorithm).optimizer[0].mu])
    np.testing.assert_allclose(moved["own"], moved["impossible"], rtol=1e-6)
    assert np.abs(moved["certain"]).max() < 0.2 * np.abs(moved["own"]).max()


def test_what_others_proposed_teaches_nothing():
    """Lag: nobody knows how probable it was; nor does an invalid candidate, or a failure before any reward."""
    settings = PolicyGradient(0.05)
    algorithm = settings.start(SPACE, QUALITY)
    search(algorithm, 10)
    before = algorithm.snapshot()["state"]
    algorithm.feedback(told(10, (0, (0, 0)), 9.0))
    algorithm.feedback(told(11, (7, (0, 0)), 9.0))
    assert algorithm.snapshot()["state"] == before
    algorithm = settings.start(SPACE, QUALITY)
    start = algorithm.snapshot()
    proposal = algorithm.propose(0, np.random.default_rng(0))
    algorithm.feedback(told(0, proposal.candidate, 9.0, proposal, Status.CRASHED))
    assert algorithm.snapshot() == start


def test_a_failure_gets_the_worst_reward_so_far():
    """Design, section 3.7: a failure is a result; it moves the policy as a trial with the worst reward would."""
    states = []
    for status in (Status.OK, Status.TIMED_OUT):
        algorithm = PolicyGradient(0.05).start(SPACE, QUALITY)
        for number, value in enumerate((2.0, -1.0, 3.0)):
            proposal = algorithm.propose(number, np.random.default_rng(number))
            algorithm.feedback(told(number, proposal.candidate, value, proposal))
        proposal = algorithm.propose(3, np.random.default_rng(3))
        value = -1.0 if status is Status.OK else 100.0  # Of a failure metrics do not count.
        algorithm.feedback(told(3, proposal.candidate, value, proposal, status))
        states.append(algorithm.snapshot())
    assert states[0] == states[1]


def test_reward_of_cost():
    """Fact 7 of tunas.md in a search: with the absolute reward the policy ends at the target, not at the best."""
    space = TemplateSpace(pg.Dict(size=pg.oneof([1, 2, 3, 4, 5])))
    settings = PolicyGradient(0.05, reward=CostAware(kind="absolute", cost="size", target=3.0, beta=-5.0))
    algorithm = settings.start(space, (Minimize("loss", 10.0),))

    def finish(number, proposal):
        size = proposal.candidate[0] + 1.0
        return Trial(number, proposal, Status.OK, metrics={"loss": 5.0 - size, "size": size})

    ask_and_tell(algorithm, 500, finish, np.random.default_rng)
    assert np.argmax(algorithm.snapshot()["state"][0]) == 2  # The logits of the only choice come first.


def test_one_compilation_serves_all_searches():
    """Task: compiled once a space, whatever is proposed, fed back, restored or started again."""
    algorithm = PolicyGradient(0.03).start(SPACE, QUALITY)
    search(algorithm, 40)
    compiled: Any = learner(POLICY.points, TrialSettings(0.03, 0, 0.95, 0.0))  # The one that all searches share.
    sizes = [function._cache_size() for function in (compiled.draw, compiled.reinforce)]
    assert min(sizes) > 0
    search(PolicyGradient(0.03).start(SPACE, QUALITY), 40, lag=5, seed=1)
    snapshot = algorithm.snapshot()
    other = PolicyGradient(0.03).start(SPACE, QUALITY)
    other.restore(snapshot, lambda number: pytest.fail(f"asked for trial {number}"))
    assert other.snapshot() == snapshot
    assert [function._cache_size() for function in (compiled.draw, compiled.reinforce)] == sizes


@pytest.mark.parametrize(
    ("algorithm", "space", "message"),
    [
        (PolicyGradient(), BitStrings(), "BitStrings offers no `choices`"),
        (PolicyGradient(), Sized((17, 2)), r"not those of the space: \(16, 0\)"),
        (PolicyGradient(), TemplateSpace(pg.Dict(x=1)), "no choices"),
        (PolicyGradient(), TemplateSpace(pg.Dict(x=pg.floatv(0.0, 1.0))), "x: a policy over choices cannot"),
        (PolicyGradient(limit=Limit(BITS, 3.0), memory=MAPO(threshold=0.0)), SPACE, "do not go together"),
        (PolicyGradient(limit=Limit(BITS, 3.0), feasible_share=EXACT), SPACE, "takes independent choices"),
        (PolicyGradient(limit=Limit(BITS, 3.0), feasible_share=EXACT), Sized((8, 2)), r"the cost \(16, 2\)"),
        (PolicyGradient(limit=Limit(AdditiveCost([[2.0] * 16, [1.0] * 2]), 2.5), feasible_share=EXACT), POINTS,
         "nothing costs as little as 2.5"),
    ],
)  # fmt: skip
def test_what_is_refused(algorithm, space, message):
    """Task: one line that says what is wrong, before anything is proposed."""
    with pytest.raises(ValueError, match=message) as refusal:
        algorithm.start(space, QUALITY)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", VARIANTS)
def test_experiments_can_store_it(name):
    """docs/architecture.md: experiments are stored as JSON."""
    algorithm = VARIANTS[name]()
    assert pg.from_json_str(pg.to_json_str(algorithm)) == algorithm
