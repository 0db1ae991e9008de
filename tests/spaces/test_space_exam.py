"""The exam for spaces: ours pass, and each of these bad ones is caught."""

from typing import Any

import bad_spaces
import pyglove as pg
import pytest
from toys import BitStrings

from isozyme.benchmarks.equivalence.activations import Activations
from isozyme.benchmarks.equivalence.features import FeatureGraphs
from isozyme.search.exam.toy_search import Points
from isozyme.spaces.costs import ParameterCount
from isozyme.spaces.exam import examine
from isozyme.spaces.feasible import FeasibleSpace
from isozyme.spaces.limits import Limit
from isozyme.spaces.lion import OptimizerPrograms, adamw
from isozyme.spaces.tabnas import FeedForward
from isozyme.spaces.template import TemplateSpace

NETWORKS = FeedForward(10, 2)
NESTED = pg.Dict(
    optimizer=pg.oneof(["adam", pg.Dict(name="sgd", momentum=pg.floatv(0.0, 0.99))]),
    layers=pg.manyof(2, ["conv", "pool", "norm"], sorted=True),
)
OURS: dict[str, Any] = {
    "optimizer programs": OptimizerPrograms(),
    "a tuned start": OptimizerPrograms(start=adamw(0.0075, 0.1)),
    "constants of programs": OptimizerPrograms(mutates="constants"),
    "feed-forward networks": NETWORKS,
    "networks within a limit": FeasibleSpace(
        NETWORKS, Limit(ParameterCount([list(NETWORKS.widths)] * 3, 10, 2), 9_000.0)
    ),
    "a nested template": TemplateSpace(NESTED),
    "a template of two points": TemplateSpace(pg.oneof([1, 2])),
    "orders": TemplateSpace(pg.permutate([1, 2, 3, 4])),
    "numbers": TemplateSpace(pg.floatv(0.0, 1.0)),
    "graphs": FeatureGraphs(),
    "lambdas": Activations(),
    "points of the toy search": Points(),
    "bit strings": BitStrings(),
}


@pytest.mark.parametrize("name", OURS)
def test_ours_pass(name):
    """habits.md, 6: one exam for all."""
    assert examine(OURS[name]) == []


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (bad_spaces.InvalidStart, "initial gives (1,), of which validate says: 1 bits instead of 12"),
        (bad_spaces.InvalidRandom, "random gives"),
        (bad_spaces.InvalidChild, "mutate gives"),
        (bad_spaces.Leaving, "initial gives"),
        (bad_spaces.InvalidReference, "references['short'] gives (0,)"),
        (bad_spaces.InvalidBaseline, "baselines['short'] gives (0,)"),
        (bad_spaces.InvalidOperator, "the operator 'shorten' gives"),
        (bad_spaces.InvalidCross, "cross gives"),
        (bad_spaces.Unseeded, "initial gives"),
        (bad_spaces.GlobalMutation, "mutate gives"),
        (bad_spaces.Deaf, "it draws from something else than `rng`"),
        (bad_spaces.Unhashed, "equal candidates with different hashes"),
        (bad_spaces.InPlace, "mutate changes the candidate that it is given"),
        (bad_spaces.Lazy, "60 children are equal to their parent"),
        (bad_spaces.Local, "60 mutations in a row reach"),
        (bad_spaces.Lossy, "and read as"),
        (bad_spaces.BytesForText, "expected is text"),
        (bad_spaces.Executing, "was executed"),
        (bad_spaces.Unpickling, "was executed"),
        (bad_spaces.PyGloveReader, "was executed"),
        (bad_spaces.Wordy, "with 2 lines instead of one"),
        (bad_spaces.Unguarded, "raises ValueError for 'nonsense' instead of InvalidCandidate"),
        (bad_spaces.Credulous, "takes 'nonsense' for the candidate (0, 0"),
        (bad_spaces.UnstableForm, "expected are equal bytes"),
        (bad_spaces.TextForm, "expected are equal bytes"),
        (bad_spaces.OneForm, "have one form"),
        (bad_spaces.CoarseForm, "have one canonical form, but behave differently"),
        (bad_spaces.NarrowProbe, "expected are arrays of float64"),
        (bad_spaces.EmptyProbe, "gives [] for"),
        (
            bad_spaces.UnstableProbe,
            "same where canonical forms are: gives something else the second time",
        ),
        (bad_spaces.OneProbe, "behaviour is the same for all"),
        (bad_spaces.InfiniteSize, "expected are finite numbers"),
        (bad_spaces.WordSize, "expected are finite numbers"),
        (bad_spaces.UnstableSize, "`form` gives finite numbers by name, the same each time: gives something else"),
        (bad_spaces.UnstableArrays, "`lower` works on every candidate, the same each time: gives something else"),
        (bad_spaces.PartialArrays, "`lower` works on every candidate, the same each time: raised IndexError"),
        (bad_spaces.NoFiles, "gives no file"),
        (bad_spaces.Elsewhere, "expected are plain file names"),
        (bad_spaces.NumbersForFiles, "list in it; expected are plain file names, and texts or bytes"),
        (bad_spaces.BrokenPython, "Python files compile: raised SyntaxError"),
        (bad_spaces.BadTunings, "tunings of"),
        (bad_spaces.BadSimplifications, "which behaves differently"),
        (bad_spaces.BadReductions, "reductions of"),
        (bad_spaces.HalfSimplifiable, "has `simplifications` without `reductions`"),
        (bad_spaces.NoMethod, "`cross` is None; expected is a method"),
        (bad_spaces.Swallowing, "the space inside has `cross`, the one around it has not"),
        (bad_spaces.BadChoices, "choices spell (2, 0"),
        (bad_spaces.LossyChoices, "with a loss"),
        (bad_spaces.HashForm, "canonical of '"),
        (bad_spaces.SetOrder, "here and '"),
    ],
)
def test_bad_spaces_are_caught(bad, finding):
    """habits.md, 6: one exam, which fails what it should, in one line."""
    found = examine(bad(size=12))
    assert any(finding in one for one in found), found
    assert all("\n" not in one for one in found)


def test_a_space_that_no_worker_could_import():
    class Inside(BitStrings):
        pass

    (finding,) = examine(Inside())
    assert "cannot be pickled" in finding
    assert "in a module that can be imported" in finding
