"""The exam for spaces: ours pass, and each of these bad ones is caught."""

import itertools
import random
from types import MappingProxyType
from typing import Any

import numpy as np
import pyglove as pg
import pytest
from toys import BitStrings

from isozyme.benchmarks.equivalence.activations import Activations
from isozyme.benchmarks.equivalence.features import FeatureGraphs
from isozyme.search.feasibility import FeasibleSpace, ParameterCount
from isozyme.search.rehearsal import Points
from isozyme.spaces.exam import examine
from isozyme.spaces.lion import OptimizerPrograms, adamw
from isozyme.spaces.protocol import InvalidCandidate
from isozyme.spaces.tabnas import FeedForward
from isozyme.spaces.template import TemplateSpace

NESTED = pg.Dict(
    optimizer=pg.oneof(["adam", pg.Dict(name="sgd", momentum=pg.floatv(0.0, 0.99))]),
    layers=pg.manyof(2, ["conv", "pool", "norm"], sorted=True),
)
OURS = {
    "optimizer programs": OptimizerPrograms(),
    "a tuned start": OptimizerPrograms(start=adamw(0.0075, 0.1)),
    "constants of programs": OptimizerPrograms(mutates="constants"),
    "feed-forward networks": FeedForward(10, 2),
    "a nested template": TemplateSpace(NESTED),
    "a template of two points": TemplateSpace(pg.oneof([1, 2])),
    "orders": TemplateSpace(pg.permutate([1, 2, 3, 4])),
    "numbers": TemplateSpace(pg.floatv(0.0, 1.0)),
    "graphs": FeatureGraphs(),
    "lambdas": Activations(),
    "the rehearsal's points": Points(),
    "bit strings": BitStrings(),
}


@pytest.mark.parametrize("name", OURS)
def test_ours_pass(name):
    """habits.md, 6: one exam for all."""
    assert examine(OURS[name]) == []


def test_a_limit_is_kept_by_the_variation():
    """FeasibleSpace leaves mutation to the space inside, as its docstring says; all else is sound."""
    networks = FeedForward(10, 2)
    cost = ParameterCount([list(networks.widths)] * 3, 10, 2)
    limited: Any = FeasibleSpace(networks, cost, 9_000.0)
    (finding,) = examine(limited)
    assert "mutate gives" in finding
    assert "more than 9000" in finding


Bits: Any = BitStrings  # No type: what follows breaks all that types say.
_List: Any = list


def flipped(candidate, place):
    return candidate[:place] + (1 - candidate[place],) + candidate[place + 1 :]


class InvalidStart(Bits):
    def initial(self, rng):
        return (1,)


class InvalidRandom(Bits):
    def random(self, rng):
        return super().random(rng)[: 12 - int(rng.integers(8) == 0)]


class InvalidChild(Bits):
    def mutate(self, candidate, rng):
        return super().mutate(candidate, rng)[: 12 - int(rng.integers(30) == 0)]


class InvalidReference(Bits):
    references = MappingProxyType({"short": (0,)})


class InvalidBaseline(Bits):
    baselines = MappingProxyType({"short": (0,)})


class InvalidOperator(Bits):
    operators = MappingProxyType({"shorten": lambda candidate, rng: candidate[1:]})


class InvalidCross(Bits):
    def cross(self, first, second, rng):
        return first + second


class Unseeded(Bits):
    draws = itertools.count()

    def random(self, rng):
        return super().random(np.random.default_rng(next(self.draws)))


class GlobalMutation(Bits):
    def mutate(self, candidate, rng):
        return flipped(candidate, random.randrange(len(candidate)))


class Deaf(Bits):
    def initial(self, rng):
        return super().initial(np.random.default_rng(0))

    def random(self, rng):
        return super().random(np.random.default_rng(0))

    def mutate(self, candidate, rng):
        return flipped(candidate, sum(candidate) % 12)


class Box(tuple[int, ...]):
    __slots__ = ()
    hashes = itertools.count()

    def __hash__(self):
        return next(self.hashes)


class Unhashed(Bits):
    def random(self, rng):
        return Box(super().random(rng))


class Row(_List):
    def __hash__(self):
        return 0


class InPlace(Bits):
    def initial(self, rng):
        return Row(super().initial(rng))

    def mutate(self, candidate, rng):
        candidate[int(rng.integers(12))] ^= 1
        return Row(candidate)

    def canonical(self, candidate):
        return super().canonical(tuple(candidate))


class Lazy(Bits):
    def mutate(self, candidate, rng):
        return super().mutate(candidate, rng) if rng.integers(5) == 0 else candidate


class Local(Bits):
    def mutate(self, candidate, rng):
        return flipped(candidate, int(rng.integers(2)))


class Lossy(Bits):
    def to_source(self, candidate):
        return super().to_source((*candidate[:11], 0))


class BytesForText(Bits):
    def to_source(self, candidate):
        return bytes(candidate)


class Executing(Bits):
    def to_source(self, candidate):
        return repr(candidate)

    def from_source(self, text):
        try:
            return eval(text)
        except Exception:
            raise InvalidCandidate("not a tuple") from None


class Wordy(Bits):
    def from_source(self, text):
        if set(text) <= {"0", "1"}:
            return super().from_source(text)
        raise InvalidCandidate(f"{text[:5]!r} is no string of bits\nwhat is it?")


class Unguarded(Bits):
    def from_source(self, text):
        return tuple(int(letter) for letter in text)


