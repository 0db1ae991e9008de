"""The space of feed-forward networks of a fixed depth (TabNAS, Yang et al., NeurIPS 2022)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.spaces.choices import Points
from isozyme.spaces.networks import Network, count
from isozyme.spaces.protocol import InvalidCandidate
from isozyme.spaces.tabnas.export import to_jax_file
from isozyme.spaces.tabnas.lowering import feed_forward
from isozyme.spaces.tabnas.named import NAMED, WIDTHS
from isozyme.spaces.template import TemplateSpace

Genes = tuple[int, ...]


@pg.members(
    [
        ("inputs", pg.typing.Int(min_value=1), "Numbers that the first layer reads, embeddings included."),
        ("outputs", pg.typing.Int(min_value=1), "Classes, or 1 where a number is predicted."),
        ("layers", pg.typing.Int(3, min_value=1), "Hidden layers."),
        (
            "widths",
            pg.typing.List(pg.typing.Int(min_value=1), min_size=1, default=list(WIDTHS)),
            "What each layer's width is chosen from, in ascending order.",
        ),
    ],
    serialization_key="isozyme.FeedForward",
)
class FeedForward(pg.Object):
    """Dense layers with ReLU between `inputs` and `outputs`, one width a layer.

    A candidate is a tuple of indices into `widths`, one a layer: the genes of `TemplateSpace(template)`. What a table
    has for inputs and outputs is computed by `evaluators.tabular.space_for`; the evaluator refuses a space made for
    another table.
    """

    inputs: int
    outputs: int
    layers: int
    widths: list[int]

    def _on_bound(self) -> None:
        super()._on_bound()
        self._widths = tuple(self.widths)
        if list(self._widths) != sorted(set(self._widths)):
            raise ValueError(f"widths are {list(self._widths)}: every width must be there once, in ascending order")
        self._sizes = self.inputs, self.outputs
        self._genes = TemplateSpace([pg.oneof(list(self._widths)) for _ in range(self.layers)])

    @property
    def template(self) -> Any:
        """The decisions as a PyGlove template: a list of `pg.oneof(widths)`."""
        return self._genes.template

    @property
    def version(self) -> str:
        """Names the template, by which indices get their meaning."""
        return f"tabnas-1/{self._genes.version}"

    @property
    def references(self) -> Mapping[str, Genes]:
        """The paper's 32-144-24, where it is in the space."""
        inside = {name: widths for name, widths in NAMED.items() if self._outside(widths) is None}
        return {name: self._indices(widths) for name, widths in inside.items()}

    def initial(self, rng: np.random.Generator) -> Genes:
        """A random candidate."""
        return self._genes.initial(rng)

    def random(self, rng: np.random.Generator) -> Genes:
        """A random candidate: of each layer every width is equally likely."""
        return self._genes.random(rng)

    def mutate(self, candidate: Genes, rng: np.random.Generator) -> Genes:
        """A candidate with another width in one layer."""
        return self._genes.mutate(candidate, rng)

    def cross(self, first: Genes, second: Genes, rng: np.random.Generator) -> Genes:
        """Each layer's width from either parent."""
        return self._genes.cross(first, second, rng)

    def choices(self) -> Points:
        """Returns the choice points: the width of each layer."""
        return self._genes.choices()

    def validate(self, candidate: Genes) -> str | None:
        """The reason why a candidate is outside the space, or None. Takes anything."""
        return self._genes.validate(candidate)

    def canonical(self, candidate: Genes) -> bytes:
        """The widths as text: what differs in widths differs in behaviour."""
        return self.to_source(candidate).encode()

    def probe(self, candidate: Genes) -> None:
        """None: only the canonical form tells candidates apart."""
        del candidate

    def form(self, candidate: Genes) -> Mapping[str, float]:
        """`parameters`: weights and biases; those of embeddings, which all candidates share, are not counted."""
        return {"parameters": float(count(self.network(candidate)).params)}

    def network(self, candidate: Genes) -> Network:
        """Describes the stand-alone network."""
        return feed_forward(self._decode(candidate), *self._sizes)

    def lower(self, candidate: Genes) -> np.ndarray:
        """Widths, int32 [layers]."""
        return np.array(self._decode(candidate), np.int32)

    def to_source(self, candidate: Genes) -> str:
        """The widths from the input on, as in '32-144-24'."""
        return "-".join(map(str, self._decode(candidate)))

    def from_source(self, text: str) -> Genes:
        """Reads widths; raises `InvalidCandidate` with the reason."""
        parts = text.strip().split("-")
        if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
            raise InvalidCandidate(f"{text.strip()[:40]!r} is not widths with hyphens between them, such as 32-144-24")
        widths = tuple(map(int, parts))
        reason = self._outside(widths)
        if reason is not None:
            raise InvalidCandidate(reason)
        return self._indices(widths)

    def export(self, candidate: Genes) -> Mapping[str, str]:
        """`network.py`: `init(key)` and `apply(params, x)`, which need jax only."""
        return {"network.py": to_jax_file(self._decode(candidate), *self._sizes)}

    def _decode(self, candidate: Genes) -> tuple[int, ...]:
        return tuple([self._widths[index] for index in candidate])

    def _indices(self, widths: Sequence[int]) -> Genes:
        return tuple([self._widths.index(width) for width in widths])

    def _outside(self, widths: Sequence[int]) -> str | None:
        if len(widths) != self.layers:
            return f"{len(widths)} layers instead of {self.layers}"
        unknown = [width for width in widths if width not in self._widths]
        return f"{unknown[0]} is not one of the widths {', '.join(map(str, self._widths))}" if unknown else None
