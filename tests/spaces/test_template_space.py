"""What template spaces promise as spaces: validity, text, keys, versions (spaces/protocol.py)."""

import doctest
import json
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pyglove as pg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isozyme.spaces.protocol import InvalidCandidate
from isozyme.spaces.template import TemplateSpace, space
from isozyme.tests.spaces.template_helpers import FINITE, SEEDS, TEMPLATES, Layer, double, flat, mixed, walk

MIXED = TemplateSpace(mixed())
SMALL = TemplateSpace(
    pg.Dict(
        a=pg.oneof([1, 2]),
        b=pg.oneof(["x", pg.Dict(p=pg.floatv(-1.0, 1.0))]),
        c=pg.manyof(2, range(4), sorted=True),
        d=pg.permutate(range(3)),
    )
)
GOOD = (0, (1, 0.5), (1, 3), (2, 0, 1))


def test_the_example_of_the_module():
    assert doctest.testmod(space).attempted > 8
    assert doctest.testmod(space).failed == 0


def test_valid_candidates():
    assert SMALL.validate(GOOD) is None
    assert SMALL.validate((1, 0, (0, 1), (0, 1, 2))) is None
    assert TemplateSpace("constant").validate(()) is None


@pytest.mark.parametrize(
    ("place", "gene", "reason"),
    [
        (0, 2, "a: 2 is not one of 0 to 1"),
        (0, -1, "a: -1 is not one of 0 to 1"),
        (0, True, "a: True is not a choice"),
        (0, 0.0, "a: 0.0 is not a choice"),
        (0, (0,), "a: a value of type tuple is not a choice"),
        (0, (0, 1), "a.candidates[0]: 1 decisions instead of 0"),
        (0, np.int64(0), "a: a value of type int64 is not a choice"),
        pytest.param(0, 10**5000, "a: a value of type int is not one of 0 to 1", id="huge"),
        (1, 1, "b.candidates[1]: 0 decisions instead of 1"),
        (1, (1, 1), "b.candidates[1].p: 1 is not a float"),
        (1, (1, 1.5), "b.candidates[1].p: 1.5 is outside of -1.0 to 1.0"),
        (1, (1, float("nan")), "b.candidates[1].p: nan is outside of -1.0 to 1.0"),
        (1, (1, 0.5, 0.5), "b.candidates[1]: 2 decisions instead of 1"),
        (2, (3, 1), "c: [3, 1] are not sorted"),
        (2, (1, 1), "c: [1, 1] are not distinct"),
        (2, (1,), "c: 1 decisions instead of 2"),
        (2, [1, 3], "c: a value of type list is not a tuple"),
        (3, (0, 1, 1), "d: [0, 1, 1] are not distinct"),
        (3, (0, 1, 3), "d: 3 is not one of 0 to 2"),
    ],
)
def test_invalid_candidates(place, gene, reason):
    """One line says where and why."""
    assert SMALL.validate((*GOOD[:place], gene, *GOOD[place + 1 :])) == reason


class Angry:
    """Answers nothing."""

    def __eq__(self, other):
        raise RuntimeError

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self):
        raise RuntimeError

    __len__ = __iter__ = __lt__ = __index__ = __float__ = __bool__ = __repr__  # pyright: ignore[reportAssignmentType]


_ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.builds(Angry), st.just(np.ones(3))),
    lambda parts: st.one_of(st.lists(parts), st.lists(parts).map(tuple), st.dictionaries(st.integers(), parts)),
)


@settings(max_examples=60, deadline=None)
@given(anything=_ANYTHING, place=st.integers(0, 4))
def test_validate_takes_anything(anything, place):
    """It never raises, and what it accepts can be decoded."""
    for candidate in (anything, (*GOOD[:place], anything, *GOOD[place + 1 :])):
        reason = SMALL.validate(candidate)
        if reason is None:
            SMALL.decode(candidate)
        else:
            assert isinstance(reason, str)
            assert "\n" not in reason


@settings(max_examples=60, deadline=None)
@given(template=TEMPLATES, seed=SEEDS)
def test_text_is_lossless(template, seed):
    """to_source and from_source, floats to the last bit; candidates are hashable plain tuples of numbers."""
    one = TemplateSpace(template)
    candidate = one.random(np.random.default_rng(seed))
    text = one.to_source(candidate)
    again = one.from_source(text)
    assert repr(again) == repr(candidate)
    assert hash(again) == hash(candidate)
    assert json.loads(text) == json.loads(one.export(candidate)["candidate.json"])


