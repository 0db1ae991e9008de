"""Simpler programs that may do as well: what a test has to decide, since the behaviour is another one.

Deletion ablation (Lion, arXiv 2302.06675; lion.md, section 8, step 2), nearly equal expressions and rounded numbers,
of which the paper's own last steps by hand are examples: clip and arcsine dropped, m / |m| read as a sign, 0.997 for
a decay of 0.996991.
"""

from collections.abc import Iterator
from typing import NamedTuple

from isozyme.spaces.lion.matching import NEARLY, Matcher
from isozyme.spaces.lion.program import Program, Statement, check, remove_dead
from isozyme.spaces.lion.rewriting import apply, cost, described, expression, readable, single_assignment
from isozyme.spaces.lion.simplification import behaviour
from isozyme.spaces.protocol import InvalidCandidate

_DIGITS = (1, 2)  # of a rounded number


class Reduction(NamedTuple):
    """A simpler program, and in one line what was done."""

    description: str
    program: Program


def reductions(program: Program) -> list[Reduction]:
    """Simpler programs of another behaviour, those that save most first, rounded numbers last.

    Each has no more live statements, and less of something: statements, states, dependencies, arguments or digits.

    Args:
      program: any valid one, best after `simplify`.
    """
    single = single_assignment(program)
    before = cost(single)
    found = []
    for reduction in [*_deletions(readable(single)), *_rewrites(single)]:
        after = cost(single_assignment(reduction.program))
        if after < before and after.states <= before.states:  # Memory is an objective of its own.
            found.append((after, reduction))
    ranked = [reduction for _, reduction in sorted(found, key=lambda pair: pair[0])]
    return _distinct(behaviour(single), [*ranked, *_rounded(readable(single))])


def _deletions(program: Program) -> Iterator[Reduction]:
    """Every statement left out, where the rest still runs: its name then means what it meant before."""
    for i, statement in enumerate(program.statements):
        shorter = program._replace(statements=program.statements[:i] + program.statements[i + 1 :])
        try:
            check(shorter)
        except InvalidCandidate:
            continue
        yield Reduction(f"{_line(statement)} deleted", remove_dead(shorter))


def _rewrites(single: Program) -> Iterator[Reduction]:
    """Every value replaced by an operand of its own, or by an expression that is nearly the same on the probe."""
    matcher = Matcher(single, NEARLY)
    for rewrite in dict.fromkeys([*matcher.operands(), *matcher.values(), *matcher.operations()]):
        after = apply(single, rewrite)
        if after is not None:
            yield Reduction(described(single, rewrite), readable(after))


def _rounded(program: Program) -> Iterator[Reduction]:
    """Every number rounded to one digit, then to two; near 1 also its distance from 1, as of 0.9969 to 0.997."""
    for digits in _DIGITS:
        for i, statement in enumerate(program.statements):
            for place, number in enumerate(statement.arguments):
                if isinstance(number, float):
                    for rounded in _roundings(number, digits):
                        arguments = (*statement.arguments[:place], rounded, *statement.arguments[place + 1 :])
                        changed = statement._replace(arguments=arguments)
                        statements = (*program.statements[:i], changed, *program.statements[i + 1 :])
                        description = f"{number:.6g} rounded to {rounded:g} in {_line(statement)}"
                        yield Reduction(description, program._replace(statements=statements))


def _roundings(number: float, digits: int) -> list[float]:
    """Rounded numbers near `number`, none where it is one already."""
    rounded = [float(f"{number:.{digits}g}")]
    if 0.5 < number < 1.5:
        # Rounded again, since 1 - 0.003 is 0.997 but for noise in its last digit.
        rounded.append(float(f"{1.0 - float(f'{1.0 - number:.{digits}g}'):.12g}"))
    return [r for r in dict.fromkeys(rounded) if r != number]


def _line(statement: Statement) -> str:
    return f"{statement.target} = {expression(statement.operation, statement.arguments)}"


def _distinct(key: bytes, offers: list[Reduction]) -> list[Reduction]:
    """Those that differ in behaviour from the program and from those before them."""
    known, kept = {key}, []
    for offer in offers:
        new = behaviour(offer.program)
        if new not in known:
            known.add(new)
            kept.append(offer)
    return kept
