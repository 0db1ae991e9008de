"""Variation: operators that a space names, and crossover (lion.md, section 4)."""

import math
from collections import Counter

import numpy as np
import pytest

from isozyme.search import Crossover, Mutation, Proposal
from isozyme.search.algorithms.population import Member
from isozyme.search.exam.toy_search import SPACE
from isozyme.spaces.lion import OptimizerPrograms
from isozyme.spaces.lion.mutation import delete, insert, modify
from isozyme.spaces.lion.named import NAMED
from isozyme.tests.toys import BitStrings


def rng(*seed):
    return np.random.default_rng(seed)


def old_mutation(program, random, max_statements):
    """What spaces/lion/mutation.py did before operators had names."""
    while True:
        kind = int(random.integers(3))
        if kind == 0:
            child = insert(program, random) if len(program.statements) < max_statements else None
        else:
            child = (delete if kind == 1 else modify)(program, random)
        if child is not None:
            return child


@pytest.mark.parametrize("longest", [9, 60])
def test_named_operators_draw_as_mutate_does(longest):
    """lion.md, section 4: insert, delete, modify, each equally likely; the same seed gives the child it always gave."""
    space = OptimizerPrograms(max_statements=longest)
    operators: Counter[str] = Counter()
    mutation = Mutation().start(space)
    program = NAMED["adamw"]
    for seed in range(300):
        proposal = mutation([Member(0.0, 5, program)], rng(seed))
        assert proposal.candidate == space.mutate(program, rng(seed)) == old_mutation(program, rng(seed), longest)
        assert proposal.parents == (5,)
        operators[proposal.operator] += 1
        program = proposal.candidate if len(proposal.candidate.statements) > 5 else NAMED["adamw"]
    assert set(operators) == {"insert", "delete", "modify"}


def test_operators_are_equally_likely():
    """lion.md, section 4: each operator is drawn equally often, and drawn again where it does not apply."""
    draws, mutation = 3_000, Mutation().start(SPACE)
    seen = Counter(mutation([Member(0.0, 0, (3, 0))], rng(seed)).operator for seed in range(draws))
    assert sum((seen[name] - draws / 3) ** 2 / (draws / 3) for name in SPACE.operators) < 13.82  # 99.9 %
    assert "double" not in {mutation([Member(0.0, 0, (9, 0))], rng(seed)).operator for seed in range(100)}


def test_a_space_without_named_operators():
    """spaces/protocol.py: operators are optional."""
    space = BitStrings()
    proposal = Mutation().start(space)([Member(0.0, 7, (0,) * 12)], rng(1))
    assert proposal == Proposal(space.mutate((0,) * 12, rng(1)), (7,), "mutate")


def test_no_operator_applies():
    """CONTRIBUTING: what a user can mend is said, rather than tried for ever."""

    class Deadlock(type(SPACE)):
        @property
        def operators(self):
            return {"never": lambda candidate, random: None}

    with pytest.raises(ValueError, match="none of never applied to"):
        Mutation().start(Deadlock())([Member(0.0, 0, (3, 0))], rng(0))


def test_crossover():
    """regularized_evolution.md, section 7: beyond mutation, where a space can cross."""
    parents = [Member(0.0, 4, (0, 0)), Member(0.0, 9, (15, 1))]
    crossover, copies = (made.start(SPACE) for made in (Crossover(0.75), Crossover(1.0, Mutation(identity=1.0))))
    count = 1_000
    made = [crossover(parents, rng(seed)) for seed in range(count)]
    crossed = [proposal for proposal in made if proposal.operator.startswith("cross+")]
    assert abs(len(crossed) / count - 0.75) < 4 * math.sqrt(0.75 * 0.25 / count)
    assert {proposal.parents for proposal in crossed} == {(4, 9)}
    assert {proposal.parents for proposal in made if proposal not in crossed} == {(4,)}
    points = Counter(copies(parents, rng(seed)).candidate[0] for seed in range(count))
    assert set(points) == set(range(16))  # Each bit from either parent.
    assert Crossover(1.0).start(BitStrings())([Member(0.0, 4, (0,) * 12)] * 2, rng(0)).operator == "mutate"
