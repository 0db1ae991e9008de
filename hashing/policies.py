"""Policies: what a cache does on a hit where evaluations are noisy (arXiv 2302.05433).

A plain cache freezes the first draw of each behaviour, so that every twin of a lucky candidate inherits its luck. The
remedies are another draw now and then, forgetting, and a closer look at whoever would lead. All are decided by what
has been asked for, never by values: those of trials under way are not known yet, and a run has to be reproducible.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyglove as pg


@dataclass(slots=True)
class Record:
    """What a cache counts of one behaviour since it was last forgotten; made anew, it is that of a miss.

    Attributes:
      evaluations: n, asked for so far, those under way included.
      requests: how often it was asked for, the first time and the present one included.
    """

    evaluations: int = 1
    requests: int = 1


@dataclass(slots=True)
class Moments:
    """Count, mean and scatter of values that come one by one or in groups (Welford 1962; Chan, Golub, LeVeque 1979).

    An infinite value makes the mean infinite, as it would in a sum, and the variance infinite or NaN.

    Attributes:
      n: how many.
      mean: theirs; 0 as long as there are none.
      m2: sum of squared deviations from the mean.
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0

    def add(self, value: float) -> None:
        """Takes in one value."""
        self.merge(Moments(1, value))

    def merge(self, other: "Moments") -> None:
        """Takes in all values of another one; with a single value this is Welford's step."""
        if not other.n:
            return
        n = self.n + other.n
        delta = other.mean - self.mean
        self.m2 += other.m2 + delta * (delta * self.n * other.n / n)
        self.mean += delta * other.n / n if math.isfinite(delta) else other.mean  # inf - inf would be NaN.
        self.n = n

    @property
    def variance(self) -> float:
        """Of the distribution drawn from, unbiased; NaN for fewer than two values."""
        return self.m2 / (self.n - 1) if self.n > 1 else math.nan

    @property
    def standard_error(self) -> float:
        """Standard deviation of the mean; NaN for fewer than two values."""
        return math.sqrt(self.variance / self.n) if self.n > 1 else math.nan


class Policy(Protocol):
    """Decides for one behaviour at a time. Random numbers are drawn from `rng` only, in the order of the calls."""

    def evaluate_again(self, record: Record, rng: np.random.Generator) -> bool:
        """On a hit: whether to draw another evaluation."""
        ...

    def forget(self, record: Record, rng: np.random.Generator) -> bool:
        """After a hit that was answered from what is known: whether to start afresh next time."""
        ...

    def confirm(self, record: Record) -> bool:
        """Asked of a behaviour that would lead the search: whether to evaluate it again before it is believed."""
        ...


@pg.members([], serialization_key="isozyme.Plain")
class Plain(pg.Object):
    """The first value counts for ever: no to every question. The others say yes to some and leave the rest to this."""

    def evaluate_again(self, record: Record, rng: np.random.Generator) -> bool:
        """Never."""
        return False

    def forget(self, record: Record, rng: np.random.Generator) -> bool:
        """Never."""
        return False

    def confirm(self, record: Record) -> bool:
        """Never."""
        return False


@pg.members(
    [("evaluations", pg.typing.Int(min_value=1), "M: draws, of which the mean is taken.")],
    serialization_key="isozyme.Aggregating",
)
class Aggregating(Plain):
    """Each of the first M requests draws an evaluation: M times less variance for whoever is asked for often."""

    evaluations: int

    def _on_bound(self) -> None:
        super()._on_bound()
        self._evaluations: int = self.evaluations

    def evaluate_again(self, record: Record, rng: np.random.Generator) -> bool:
        """As long as n < M."""
        return record.evaluations < self._evaluations


@pg.members(
    [("probability", pg.typing.Float(0.1, min_value=0.0, max_value=1.0), "F: of forgetting after a full hit.")],
    serialization_key="isozyme.Forgetful",
)
class Forgetful(Plain):
    """A draw serves 1/F hits on average; collisions of keys are forgotten with it."""

    probability: float

    def _on_bound(self) -> None:
        super()._on_bound()
        self._probability: float = self.probability

    def forget(self, record: Record, rng: np.random.Generator) -> bool:
        """With probability F; certainty needs no random number."""
        return self._probability == 1.0 or rng.random() < self._probability


@pg.members(
    [("requests", pg.typing.Int(100, min_value=2), "Forgotten when asked for so often, the miss included.")],
    serialization_key="isozyme.ForgetEvery",
)
class ForgetEvery(Plain):
    """AutoML-Zero's rule (arXiv 2003.03384, released code): one evaluation serves `requests` - 1 hits."""

    requests: int

    def _on_bound(self) -> None:
        super()._on_bound()
        self._requests: int = self.requests

    def forget(self, record: Record, rng: np.random.Generator) -> bool:
        """At the last of the hits."""
        return record.requests >= self._requests


@pg.members(
    [
        ("most", pg.typing.Int(5, min_value=1), "Evaluations beyond which no hit draws another."),
        ("confirmed", pg.typing.Int(3, min_value=1), "Evaluations that a behaviour has to have to lead."),
    ],
    serialization_key="isozyme.NoiseAware",
)
class NoiseAware(Plain):
    """Draws again with probability 1/(n+1) on a hit, and at once for a behaviour that would lead.

    Another draw lowers the variance of a mean from σ²/n to σ²/(n+1), which is worth ever less, while what many
    requests share is worth more. So draws grow without bound until `most`, but slower than requests: the wait for draw
    n+1 is n+1 hits on average, so draw M comes at request M(M+1)/2 on average (the 5th at the 15th), and after k
    requests there have been about √(2k). A leader is the luckiest of many, hence the second look.
    """

    most: int
    confirmed: int

    def _on_bound(self) -> None:
        super()._on_bound()
        self._most, self._confirmed = self.most, self.confirmed

    def evaluate_again(self, record: Record, rng: np.random.Generator) -> bool:
        """With probability 1/(n+1) as long as n < `most`."""
        n = record.evaluations
        return n < self._most and rng.random() * (n + 1) < 1.0

    def confirm(self, record: Record) -> bool:
        """As long as n < `confirmed`."""
        return record.evaluations < self._confirmed


_POLICIES: Any = pg.typing.List(pg.typing.Any(), min_size=1)  # pyright: ignore[reportCallIssue]


@pg.members([("policies", _POLICIES, "Asked in this order.")], serialization_key="isozyme.Composed")
class Composed(pg.Object):
    """Says yes where any of its policies does, such as `Composed([Aggregating(3), Forgetful(0.1)])`."""

    policies: Any

    def _on_bound(self) -> None:
        super()._on_bound()
        self._policies: Sequence[Policy] = tuple(self.policies)

    def evaluate_again(self, record: Record, rng: np.random.Generator) -> bool:
        """Whether any would; each is asked, so that it draws its random numbers whatever those before it say."""
        answers = [policy.evaluate_again(record, rng) for policy in self._policies]
        return any(answers)

    def forget(self, record: Record, rng: np.random.Generator) -> bool:
        """Whether any would; each is asked."""
        answers = [policy.forget(record, rng) for policy in self._policies]
        return any(answers)

    def confirm(self, record: Record) -> bool:
        """Whether any would."""
        return any(policy.confirm(record) for policy in self._policies)
