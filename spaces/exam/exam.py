"""Examines spaces, ours and anyone's.

from isozyme.spaces.exam import examine

assert examine(MySpace()) == []
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np

from isozyme import hashing
from isozyme.spaces.abilities import WithBaselines, offered
from isozyme.spaces.exam import abilities, texts
from isozyme.spaces.exam.another_process import Unreachable, call
from isozyme.spaces.exam.findings import Check, findings, same, shown, similar
from isozyme.spaces.exam.proposals import STEPS, may_be_invalid, proposals, sample
from isozyme.spaces.protocol import Space

_HANDFUL = 5  # Mutation has to reach more candidates than these.
_EXPORTED = 40  # candidates


def examine(space: Space) -> list[str]:
    """Lists what a space does wrong, in plain words; the list is empty if the space passes.

    The checks come in rounds, and a round that finds something is the last: what follows would rest on it. The last one
    starts another process, so the space's class must be one that can be imported, as it must for workers.

    Args:
      space: with everything in it that a search of it would use. It is asked for about 150 candidates.

    Returns:
      One line for each check that finds something.
    """
    return findings(ROUNDS, space)


def _proposes_valid_candidates(space: Space) -> str | None:
    """Candidates that it makes and names are valid."""
    named = {f"references[{name!r}]": one for name, one in space.references.items()}
    if (defended := offered(space, WithBaselines)) is not None:
        named |= {f"baselines[{name!r}]": one for name, one in defended.baselines.items()}
    for how, candidate in chain(named.items(), proposals(space, 0)):
        reason = space.validate(candidate)
        if reason is not None and not may_be_invalid(space, how):
            return f"{how} gives {shown(candidate)}, of which validate says: {reason}"
    return None


def _repeats_itself(space: Space) -> str | None:
    """The same random numbers give the same candidates, others give others."""
    again = list(proposals(space, 0))
    for (how, first), (_, second) in zip(proposals(space, 0), again, strict=True):
        if first != second:
            return f"{how} gives {shown(first)}, then {shown(second)} with equal random numbers; equal by value?"
        if hash(first) != hash(second):
            return f"{how} gives equal candidates with different hashes, {shown(first)}"
    if [one for _, one in proposals(space, 1)] == [one for _, one in again]:
        return "other random numbers give the very same candidates: it draws from something else than `rng`"
    return None


def _mutates(space: Space) -> str | None:
    """Mutation gives another candidate, leaves the parent as it is, and gets around."""
    rng = np.random.default_rng(2)
    parent = space.initial(rng)
    reached, unchanged = {parent}, 0
    for _ in range(STEPS):
        before = space.to_source(parent)
        child = space.mutate(parent, rng)
        if space.to_source(parent) != before:
            return f"mutate changes the candidate that it is given: {before!r:.80} has become {shown(parent)}"
        unchanged += child == parent
        reached.add(child)
        parent = child if space.validate(child) is None else parent
    if unchanged > STEPS // 2:
        return f"{unchanged} of {STEPS} children are equal to their parent; expected are at most half of them"
    enough = min(_HANDFUL, len(sample(space)) - 1)  # A small space has no handful.
    if len(reached) <= enough:
        return f"{STEPS} mutations in a row reach {len(reached)} different candidates; expected are more than {enough}"
    return None


def _reads_what_it_writes(space: Space) -> str | None:
    """`from_source` reads what `to_source` writes, without loss."""
    for candidate in sample(space):
        text = space.to_source(candidate)
        if not isinstance(text, str):
            return f"to_source gives {type(text).__name__} for {shown(candidate)}; expected is text"
        read = space.from_source(text)
        if read != candidate or hash(read) != hash(candidate):
            return f"{shown(candidate)} is written as {text!r:.120} and read as {shown(read)}"
    return None


def _refuses_nonsense(space: Space) -> str | None:
    """`from_source` refuses nonsense by InvalidCandidate, and executes nothing."""
    source = space.to_source(sample(space)[0])
    for text in (*texts.HOSTILE, *texts.infected(source)):
        if texts.executed(space.from_source, text):
            return f"the text {text!r:.120} was executed; read it with a parser, such as json or ast"
    for text in texts.NONSENSE:
        if wrong := texts.refusal(space.from_source, space.validate, text):
            return wrong
    return None


def _has_canonical_forms(space: Space) -> str | None:
    """Equal candidates have equal canonical forms, and not all others have the same."""
    candidates = sample(space)
    forms = [space.canonical(one) for one in candidates]
    for candidate, form in zip(candidates, forms, strict=True):
        again = space.canonical(space.from_source(space.to_source(candidate)))
        if not isinstance(form, bytes) or form != again:
            return f"canonical gives {form!r:.60}, then {again!r:.60} for {shown(candidate)}; expected are equal bytes"
    if len(set(forms)) == 1 < len(candidates):
        return f"all {len(candidates)} different candidates have one form, so that only one would be evaluated"
    return None


def _probes(space: Space) -> str | None:
    """The probe repeats itself, is float64, and is the same where canonical forms are."""
    known: dict[bytes, tuple[Any, Any]] = {}
    keys = set()
    for candidate in sample(space):
        seen = space.probe(candidate)
        if seen is None:
            return None
        arrays = list(seen)
        if not arrays or any(not isinstance(a, np.ndarray) or a.dtype != np.float64 or not a.size for a in arrays):
            return f"gives {shown(seen)} for {shown(candidate)}; expected are arrays of float64 that hold something"
        if not same(arrays, list(space.probe(candidate) or ())):
            return f"gives something else the second time for {shown(candidate)}"
        other, before = known.setdefault(space.canonical(candidate), (candidate, arrays))
        if not similar(arrays, before):
            return f"{shown(candidate)} and {shown(other)} have one canonical form, but behave differently on the probe"
        keys.add(hashing.numeric_key(space, candidate))
    if len(keys) == 1 < len(known):
        return f"behaviour is the same for all {len(known)} canonical forms, so that only one would be evaluated"
    return None


def _tells_forms(space: Space) -> str | None:
    """`form` gives finite numbers by name, the same each time."""
    for candidate in sample(space):
        form = space.form(candidate)
        if not isinstance(form, Mapping) or not all(isinstance(name, str) for name in form):
            return f"gives {shown(form)}; expected are numbers by name"
        if not all(isinstance(v, int | float) and np.isfinite(v) for v in form.values()):
            return f"gives {shown(form)} for {shown(candidate)}; expected are finite numbers"
        if dict(form) != dict(space.form(candidate)):
            return f"gives something else the second time for {shown(candidate)}"
    return None


def _lowers(space: Space) -> str | None:
    """`lower` works on every candidate, the same each time."""
    for candidate in sample(space):
        if not same(space.lower(candidate), space.lower(candidate)):
            return f"gives something else the second time for {shown(candidate)}"
    return None


def _exports(space: Space) -> str | None:
    """`export` gives texts and bytes by file name; Python files compile."""
    for candidate in sample(space)[:_EXPORTED]:
        files = space.export(candidate)
        if not files or files != space.export(candidate):
            return f"gives no file, or another one the second time, for {shown(candidate)}"
        for name, content in files.items():
            plain = name and not set(name) & set("/\\\0") and not name.startswith(".")
            if not plain or not isinstance(content, str | bytes):
                kind = type(content).__name__
                return f"gives {name!r} with {kind} in it; expected are plain file names, and texts or bytes"
            if name.endswith(".py"):
                compile(content, name, "exec", dont_inherit=True)
    return None


def account(space: Space) -> list[tuple[str, Any]]:
    """Lists all that must not depend on the process, with a word on what each is.

    It is a function of this module, so that it can be called in another process.
    """
    told: list[tuple[str, Any]] = [("version", space.version)]
    for how, candidate in proposals(space, 3):
        text = space.to_source(candidate)
        told += [(how, text), (f"canonical of {text!r:.80}", space.canonical(candidate))]
        told += [(f"the numeric key of {text!r:.80}", hashing.numeric_key(space, candidate))]
    return told


def _is_the_same_elsewhere(space: Space) -> str | None:
    """Another process, with another PYTHONHASHSEED, has the same version, candidates and keys."""
    try:
        there = call(account, space)
    except Unreachable as error:
        return f"the space {error}; workers need it in a module that can be imported, and so does this check"
    for (what, here), (_, other) in zip(account(space), there, strict=True):
        if here != other:
            return f"{what} is {here!r:.80} here and {other!r:.80} there"
    return None


ROUNDS: tuple[tuple[Check, ...], ...] = (
    (abilities.are_whole, abilities.are_passed_on),
    (_proposes_valid_candidates, _repeats_itself, _mutates),
    (_reads_what_it_writes,),
    (
        _refuses_nonsense,
        _has_canonical_forms,
        _probes,
        _tells_forms,
        _lowers,
        _exports,
        abilities.tunings_are_valid,
        abilities.simplifications_are_sound,
        abilities.choices_are_its_own,
    ),
    (_is_the_same_elsewhere,),
)
