"""One-shot search: policy and shared weights in one compiled step, its checkpoint, and the proposals that follow."""

import jax
import jax.numpy as jnp
import numpy as np
import pyglove as pg
import pytest

from isozyme.search import JournalError, Maximize, OneShot
from isozyme.search.algorithms.one_shot import FILE, LearnedPolicy
from isozyme.search.policy.feasible_share import FeasibleShare
from isozyme.search.policy.rewards import Shaped
from isozyme.spaces.costs import ParameterCount
from isozyme.spaces.limits import Limit
from isozyme.spaces.template import TemplateSpace

WIDTHS = [2, 3, 4]
COUNT = ParameterCount([WIDTHS] * 2, inputs=2, outputs=1)
SPACE = TemplateSpace([pg.oneof(WIDTHS) for _ in range(2)])
# tabnas.md, section 2: rewards of the toy, of which 25 parameters allow six; the best of these is 4-2.
REWARDS = 1.0 - np.array([[0.90, 0.90, 0.66], [0.90, 0.66, 0.30], [0.60, 0.30, 0.10]])
LIMIT, BEST = 25.0, (2, 0)
OBJECTIVES = [Maximize("score", 0.0)]


@pg.members([("settled", pg.typing.Int(100))])
class Tabulated(pg.Object):
    """Qualities from a table, blurred by noise as long as a candidate's weights have not been trained."""

    def prepare(self):
        pass

    def setup(self, space, seed):
        del space, seed

    def conditions(self, split):
        return f"tabulated-1 {split} {self.settled}"

    def start(self, seed):
        return {
            "trained": jnp.zeros(REWARDS.shape, jnp.int32),
            "widest": jnp.zeros((), jnp.int32),
            "seed": jnp.int32(seed),
        }

    def train(self, state, choices, key, warm):
        del key
        trained = state["trained"].at[choices[0], choices[1]].add(jnp.where(warm, 0, 1))
        return state | {"trained": trained, "widest": state["widest"] + warm}

    def quality(self, state, choices, key):
        noise = 0.2 * jax.random.normal(key) / (1.0 + state["trained"][choices[0], choices[1]])
        return jnp.asarray(REWARDS, jnp.float32)[choices[0], choices[1]] + noise

    def score(self, state, choices, split):
        raise AssertionError("a search does not ask for it")


def made(steps=2_500, **options):
    options = {"limit": Limit(COUNT, LIMIT), "feasible_share": FeasibleShare(exact=True)} | options
    return OneShot(supernet=Tabulated(), steps=steps, learning_rate=0.02, save_every=250, **options)