def test_text_keeps_every_bit():
    one = TemplateSpace(pg.List([pg.floatv(-1.0, 1.0), pg.floatv(0.0, 1e300)]))
    for numbers in [(-0.0, 5e-324), (0.1 + 0.2 - 1.0, 1.7976931348623157e292), (1 / 3, 2**-1074)]:
        assert repr(one.from_source(one.to_source(numbers))) == repr(numbers)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "nonsense",
        "null",
        "7",
        "{}",
        '"[0]"',
        "[]",
        "[0, [1, 0.5], [1, 3], [2, 0, 1], 0]",
        "[true, [1, 0.5], [1, 3], [2, 0, 1]]",
        "[0.0, [1, 0.5], [1, 3], [2, 0, 1]]",
        "[0, [1, NaN], [1, 3], [2, 0, 1]]",
        "[0, [1, Infinity], [1, 3], [2, 0, 1]]",
        "[0, [1, 1e999], [1, 3], [2, 0, 1]]",
        "[0, [1, 1], [1, 3], [2, 0, 1]]",
        '["0", [1, 0.5], [1, 3], [2, 0, 1]]',
        "[0, [1, 0.5], [3, 1], [2, 0, 1]]",
        "[0, [1, 0.5], [1, 3], [2, 0, 1]] extra",
        "__import__('os').getcwd()",
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        f"[{'9' * 5000}, [1, 0.5], [1, 3], [2, 0, 1]]",
    ],
)
def test_bad_text_is_refused(text):
    """Garbage, NaN, wrong shapes and truth values in place of indices; nothing is executed."""
    with pytest.raises(InvalidCandidate) as caught:
        SMALL.from_source(text)
    assert "\n" not in str(caught.value)


def _same(one, other):
    return pg.eq(one, other) and pg.format(one) == pg.format(other)


@settings(max_examples=60, deadline=None)
@given(template=FINITE, seed=SEEDS)
def test_canonical_forms_are_equal_where_values_are(template, seed):
    """Twins of any kind: equal candidates of a choice, choices within choices, lists and their elements."""
    one, rng = TemplateSpace(template), np.random.default_rng(seed)
    candidates = [one.random(rng) for _ in range(6)]
    for first in candidates:
        for second in candidates:
            same = one.canonical(first) == one.canonical(second)
            assert same == _same(one.decode(first), one.decode(second))


def test_twins():
    """The same value has the same bytes, however it was decided."""
    zeros = TemplateSpace(pg.List([pg.floatv(-1.0, 1.0), pg.oneof([0.0, -0.0, 0])]))
    assert zeros.canonical((-0.0, 0)) == zeros.canonical((0.0, 1))
    assert zeros.canonical((0.0, 0)) != zeros.canonical((0.0, 2))
    assert zeros.canonical((-0.05, 0)) != zeros.canonical((0.05, 0))
    weighted = TemplateSpace(pg.oneof(["relu", "gelu", "relu", pg.oneof(["gelu", "tanh"])]))
    assert weighted.canonical((0,)) == weighted.canonical((2,)) != weighted.canonical((1,))
    assert weighted.canonical((1,)) == weighted.canonical(((3, 0),))
    several = TemplateSpace(pg.manyof(2, ["a", "a", "b"], sorted=True))
    assert several.canonical(((0, 2),)) == several.canonical(((1, 2),)) != several.canonical(((0, 1),))
    truth = TemplateSpace(pg.oneof([1, 1.0, True, "1"]))
    assert len({truth.canonical((i,)) for i in range(4)}) == 4


def test_what_only_looks_equal_is_no_twin():
    """pg.eq calls functions equal whose constants differ (pyglove sheet, section 6), and classes of one name."""

    def made(n):
        class Local(pg.Object):
            def __call__(self):
                return n

        return Local()

    one = TemplateSpace(pg.oneof([lambda x: x + 1, lambda x: x + 2, made(1), made(2), double, double]))
    assert len({one.canonical((i,)) for i in range(6)}) == 5
    assert one.canonical((4,)) == one.canonical((5,))
    assert [one.encode(one.decode((i,))) for i in range(4)] == [(0,), (1,), (2,), (3,)]


_VERSION = """
from isozyme.spaces.template import TemplateSpace
from isozyme.tests.spaces.template_helpers import mixed
print(TemplateSpace(mixed()).version)
"""


