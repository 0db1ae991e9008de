"""How a run recognises that it has met a behaviour before, and how far it trusts what it knows of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyglove as pg

from isozyme.hashing import Claim, EquivalenceCache, behaviour_key, digest
from isozyme.hashing.keys import numeric_keys, static_key_function
from isozyme.hashing.policies import Plain, Policy, Record
from isozyme.search.controller.behaviour import Behaviour
from isozyme.search.randomness import Streams
from isozyme.spaces.protocol import Space

Claims = Callable[[int, Any, str], tuple[bytes, Claim]]
_POLICY: Any = pg.typing.Any(Plain())  # pyright: ignore[reportCallIssue]


class Plan(NamedTuple):
    """What a proposal may take from its behaviour.

    Attributes:
      fresh: it evaluates on its own: as the first of its behaviour, or since a policy asks for another evaluation.
      audit: it is a twin that is evaluated all the same, for comparison.
      counts: evaluations and requests up to this proposal, and whether the next one starts afresh; None where nobody
        asks for them.
    """

    fresh: bool
    audit: bool = False
    counts: tuple[int, int, bool] | None = None


Plans = Callable[[int, Behaviour, bool], Plan]
_OWNER, _TWIN = Plan(True), Plan(False)


@pg.members(
    [
        (
            "keys",
            pg.typing.Enum("numeric", ["numeric", "static", "off"]),
            "How twins are found: by what they do, by how they are written, or not at all.",
        ),
        ("mantissa_bits", pg.typing.Int(24, min_value=1, max_value=52), "To how many bits behaviours are compared."),
        ("shifted", pg.typing.Bool(False), "Whether a second key, on a grid half a step away, is tried as well."),
        ("policy", _POLICY, "What happens on a hit where evaluations are noisy: a `hashing.policies.Policy`."),
        (
            "audit",
            pg.typing.Float(0.01, min_value=0.0, max_value=1.0),
            "Share of hits that are evaluated all the same, to see whether keys tell the truth.",
        ),
    ],
    serialization_key="isozyme.Equivalence",
)
class Equivalence(pg.Object):
    """Says by which keys a run finds twins, what its cache does on a hit, and how many hits it audits."""

    keys: str
    mantissa_bits: int
    shifted: bool
    policy: Any
    audit: float

    @property
    def audits(self) -> bool:
        """Tells whether any hits are audited."""
        return self.audit > 0.0

    def claims(self, cache: EquivalenceCache, space: Space) -> Claims:
        """Returns a function that finds the owners of behaviours in one run.

        It takes the number of a proposal, its candidate and the conditions of its evaluation, and returns its static
        key and the claim. The claim of an owner has at least one key.
        """
        keys, bits, shifted, static_of = self.keys, self.mantissa_bits, self.shifted, static_key_function(space)

        def claim(number: int, candidate: Any, conditions: str) -> tuple[bytes, Claim]:
            if keys == "off":
                return b"", Claim(number, None, (digest(b"trial", number.to_bytes(8, "little")),))

            def full_keys() -> tuple[bytes, ...]:
                numeric = numeric_keys(space, candidate, bits, shifted) if keys == "numeric" else ()
                return tuple([behaviour_key(key, conditions) for key in numeric])

            static = static_of(candidate)
            found = cache.claim(number, static, full_keys)
            if found.owner == number and not found.keys:
                found = Claim(number, found.hit, (behaviour_key(static, conditions),))
            return static, found

        return claim

    def plans(self, streams: Streams) -> Plans:
        """Returns a function that decides what a proposal may take from its behaviour, whose counts it changes.

        It takes the number of a proposal, its behaviour, and whether it owns it and no store knows it.

        Args:
          streams: random numbers for what is decided on a hit, by the number of the proposal.
        """
        policy, audit = self.policy, self.audit
        plain = type(policy) is Plain

        def plan(number: int, behaviour: Behaviour, owns: bool) -> Plan:
            if plain and (owns or not audit):
                return _OWNER if owns else _TWIN
            rng = streams.of(number)
            audited = not owns and rng.random() < audit
            if plain:
                return Plan(False, audited)
            fresh = owns or _again(behaviour, policy, rng)
            record = behaviour.record
            return Plan(fresh, audited and not fresh, (record.evaluations, record.requests, behaviour.forgotten))

        return plan

    def doubts(self, evaluations: int, requests: int) -> bool:
        """Tells whether a would-be leader is evaluated again before it is believed."""
        return self.policy.confirm(Record(evaluations, requests))


def _again(behaviour: Behaviour, policy: Policy, rng: np.random.Generator) -> bool:
    """Counts a hit; tells whether it is evaluated again."""
    if behaviour.forgotten:
        behaviour.record, behaviour.evaluations, behaviour.forgotten = Record(), [], False
        return True
    record = behaviour.record
    record.requests += 1
    if policy.evaluate_again(record, rng):
        record.evaluations += 1
        return True
    behaviour.forgotten = policy.forget(record, rng)
    return False
