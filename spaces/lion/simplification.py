"""Shorter programs of equal behaviour: automatic algebra, proved by the functional key.

Lion (arXiv 2302.06675, section 2.5 and appendix; lion.md, section 8) deletes redundant statements automatically and
rewrites the rest by hand. Here every value is compared with what other, cheaper expressions compute on the probe, and
a rewrite is taken if the whole program then costs less and keeps its numeric key.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from isozyme.hashing import fingerprint
from isozyme.spaces.lion import probe
from isozyme.spaces.lion.graph import build
from isozyme.spaces.lion.matching import EQUAL, Matcher
from isozyme.spaces.lion.program import Program
from isozyme.spaces.lion.rewriting import Rewrite, apply, cost, described, readable, single_assignment

_SHOWN = 0.5  # Share of finite updates from which on the probe shows enough of a program to prove anything about it.


class ProvenStep(NamedTuple):
    """One change that keeps behaviour.

    Attributes:
      description: one line, such as 'a = sqrt(m2) becomes abs(m)'.
      program: after it.
      key: the program's behaviour on the probe, the same at every step: the evidence.
    """

    description: str
    program: Program
    key: bytes


def simplify(program: Program) -> Program:
    """A program of equal behaviour with no more live statements and states; deterministic.

    Args:
      program: any valid one.

    Returns:
      the last of `steps`: no single rewrite that is tried makes it cheaper. Equal behaviour means an equal numeric key.
    """
    return steps(program)[-1].program


def steps(program: Program) -> list[ProvenStep]:
    """What `simplify` does, one change after the other; the first entry is the live part of the program as given.

    There is no other where the program soon runs out of finite numbers on the probe: almost anything else does, too.
    """
    current = single_assignment(program)
    key = behaviour(current)
    found = [ProvenStep("dead statements and states removed, equal computations shared", readable(current), key)]
    if np.isfinite(probe.updates(build(current))[0]).mean() < _SHOWN:
        return found
    while True:
        taken = _values(current, key) or _operations(current, key)
        if not taken:
            return found
        for description, current in taken:
            found.append(ProvenStep(description, readable(current), behaviour(current)))


def behaviour(program: Program) -> bytes:
    """What the numeric key is made of: the fingerprint of the updates on the probe."""
    return fingerprint(probe.updates(build(program)))


def _values(program: Program, key: bytes) -> list[tuple[str, Program]]:
    matcher = Matcher(program, EQUAL)
    return _improve(program, key, [*matcher.values(), *matcher.operands()])


def _operations(program: Program, key: bytes) -> list[tuple[str, Program]]:
    matcher = Matcher(program, EQUAL)
    return _improve(program, key, [*matcher.operations(), *matcher.solved()])


def _improve(program: Program, key: bytes, rewrites: Iterable[Rewrite]) -> list[tuple[str, Program]]:
    """Takes rewrites that pay and keep the key, those that save most first: descriptions, and programs after each.

    Each is judged by what it does to the program that those before it have left.
    """
    results = [(rewrite, apply(program, rewrite)) for rewrite in dict.fromkeys(rewrites)]
    ranked = sorted((cost(after), i) for i, (_, after) in enumerate(results) if after is not None)
    taken: list[tuple[str, Program]] = []
    for _, i in ranked:
        rewrite = results[i][0]
        after = apply(program, rewrite)
        if after is not None and _pays(program, after) and behaviour(after) == key:
            taken.append((described(program, rewrite), after))
            program = after
    return taken


def _pays(before: Program, after: Program) -> bool:
    """Cheaper, and never at the price of a state: memory is an objective of its own."""
    old, new = cost(before), cost(after)
    return new < old and new.states <= old.states
