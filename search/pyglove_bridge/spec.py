"""The space that a `pg.DNASpec` describes, which is all that `pg.sample` hands over of what it samples.

A spec is written down as plain JSON, its outline, from which template, space and spec can be made again:

    [decision, …]                                                 a space
    {"location": …, "name": …, "choices": k, "distinct": …,
     "sorted": …, "literals": […], "candidates": [space, …]}      pg.oneof (k = 1), pg.manyof, pg.permutate
    {"location": …, "name": …, "low": …, "high": …, "scale": …}   pg.floatv
"""

import re
from typing import Any

import pyglove as pg

from isozyme.spaces.abilities import offered
from isozyme.spaces.choices import Genes, split
from isozyme.spaces.template import TemplateSpace

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")

Outline = list[Any]


def outline(spec: pg.DNASpec) -> Outline:
    """Returns a space as plain JSON.

    Raises:
      ValueError: it contains decision points of the user's own, which no template can have.
    """
    if not isinstance(spec, pg.geno.Space):
        raise ValueError(f"the space is a {type(spec).__name__}; name a template or a pg.geno.Space")
    return [_decision(element) for element in spec.elements]


def _decision(element: Any) -> dict[str, Any]:
    place = {"location": element.location.path, "name": element.name}
    if element.is_numerical:
        return {**place, "low": element.min_value, "high": element.max_value, "scale": element.scale}
    if not element.is_categorical:
        raise ValueError(
            f"{element.id.path or 'space'}: {element.hyper_type} is a decision of the user's own, which cannot be "
            "searched here; these can: pg.oneof, pg.manyof, pg.permutate and pg.floatv"
        )
    literals = element.literal_values or []
    return {
        **place,
        "choices": element.num_choices,
        "distinct": element.distinct,
        "sorted": element.sorted,
        "literals": [_ADDRESS.sub("", text) if isinstance(text, str) else text for text in literals],
        "candidates": [outline(candidate) for candidate in element.candidates],
    }


def _template(space: Outline, constant: Any) -> Any:
    """Returns a value with the same decisions as the space; indices stand for what they decide on."""
    return [_primitive(decision) for decision in space] or constant


def _primitive(decision: dict[str, Any]) -> Any:
    if "low" in decision:
        return pg.floatv(decision["low"], decision["high"], decision["scale"])
    candidates = [_template(candidate, index) for index, candidate in enumerate(decision["candidates"])]
    if decision["choices"] == 1:
        return pg.oneof(candidates)
    return pg.manyof(decision["choices"], candidates, decision["distinct"], decision["sorted"])


def spec_of(space: Outline) -> pg.DNASpec:
    """Returns the spec of an outline, without hints."""
    return pg.geno.space([_point(decision) for decision in space])


def _point(decision: dict[str, Any]) -> Any:
    place = {"location": pg.KeyPath.parse(decision["location"]), "name": decision["name"]}
    if "low" in decision:
        return pg.geno.floatv(decision["low"], decision["high"], decision["scale"], **place)
    candidates = [spec_of(candidate) for candidate in decision["candidates"]]
    literals = decision["literals"] or None
    return pg.geno.manyof(
        decision["choices"], candidates, decision["distinct"], decision["sorted"], literal_values=literals, **place
    )


def dna_of(candidate: Genes, spec: pg.DNASpec) -> pg.DNA:
    """Returns a template space's candidate as `pg.DNA`, bound to a spec of that template.

    `pg.DNA.from_numbers` would bind every node anew to what is below it, which takes twice as long.
    """
    return pg.DNA(_dna_value(spec, candidate)).use_spec(spec)


def _dna_value(space: Any, genes: Genes) -> Any:
    values = [_decided(element, gene) for element, gene in zip(space.elements, genes, strict=True)]
    return values[0] if len(values) == 1 else values


def _decided(element: Any, gene: Any) -> Any:
    if not element.is_categorical:
        return gene
    if element.num_choices > 1:
        return [_chosen(element, one) for one in gene]
    return _chosen(element, gene[0] if type(gene) is tuple and len(gene) == 1 else gene)  # pg.manyof(1, …) has a list.


def _chosen(element: Any, gene: Any) -> Any:
    index, genes = split(gene)
    if not genes:
        return index
    inner = _dna_value(element.candidates[index], genes)
    return (index, *inner) if type(inner) is tuple else (index, inner)


@pg.members([("spec", pg.typing.Object(pg.DNASpec), "To which DNA is bound.")], serialization_key="isozyme.SpecSpace")
class SpecSpace(TemplateSpace):
    """The space of a `pg.DNASpec`. Candidates are told apart by their decisions, and by nothing else."""

    spec: pg.DNASpec

    def to_dna(self, candidate: Genes) -> pg.DNA:
        """Returns the candidate as `pg.DNA`, bound to the spec."""
        return dna_of(candidate, self.spec)


def space_of(spec: pg.DNASpec) -> SpecSpace:
    """Makes the space of a spec; raises `ValueError` where it contains decision points of the user's own."""
    template: Any = pg.List(_template(outline(spec), []))
    return SpecSpace(template, pg.Ref(spec))  # A spec takes whatever holds it for its parent.


def spec_for(space: Any) -> pg.DNASpec:
    """Returns the spec of a template space.

    Raises:
      ValueError: it is none, so that its candidates are no DNA.
    """
    if (sampled := offered(space, SpecSpace)) is not None:
        return sampled.spec
    if (templated := offered(space, TemplateSpace)) is not None:
        return pg.dna_spec(templated.template)
    raise ValueError(f"space: PyGlove's algorithms search a TemplateSpace, and this is a {type(space).__name__}")
