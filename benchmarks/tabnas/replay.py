"""Searches on an enumerated space: what is proposed is looked up, so that hundreds of repeats cost seconds.

Trials are fed back one by one, before the next proposal. An evaluation is the first trial of a network: twins are free.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isozyme.benchmarks.tabnas.table import Landscape
from isozyme.evaluators.protocol import Status
from isozyme.search import Algorithm, Maximize, Minimize, Trial
from isozyme.search.policy import trial_learner as learning
from isozyme.search.policy.rewards import absolute
from isozyme.search.policy.step import PolicyState
from isozyme.search.randomness import Streams
from isozyme.spaces.choices import of_sizes
from isozyme.spaces.costs import ParameterCount
from isozyme.spaces.limits import Limit
from isozyme.spaces.tabnas import FeedForward

TRIALS, EVALUATIONS = 1_000, 200
_MOMENTUM = 0.95
_OBJECTIVES = (Maximize("quality", 0.0), Minimize("parameters", 1e9))


class Course(NamedTuple):
    """An enumerated space with a limit.

    Attributes:
      space: k widths in each of three layers.
      limit: on the parameters of its networks.
      quality: more is better, float [k, k, k, split]; a search sees the first split.
      parameters: int [k, k, k].
    """

    space: FeedForward
    limit: Limit
    quality: np.ndarray
    parameters: np.ndarray

    @property
    def feasible(self) -> np.ndarray:
        """Bool [k, k, k]."""
        return self.parameters <= self.limit.limit

    @property
    def best(self) -> tuple[int, ...]:
        """The feasible network that is best on the search split."""
        return self._best(np.where(self.feasible, self.quality[..., 0], -np.inf))

    @property
    def unconstrained(self) -> tuple[int, ...]:
        """The network that is best on the search split."""
        return self._best(self.quality[..., 0])

    def _best(self, quality: np.ndarray) -> tuple[int, ...]:
        return tuple(int(index) for index in np.unravel_index(int(quality.argmax()), quality.shape))


def course(known: Landscape, quality: np.ndarray) -> Course:
    """The networks of a landscape, with its limit.

    Args:
      known: of all networks.
      quality: [k, k, k, split], more is better.
    """
    widths = [list(known.space.widths)] * known.space.layers
    cost = ParameterCount(widths, known.space.inputs, known.space.outputs)
    return Course(known.space, Limit(cost, float(known.limit)), quality, known.parameters)


def walk(make: Callable[[], Algorithm], space: Any, on: Course, seeds: range) -> np.ndarray:
    """Runs an algorithm until it has made enough evaluations, or `TRIALS` trials.

    Args:
      make: settings of the algorithm.
      space: that it searches: that of the course, or its feasible part.
      on: what networks are worth.
      seeds: one a repeat.

    Returns:
      What it proposed, int [repeats, trials, layers]; the last one again where it stopped early.
    """
    return np.stack([_walk(make(), space, on, Streams(seed)) for seed in seeds])


def _walk(algorithm: Algorithm, space: Any, on: Course, streams: Streams) -> np.ndarray:
    running = algorithm.start(space, _OBJECTIVES)
    rows: list[tuple[int, ...]] = []
    seen: set[tuple[int, ...]] = set()
    while len(rows) < TRIALS and len(seen) < EVALUATIONS:
        proposal = running.propose(len(rows), streams.of(len(rows)))
        row = proposal.candidate
        metrics = {"quality": float(on.quality[row][0]), "parameters": float(on.parameters[row])}
        running.feedback(Trial(len(rows), proposal, Status.OK, metrics=metrics))
        rows.append(row)
        seen.add(row)
    return np.array(rows + rows[-1:] * (TRIALS - len(rows)))


class Method(NamedTuple):
    """A policy gradient.

    Attributes:
      kind: 'rejection', 'exact' or 'absolute'.
      number: N, or β.
    """

    kind: str
    number: float = 0.0


def learn(method: Method, rate: float, on: Course, seeds: range) -> np.ndarray:
    """Runs policy gradients by the steps that `PolicyGradient` takes, all repeats at once, for `TRIALS` trials.

    Candidates of the rejection are drawn from p(· | V) directly, which is how they are distributed when what is
    infeasible is thrown away. Where none of the N draws is feasible the trial counts and teaches nothing.

    Args:
      method: which.
      rate: of Adam.
      on: what networks are worth.
      seeds: one a repeat.

    Returns:
      What was proposed, int [repeats, trials, layers].
    """
    step = _step(method, rate, on)

    def search(seed: jax.Array) -> jax.Array:
        keys = jax.random.split(jax.random.key(seed), TRIALS)
        return jax.lax.scan(step, _learner(rate, on).start(), keys)[1]

    return np.asarray(jax.jit(jax.vmap(search))(np.array(seeds)))


def _step(method: Method, rate: float, on: Course) -> Callable[[Any, Any], tuple[Any, jax.Array]]:
    """(state, key) to the next state and what was tried."""
    plain = _learner(rate, on)
    exact = learning.exact_learner(plain.policy.points, _settings(rate), on.limit.to_json_str())
    quality, feasible = (jnp.asarray(np.asarray(table)) for table in (on.quality[..., 0], on.feasible))
    shaped = jnp.asarray(absolute(on.quality[..., 0], on.parameters, on.limit.limit, method.number))

    def step(state: PolicyState, key: Any) -> tuple[PolicyState, jax.Array]:
        first, second = jax.random.randint(key, (2,), 0, 2**31 - 1)
        if method.kind == "absolute":
            (row,), (past,) = plain.draw(state.logits, first, 1)
            return plain.reinforce(state, row, shaped[tuple(row)], past), row
        (row,), (past,) = exact.draw(state.logits, first)
        if method.kind == "exact":
            return exact.reinforce(state, row, quality[tuple(row)], past), row
        draws, _ = plain.draw(state.logits, second, int(method.number))
        allowed = feasible[tuple(draws.T)]
        past = plain.policy.log_probability(state.logits, row)
        new = plain.reject(state, row, quality[tuple(row)], past, draws, allowed)
        return jax.tree.map(partial(jnp.where, allowed.any()), new, state), row

    return step


def _learner(rate: float, on: Course) -> learning.TrialLearner:
    return learning.learner(of_sizes(on.parameters.shape), _settings(rate))


def _settings(rate: float) -> learning.TrialSettings:
    return learning.TrialSettings(rate, 0, _MOMENTUM, 0.0)


def progress(on: Course, rows: np.ndarray) -> np.ndarray:
    """The best feasible network so far by the search split, after each evaluation.

    Args:
      on: what networks are worth.
      rows: proposals, int [repeats, trials, layers].

    Returns:
      Its index in the flat space, [repeats, EVALUATIONS]. As long as nothing feasible has been tried, the feasible
      network that is worst on the search split; after the last new network, what it was by then.
    """
    flat = np.asarray(np.ravel_multi_index(tuple(np.moveaxis(rows, -1, 0)), on.parameters.shape))
    seen = np.where(on.feasible, on.quality[..., 0], -np.inf).ravel()
    worst = int(np.where(on.feasible, on.quality[..., 0], np.inf).argmin())
    return np.stack([_best_so_far(one, seen, worst) for one in flat])


def _best_so_far(tried: np.ndarray, seen: np.ndarray, worst: int) -> np.ndarray:
    new = tried[np.sort(np.unique(tried, return_index=True)[1])][:EVALUATIONS]
    values = seen[new]
    leads = values > np.maximum.accumulate(np.append(-np.inf, values[:-1]))
    place = np.maximum.accumulate(np.where(leads, np.arange(len(new)), -1))
    best = np.where(place >= 0, new[place], worst)
    return np.append(best, np.full(EVALUATIONS - len(best), best[-1]))
