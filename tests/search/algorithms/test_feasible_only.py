"""Evolution within a limit: children, starting points, symbolic costs. Facts are those of tabnas.md."""

import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pyglove as pg
import pytest
from scipy import stats

from isozyme.evaluators.protocol import Status
from isozyme.search import Crossover, Minimize, Mutation, RegularizedEvolution, Trial, examine
from isozyme.search.algorithms.feasible_only import FeasibleOnly
from isozyme.search.algorithms.population import Member
from isozyme.search.exam.toy_search import SPACE, ask_and_tell
from isozyme.spaces.costs import AdditiveCost, ParameterCount
from isozyme.spaces.feasible import FeasibleSpace
from isozyme.spaces.limits import Limit
from isozyme.spaces.template import TemplateSpace
from isozyme.tests.search.policy.feasibility_helpers import WIDTHS

COUNT = ParameterCount([WIDTHS] * 3, 1027)
LIMIT = 41_153.0
NETWORKS = TemplateSpace([pg.oneof(WIDTHS) for _ in range(3)])
TOY_COUNT = ParameterCount([[2, 3, 4]] * 2, 2)
TOY = TemplateSpace([pg.oneof([2, 3, 4]) for _ in range(2)])


def rng(*seed):
    return np.random.default_rng(seed)


def test_uniform_over_feasible_neighbours():
    """Where to go beyond: feasible-only mutation; each feasible neighbour is as likely as any other."""
    parent, count = (3, 10, 2), 20_000
    vary = FeasibleOnly(limit=Limit(COUNT, LIMIT)).start(NETWORKS)
    neighbours = [parent[:i] + (j,) + parent[i + 1 :] for i in range(3) for j in range(20) if j != parent[i]]
    feasible = [one for one in neighbours if COUNT(one) <= LIMIT]
    assert len(feasible) < len(neighbours)
    random = rng(0)
    made = [vary([Member(0.0, 7, parent)], random) for _ in range(count)]
    assert {(proposal.parents, proposal.operator) for proposal in made} == {((7,), "mutate")}
    found = Counter(proposal.candidate for proposal in made)
    assert set(found) == set(feasible)
    assert stats.chisquare([found[one] for one in feasible]).pvalue > 1e-3


def test_infeasible_parents():
    """Design: from a parent beyond the limit the way goes down, until it is feasible."""
    vary = FeasibleOnly(Mutation(), Limit(COUNT, LIMIT)).start(NETWORKS)
    for seed in range(100):
        child = vary([Member(0.0, 3, (19, 19, 19))], rng(seed))
        assert COUNT(child.candidate) <= LIMIT
        assert child.parents == (3,)
    with pytest.raises(ValueError, match=r"no child of 1,000 costs at most 8000; the cheapest costs 8377"):
        FeasibleOnly(Mutation(), Limit(COUNT, 8_000.0)).start(NETWORKS)([Member(0.0, 3, (19, 19, 19))], rng(0))


def test_alone_within_the_limit():
    """Design: where no neighbour is feasible, the parent is proposed again, which costs no evaluation."""
    child = FeasibleOnly(Mutation(), Limit(TOY_COUNT, 15.0)).start(TOY)([Member(0.0, 5, (0, 0))], rng(0))
    assert (child.candidate, child.parents, child.operator) == ((0, 0), (5,), "identity")


def test_crossover():
    """Design: any variation, with its lineage; two feasible parents have infeasible children."""
    parents = [Member(0.0, 1, (2, 0)), Member(0.0, 2, (0, 2))]
    crossover = Crossover(1.0, Mutation())
    free, vary = crossover.start(TOY), FeasibleOnly(crossover, Limit(TOY_COUNT, 25.0)).start(TOY)
    assert vary.parents == 2
    assert any(TOY_COUNT(free(parents, rng(seed)).candidate) > 25 for seed in range(50))
    made = [vary(parents, rng(seed)) for seed in range(50)]
    assert all(TOY_COUNT(proposal.candidate) <= 25 and proposal.parents == (1, 2) for proposal in made)


def test_feasible_space():
    """Design: starting points have the space's distribution given that they are feasible; others are refused."""
    space = FeasibleSpace(TOY, Limit(TOY_COUNT, 25.0))
    for draw in (space.initial, space.random):
        random = rng(1)
        found = Counter(draw(random) for _ in range(6_000))
        assert set(found) == {(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)}
        assert stats.chisquare(list(found.values())).pvalue > 1e-3
    assert space.validate((2, 0)) is None
    assert space.validate((2, 2)) == "costs 37, more than 25"
    assert space.validate((2, 9)) == TOY.validate((2, 9))
    assert (space.version, space.size, space.canonical((1, 1))) == (TOY.version, 9, TOY.canonical((1, 1)))
    assert FeasibleSpace(SPACE, Limit(AdditiveCost([[1.0] * 16, [0.0] * 4]), 0.5)).references == {}
    with pytest.raises(ValueError, match="none of 100,000 candidates costs at most 14"):
        FeasibleSpace(TOY, Limit(TOY_COUNT, 14.0)).initial(rng(0))


def test_search_within_the_limit():
    """Fact 10 and section 1: evolution that is never infeasible gets close to the limit, as 32-144-24 does."""
    space: Any = FeasibleSpace(NETWORKS, Limit(COUNT, LIMIT))
    variation = FeasibleOnly(limit=Limit(COUNT, LIMIT))
    algorithm = RegularizedEvolution(20, 5, variation=variation).start(space, [Minimize("loss", 1.0)])

    def finish(number, proposal):
        assert space.validate(proposal.candidate) is None
        return Trial(number, proposal, Status.OK, metrics={"loss": -float(COUNT(proposal.candidate))})

    events = ask_and_tell(algorithm, 500, finish, lambda number: rng(2, number))
    assert max(COUNT(event.candidate) for event in events if isinstance(event, Trial)) >= 0.99 * LIMIT


def test_exam():
    """The exam for algorithms, with a limit that shuts out the points of four bits and of none but lets the best in."""
    cost = AdditiveCost([[float(abs(point.bit_count() - 2)) for point in range(16)], [0.0] * 64])
    variation = FeasibleOnly(limit=Limit(cost, 1.0))
    assert examine(lambda: RegularizedEvolution(20, 5, variation=variation)) == []


def test_costs_are_symbolic():
    """Design: experiments are stored as JSON, their costs with them."""
    for cost, candidate in ((COUNT, (3, 10, 2)), (AdditiveCost([[1, 2.5], [0]]), (1, 0))):
        variation = FeasibleOnly(Crossover(), Limit(cost, LIMIT))
        space = FeasibleSpace(TOY, Limit(cost, LIMIT))
        for one in (variation, space):
            again = pg.from_json_str(one.to_json_str())
            assert pg.eq(again, one)
            assert again.limit.cost(candidate) == cost(candidate)


def test_importing_takes_no_jax():
    """Design: searches without a policy start without jax."""
    code = "import sys, isozyme.search.algorithms.feasible_only, isozyme.spaces.costs; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
