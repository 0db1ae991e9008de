"""Any PyGlove value with `pg.oneof`, `pg.manyof`, `pg.permutate` and `pg.floatv` in it, as a space.

>>> import numpy as np
>>> import pyglove as pg
>>> from isozyme.spaces.template import TemplateSpace
>>> space = TemplateSpace(
...     pg.Dict(
...         width=pg.oneof([16, 32, 64]),
...         optimizer=pg.oneof(["adam", pg.Dict(name="sgd", momentum=pg.floatv(0.0, 0.99))]),
...         layers=pg.manyof(2, ["conv", "pool", "norm"], sorted=True),
...     )
... )
>>> candidate = (2, (1, 0.9), (0, 2))
>>> print(space.validate(candidate))
None
>>> print(space.validate((2, 1, (0, 2))))
optimizer.candidates[1]: 0 decisions instead of 1
>>> value = space.decode(candidate)
>>> value.width, value.optimizer.momentum, value.layers
(64, 0.9, ['conv', 'norm'])
>>> space.encode(value) == candidate
True
>>> child = space.mutate(candidate, np.random.default_rng(0))
>>> space.validate(child) is None and child != candidate
True
"""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import pyglove as pg

from isozyme.hashing import digest
from isozyme.spaces.abilities import Operator
from isozyme.spaces.choices import Genes, Points
from isozyme.spaces.protocol import InvalidCandidate
from isozyme.spaces.template import choices, coding, compilation, counting, crossover, mutation

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]
_encode, _decode = json.JSONEncoder().encode, json.JSONDecoder().decode