def test_versions_agree_between_processes():
    """Nothing of it comes from hash() or id()."""
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", _VERSION], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        assert run.stdout.strip() == MIXED.version


def test_versions_differ_between_templates():
    """Values, order, bounds, scales and kinds of decisions all count; names and hints do not."""
    templates = [
        pg.oneof(["a", "b"]),
        pg.oneof(["b", "a"]),
        pg.oneof(["a", "b", "c"]),
        pg.oneof(["a", pg.oneof(["b"])]),
        pg.Dict(x=pg.oneof(["a", "b"])),
        pg.Dict(y=pg.oneof(["a", "b"])),
        pg.Dict(x=pg.oneof(["a", "b"]), y=1),
        pg.Dict(x=pg.oneof(["a", "b"]), y=True),
        pg.Dict(x=pg.oneof(["a", "b"]), y=double),
        pg.manyof(1, ["a", "b"]),
        pg.manyof(2, ["a", "b"]),
        pg.manyof(2, ["a", "b"], sorted=True),
        pg.manyof(2, ["a", "b"], distinct=False),
        pg.manyof(2, ["a", "b"], distinct=False, sorted=True),
        pg.floatv(0.5, 1.0),
        pg.floatv(0.5, 2.0),
        pg.floatv(0.25, 1.0),
        pg.floatv(0.5, 1.0, scale="log"),
        Layer("a", pg.oneof([1, 2])),
        Layer("b", pg.oneof([1, 2])),
        {"kind": "a", "size": pg.oneof([1, 2])},
        pg.Dict(w=pg.oneof([1, 2]), v=pg.oneof([1, 2]), u=pg.hyper.reference("w")),
        pg.Dict(w=pg.oneof([1, 2]), v=pg.oneof([1, 2]), u=pg.hyper.reference("v")),
    ]
    assert len({TemplateSpace(template).version for template in templates}) == len(templates)
    named = pg.oneof(["a", "b"], name="letter", hints="first")
    assert TemplateSpace(named).version == TemplateSpace(templates[0]).version


def test_a_changed_template_is_compiled_again():
    """Patches reach into templates: pg.Object calls _on_bound after each change."""
    one = TemplateSpace(pg.Dict(x=pg.oneof([1, 2]), y=0))
    version = one.version
    one.rebind({"template.x": pg.oneof([1, 2, 3])})
    assert one.version != version
    assert one.validate((2,)) is None


def test_spaces_travel():
    """To workers by pickle, to a run folder by JSON."""
    one = TemplateSpace(mixed())
    copies: list[Any] = [pickle.loads(pickle.dumps(one)), pg.from_json_str(one.to_json_str()), one.clone(deep=True)]
    for other in copies:
        assert other.version == one.version
        assert [*walk(other, 0, 20)] == [*walk(one, 0, 20)]


def test_decoded_values_are_one_s_own():
    """Whoever changes one changes neither the template nor what is decoded later."""
    one = TemplateSpace(pg.oneof([pg.Dict(a=[1]), pg.Dict(a=pg.manyof(1, [pg.Dict(b=1)]))]))
    for candidate in ((0,), ((1, (0,)),)):
        before = pg.format(one.decode(candidate))
        one.decode(candidate).a.append(2)
        assert pg.format(one.decode(candidate)) == before
    constant = TemplateSpace(pg.Dict(a=[1]))
    constant.decode(()).a.append(2)
    assert constant.decode(()) == pg.Dict(a=[1])


def test_what_a_user_gets():
    """export: the candidate as JSON, and the value as a person reads it."""
    files = SMALL.export(GOOD)
    assert SMALL.from_source(files["candidate.json"]) == GOOD
    for line in ("a = 1", "p = 0.5"):
        assert line in files["value.txt"]
    assert TemplateSpace(pg.oneof(["relu", "gelu"])).export((1,))["value.txt"] == "'gelu'\n"


def test_the_rest_of_the_protocol():
    rng = np.random.default_rng(0)
    candidate = SMALL.initial(rng)
    assert SMALL.validate(candidate) is None
    assert SMALL.probe(candidate) is None
    assert SMALL.form(candidate) == {}
    assert SMALL.references == {}
    assert SMALL.lower(GOOD) == pg.Dict(a=1, b=pg.Dict(p=0.5), c=[1, 3], d=[2, 0, 1])
    assert TemplateSpace(flat()).size == 4**20