def state_of(folder):
    with np.load(folder / FILE, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("share", [FeasibleShare(exact=True), FeasibleShare(samples=5)])
def test_it_finds_the_best_feasible_network(share, tmp_path):
    """tabnas.md, fact 9: a learning rate of 0.02 and 2,500 steps find 4-2; by rejection or exactly."""
    seen = []
    settings = made(feasible_share=share)
    learned = settings.learn(SPACE, 1, tmp_path, lambda step, values: seen.append((step, values)))
    assert [step for step, _ in seen] == list(range(250, 2_501, 250))
    assert all(values["trained"] == 1.0 for _, values in seen) == share.exact
    assert all(values["cost"] <= LIMIT for _, values in seen)
    assert seen[-1][1]["entropy"] < seen[0][1]["entropy"] == pytest.approx(2 * np.log(3))  # The warm-up ends at 625.
    algorithm = learned.start(SPACE, OBJECTIVES)
    rng = np.random.default_rng(0)
    assert algorithm.propose(0, rng).candidate == BEST
    drawn = [algorithm.propose(number, rng).candidate for number in range(1, 50)]
    assert all(COUNT(candidate) <= LIMIT for candidate in drawn)


def test_a_shaped_reward_does_not(tmp_path):
    """tabnas.md, section 6: under the absolute reward at -2 a factorised policy ends at 3-3."""
    learned = made(limit=None, shaped=Shaped("absolute", COUNT, LIMIT, -2.0)).learn(SPACE, 1, tmp_path)
    algorithm = learned.start(SPACE, OBJECTIVES)
    assert algorithm.propose(0, np.random.default_rng(0)).candidate == (1, 1)


def test_one_executable_whatever_is_drawn(tmp_path):
    """Nothing is compiled again when the sample changes, nor for a last chunk of another length."""
    learner = made(100, warm_up=0.1).learner(SPACE, 0)
    state = learner.start()
    for steps in (30, 1, 69):
        state, _ = learner.run(state, steps)
    assert int(state.step) == 100
    assert learner.compilations() == 1


def test_an_infeasible_draw_changes_nothing(tmp_path):
    """tabnas.md, fact 11: weights, baseline and logits are bit-identical."""
    learner = made(200, warm_up=0.0, feasible_share=FeasibleShare(samples=5)).learner(SPACE, 3)
    state, skipped = learner.start(), 0
    for _ in range(60):
        before = jax.tree.leaves(state._replace(step=jnp.zeros(())))
        state, seen = learner.run(state, 1)
        after = jax.tree.leaves(state._replace(step=jnp.zeros(())))
        same = all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
        assert same or float(seen.taken) == 1.0
        skipped += float(seen.taken) == 0.0
    assert 5 < skipped < 40  # A third of the draws of a uniform policy.


def test_a_search_goes_on_from_its_checkpoint(tmp_path):
    """Whatever came after the last one is done again, and comes out the same, to the bit."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    made(1_000).learn(SPACE, 5, whole)

    class Killed(BaseException):
        pass

    def kill(step, values):
        if step == 500:
            raise Killed

    with pytest.raises(Killed):
        made(1_000).learn(SPACE, 5, cut, kill)
    steps = []
    resumed = made(1_000)
    resumed.learn(SPACE, 5, cut, lambda step, values: steps.append(step))
    assert steps == [750, 1_000]
    assert all(np.array_equal(a, b) for a, b in zip(state_of(whole).values(), state_of(cut).values(), strict=True))
    steps.clear()
    resumed.learn(SPACE, 5, cut, lambda step, values: steps.append(step))
    assert steps == []  # Nothing is left to do.


def test_checkpoints_that_do_not_fit(tmp_path):
    """Of another seed or search; damaged. One line, and the file is left as it is."""
    made(250).learn(SPACE, 5, tmp_path)
    content = (tmp_path / FILE).read_bytes()
    for other, seed in ((made(250), 6), (made(500), 5)):
        with pytest.raises(JournalError, match=r"one_shot.npz: made under other conditions"):
            other.learn(SPACE, seed, tmp_path)
    (tmp_path / FILE).write_bytes(content[:-100])
    with pytest.raises(JournalError, match=r"one_shot.npz: damaged"):
        made(250).learn(SPACE, 5, tmp_path)
    assert (tmp_path / FILE).read_bytes() == content[:-100]


def test_a_uniform_policy_draws_all_candidates_equally_often():
    algorithm = LearnedPolicy([np.zeros(3)] * 2).start(SPACE, OBJECTIVES)
    rng = np.random.default_rng(0)
    drawn = [algorithm.propose(number, rng).candidate for number in range(1, 2_001)]
    counts = np.array([drawn.count(genes) for genes in SPACE.points()])
    assert counts.sum() == 2_000
    assert ((counts - 2_000 / 9) ** 2 / (2_000 / 9)).sum() < 26.1  # chi-square with 8 degrees of freedom, p = 0.001


def test_bad_options():
    with pytest.raises(ValueError, match="limit and shaped: a search has one of them"):
        made(shaped=Shaped("absolute", COUNT, LIMIT, -2.0))
    nothing = LearnedPolicy([np.zeros(3)] * 2, Limit(COUNT, 3.0)).start(SPACE, OBJECTIVES)
    with pytest.raises(ValueError, match="limit"):
        nothing.propose(1, np.random.default_rng(0))