@pg.members(
    [("template", _ANY, "A value with decisions in it; those of candidates count once chosen.")],
    serialization_key="isozyme.TemplateSpace",
)
class TemplateSpace(pg.Object):
    """The values that a template stands for.

    A candidate is a tuple of numbers and tuples, see `decisions.py`. Two candidates with the same canonical form stand
    for the same value: twins arise where candidates of a choice are equal.
    """

    template: Any

    def _on_bound(self) -> None:
        super()._on_bound()
        self._root = compilation.compiled(self.template)
        structure = compilation.structure(self._root).encode()
        self._version = f"template-1-{digest(b'template', structure).hex()[:16]}"
        self._derives = pg.contains(self.template, type=pg.hyper.DerivedValue)
        self._spec: pg.DNASpec | None = None
        kinds = mutation.kinds(self._root)
        self._operators = {kind: partial(self._change, kind=kind) for kind in kinds} if len(kinds) > 1 else {}
        self._sites = mutation.fixed_sites(self._root)

    @property
    def version(self) -> str:
        """A digest of all decisions and of all that they decide on."""
        return self._version

    @property
    def references(self) -> Mapping[str, Genes]:
        """None: a template names no candidates."""
        return {}

    def initial(self, rng: np.random.Generator) -> Genes:
        """A random candidate."""
        return self._root.random(rng)

    def random(self, rng: np.random.Generator) -> Genes:
        """A random candidate: of each choice every candidate is equally likely, however much it brings."""
        return self._root.random(rng)

    @property
    def operators(self) -> Mapping[str, Operator]:
        """By kind of decision, where there are several: 'choice', 'float', 'order'.

        Each of them looks at any of the candidate's decisions and returns None where it is of another kind, so that
        operators drawn until one applies change every decision equally often, as `mutate` does.
        """
        return self._operators

    def mutate(self, candidate: Genes, rng: np.random.Generator) -> Genes:
        """A candidate that differs from this one in one decision and in what depends on it.

        Raises:
          ValueError: the space has no other candidate.
        """
        child = self._change(candidate, rng)
        if child is None:
            raise ValueError("the template has no decisions that can be taken otherwise, so nothing can be mutated")
        return child

    def _change(self, candidate: Genes, rng: np.random.Generator, kind: str | None = None) -> Genes | None:
        sites = mutation.sites(self._root, candidate) if self._sites is None else self._sites
        return mutation.mutate(candidate, sites, rng, kind) if sites else None

    def cross(self, first: Genes, second: Genes, rng: np.random.Generator) -> Genes:
        """Each decision from either parent; orders and sets are combined."""
        return crossover.cross(self._root, first, second, rng)

    def validate(self, candidate: Genes) -> str | None:
        """The reason why a candidate is outside the space, or None. Takes anything."""
        return self._root.check(candidate)

    def canonical(self, candidate: Genes) -> bytes:
        """The decoded value as text."""
        return self._root.text(candidate).encode()

    def probe(self, candidate: Genes) -> None:
        """None: only the canonical form tells candidates apart."""
        del candidate

    def form(self, candidate: Genes) -> Mapping[str, float]:
        """Nothing: all that a candidate says is part of its behaviour."""
        del candidate
        return {}

    def lower(self, candidate: Genes) -> Any:
        """The decoded value."""
        return self.decode(candidate)

    def to_source(self, candidate: Genes) -> str:
        """The candidate as JSON."""
        return _encode(candidate)

    def from_source(self, text: str) -> Genes:
        """Reads JSON; raises `InvalidCandidate` with the path and the reason."""
        try:
            candidate = _tuples(_decode(text))
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidCandidate(f"not JSON: {error}") from None
        return self._checked(candidate)

    def export(self, candidate: Genes) -> Mapping[str, str]:
        """`candidate.json`, which `from_source` reads, and `value.txt`, the decoded value for people."""
        value = pg.format(self.decode(candidate), compact=False, verbose=False)
        return {"candidate.json": f"{self.to_source(candidate)}\n", "value.txt": f"{value}\n"}

    def decode(self, candidate: Genes) -> Any:
        """The value that a candidate stands for, as `pg.template(template).decode` makes it."""
        value = coding.decode(self._root, candidate)
        return pg.template(value).decode(pg.DNA(None)) if self._derives else value

    def encode(self, value: Any) -> Genes:
        """The first candidate that stands for a value.

        Raises:
          InvalidCandidate: none does.
        """
        for candidate in coding.encodings(self._root, value):
            if not self._derives or self.decode(candidate) == value:
                return candidate
        raise InvalidCandidate("the template has no decisions that lead to this value")

    def to_dna(self, candidate: Genes) -> pg.DNA:
        """The candidate as `pg.DNA`, bound to `pg.dna_spec(template)`."""
        if self._spec is None:  # Made on demand: for twenty decisions it takes longer than a thousand mutations.
            self._spec = pg.dna_spec(self.template)
        return pg.DNA.from_numbers(list(coding.numbers(candidate)), self._spec).use_spec(self._spec)

    def from_dna(self, dna: pg.DNA) -> Genes:
        """The candidate of a `pg.DNA`; raises `InvalidCandidate` where it is one of another template."""
        row = iter(cast(list[Any], dna.to_numbers()))
        candidate = self._checked(coding.from_numbers(self._root, row))
        if next(row, None) is not None:
            raise InvalidCandidate("the DNA has more decisions than the template")
        return candidate

    @property
    def size(self) -> int | None:
        """The number of candidates; None where there is no end of them."""
        return counting.size(self._root)

    def points(self) -> Iterator[Genes]:
        """All candidates, one at a time, in the order of `pg.iter`.

        Raises:
          ValueError: there is no end of them.
        """
        if self.size is None:
            raise ValueError("the template has a pg.floatv, so its candidates cannot be listed")
        return counting.points(self._root)

    def choices(self) -> Points:
        """Returns the choice points, over which a policy can be learned.

        Raises:
          ValueError: the template has a decision that is no independent choice; the message names its path.
        """
        return choices.choices_of(self._root)

    def _checked(self, candidate: Genes) -> Genes:
        reason = self._root.check(candidate)
        if reason is not None:
            raise InvalidCandidate(reason)
        return candidate


def _tuples(item: Any) -> Any:
    return tuple([_tuples(part) if type(part) is list else part for part in item]) if type(item) is list else item