class Credulous(Bits):
    def from_source(self, text):
        return super().from_source(text) if set(text) <= {"0", "1"} else (0,) * 12


class UnstableForm(Bits):
    asked = itertools.count()

    def canonical(self, candidate):
        return next(self.asked).to_bytes(8, "little")


class TextForm(Bits):
    def canonical(self, candidate):
        return self.to_source(candidate)


class OneForm(Bits):
    def canonical(self, candidate):
        return b"all"

    def probe(self, candidate):
        return None


class CoarseForm(Bits):
    def canonical(self, candidate):
        return bytes(candidate[:4])


class NarrowProbe(Bits):
    def probe(self, candidate):
        return [np.float32(super().probe(candidate)[0])]


class EmptyProbe(Bits):
    def probe(self, candidate):
        return []


class UnstableProbe(Bits):
    def probe(self, candidate):
        return [np.random.default_rng().normal(size=3)]


class OneProbe(Bits):
    def probe(self, candidate):
        return [np.zeros(3)]


class InfiniteSize(Bits):
    def form(self, candidate):
        return {"ones": float("nan") if candidate[0] else 1.0}


class WordSize(Bits):
    def form(self, candidate):
        return {"ones": "many"}


class UnstableSize(Bits):
    def form(self, candidate):
        return {"ones": random.random()}


class UnstableArrays(Bits):
    def lower(self, candidate):
        return {"bits": (np.array(candidate), np.random.default_rng().normal(size=3))}


class PartialArrays(Bits):
    def lower(self, candidate):
        return np.log2(sum(candidate) or candidate[99])


class NoFiles(Bits):
    def export(self, candidate):
        return {}


class Elsewhere(Bits):
    def export(self, candidate):
        return {"../bits.txt": "0"}


class BrokenPython(Bits):
    def export(self, candidate):
        return {"bits.py": f"bits = {candidate}]"}


class BadTunings(Bits):
    def tunings(self, candidate):
        return {"short": candidate[1:]}


class BadSimplifications(Bits):
    def simplifications(self, candidate):
        return [("flips the first", flipped(candidate, 0))]


class BadReductions(Bits):
    def reductions(self, candidate):
        return [("drops the last", candidate[:-1])]


class HashForm(Bits):
    def canonical(self, candidate):
        return hash(self.to_source(candidate)).to_bytes(8, "little", signed=True)

    def probe(self, candidate):
        return None


class SetOrder(Bits):
    def random(self, rng):
        words = [word for word in {"zero", "one", "two", "three", "four", "five", "six", "seven"}]  # noqa: C416
        return tuple(int(len(words[int(i)]) > 3) for i in rng.integers(8, size=12))


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (InvalidStart, "initial gives (1,), of which validate says: 1 bits instead of 12"),
        (InvalidRandom, "random gives"),
        (InvalidChild, "mutate gives"),
        (InvalidReference, "references['short'] gives (0,)"),
        (InvalidBaseline, "baselines['short'] gives (0,)"),
        (InvalidOperator, "the operator 'shorten' gives"),
        (InvalidCross, "cross gives"),
        (Unseeded, "initial gives"),
        (GlobalMutation, "mutate gives"),
        (Deaf, "it draws from something else than `rng`"),
        (Unhashed, "equal candidates with different hashes"),
        (InPlace, "mutate changes the candidate that it is given"),
        (Lazy, "60 children are equal to their parent"),
        (Local, "60 mutations in a row reach"),
        (Lossy, "and read as"),
        (BytesForText, "expected is text"),
        (Executing, "was executed"),
        (Wordy, "with 2 lines instead of one"),
        (Unguarded, "raises ValueError for 'nonsense' instead of InvalidCandidate"),
        (Credulous, "takes 'nonsense' for the candidate (0, 0"),
        (UnstableForm, "expected are equal bytes"),
        (TextForm, "expected are equal bytes"),
        (OneForm, "have one form"),
        (CoarseForm, "have one canonical form, but behave differently"),
        (NarrowProbe, "expected are arrays of float64"),
        (EmptyProbe, "gives [] for"),
        (UnstableProbe, "The probe repeats itself, is float64, and is the same where canonical forms are: gives some"),
        (OneProbe, "behaviour is the same for all"),
        (InfiniteSize, "expected are finite numbers"),
        (WordSize, "expected are finite numbers"),
        (UnstableSize, "`form` gives finite numbers by name, the same each time: gives something else"),
        (UnstableArrays, "`lower` works on every candidate, the same each time: gives something else"),
        (PartialArrays, "`lower` works on every candidate, the same each time: raised IndexError"),
        (NoFiles, "gives no file"),
        (Elsewhere, "expected are plain file names"),
        (BrokenPython, "Python files compile: raised SyntaxError"),
        (BadTunings, "tunings of"),
        (BadSimplifications, "which behaves differently"),
        (BadReductions, "reductions of"),
        (HashForm, "canonical of '"),
        (SetOrder, "here and '"),
    ],
)
def test_bad_spaces_are_caught(bad, finding):
    """habits.md, 6: one exam, which fails what it should, in one line."""
    found = examine(bad(size=12))
    assert any(finding in one for one in found), found
    assert all("\n" not in one for one in found)


def test_a_space_that_no_worker_could_import():
    class Inside(Bits):
        pass

    (finding,) = examine(Inside())
    assert "cannot be pickled" in finding
    assert "in a module that can be imported" in finding
