"""Spaces that each do one thing wrong, for the exam to catch."""

import base64
import itertools
import pickle
import random
from types import MappingProxyType
from typing import Any

import numpy as np
import pyglove as pg
from toys import BitStrings

from isozyme.spaces.choices import Choice, of_sizes
from isozyme.spaces.protocol import InvalidCandidate

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


class Leaving(Bits):
    leaves_itself = True

    def random(self, rng):
        return super().random(rng)[1:]


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


class Unpickling(Bits):
    def to_source(self, candidate):
        return base64.encodebytes(pickle.dumps(candidate)).decode()

    def from_source(self, text):
        try:
            return pickle.loads(base64.decodebytes(text.encode()))
        except Exception:
            raise InvalidCandidate("not a pickle") from None


class PyGloveReader(Bits):
    def to_source(self, candidate):
        return pg.to_json_str(candidate)

    def from_source(self, text):
        try:
            return pg.from_json_str(text)
        except Exception:
            raise InvalidCandidate("not JSON") from None


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


class NumbersForFiles(Bits):
    def export(self, candidate):
        return {"bits.bin": list(candidate)}


class BrokenPython(Bits):
    def export(self, candidate):
        return {"bits.py": f"bits = {candidate}]"}


class BadTunings(Bits):
    def tunings(self, candidate):
        return {"short": candidate[1:]}


class BadSimplifications(Bits):
    def simplifications(self, candidate):
        return [("flips the first", flipped(candidate, 0))]

    def reductions(self, candidate):
        return []


class HalfSimplifiable(Bits):
    def simplifications(self, candidate):
        return []


class NoMethod(Bits):
    cross = None


class Swallowing(Bits):
    @property
    def wrapped(self):
        return InvalidCross()


class BadChoices(Bits):
    def validate(self, candidate):
        return "not all are bits" if 2 in candidate else super().validate(candidate)

    def choices(self):
        return of_sizes([3] * 12)


class LossyChoices(Bits):
    def choices(self):
        return tuple(Choice(0, ((), ())) for _ in range(12))


class BadReductions(Bits):
    def simplifications(self, candidate):
        return []

    def reductions(self, candidate):
        return [("drops the last", candidate[:-1])]


class HashForm(Bits):
    def canonical(self, candidate):
        return hash(self.to_source(candidate)).to_bytes(8, "little", signed=True)

    def probe(self, candidate):
        return None


class SetOrder(Bits):
    def random(self, rng):
        numbers = [int(text) for text in {str(number) for number in range(64)}]
        return tuple(numbers[int(i)] % 2 for i in rng.integers(64, size=12))
