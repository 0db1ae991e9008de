"""Overrides and patches: typed, checked, on a copy, all or nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyglove as pg
import pytest
from launch_helpers import LION

from isozyme.launch import config_file
from isozyme.launch.errors import UsageError
from isozyme.launch.experiment import Experiment
from isozyme.launch.overrides import override, paths
from isozyme.launch.patches import on_key, patch
from isozyme.search import RandomSearch, RegularizedEvolution


@pytest.fixture
def experiment() -> Experiment:
    """Three tasks."""
    return config_file.load(str(LION), [], [])


@pg.patching.patcher([("steps", pg.typing.Int(min_value=1))])
def tests_set_steps(experiment: Experiment, steps: int) -> Callable[..., Any]:
    """Sets the steps of every task."""
    del experiment
    return on_key("steps", lambda _: steps)


@pg.patching.patcher([])
def tests_break_half_way(experiment: Experiment) -> Callable[..., Any]:
    """Changes the first task and raises at the second."""
    seen = []

    def change(steps: int) -> int:
        seen.append(steps)
        if len(seen) > 1:
            raise RuntimeError("the second task is too much")
        return steps + 1

    del experiment
    return on_key("steps", change)


@pg.patching.patcher([])
def tests_second_key_is_wrong(experiment: Experiment) -> dict[str, Any]:
    """A valid value, then one of the wrong type (pyglove_patches.md 3.5, row 2)."""
    del experiment
    return {"seed": 77, "lag": "many"}


@pg.patching.patcher([])
def tests_half_a_key(experiment: Experiment) -> Callable[..., Any]:
    """Matches nothing unless prefixes match (pyglove_patches.md 3.5, row 4)."""
    del experiment
    return on_key("step", lambda _: 1)


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("seed", "7", 7),
        ("search.population_size", "200", 200),
        ("hurdle.quantile", "0.5", 0.5),
        ("hurdle.quantile", "1", 1.0),
        ("objectives[0].reference", "2", 2.0),
        ("objectives[2].reference", "-1e3", -1000.0),
        ("evaluator.download", "True", True),
        ("evaluator.download", "true", True),
        ("hurdle", "None", None),
        ("space.start", "lion", "lion"),
        ("evaluator.path", "compiled", "compiled"),
        ("evaluator.tasks[0].steps", "11", 11),
        ("evaluator.tasks[2].data", "any_text", "any_text"),
        ("evaluator.tasks[0].sizes.hidden", "[16, 8]", [16, 8]),
        ("evaluator.tasks[2].sizes.channels[0]", "4", 4),
        ("evaluator.tasks[0].name", "7", "7"),  # A field that holds text takes digits as text.
    ],
)
def test_typed_overrides(experiment: Experiment, path: str, text: str, value: object) -> None:
    """Values are read by the type of their field, at any depth, and nothing else changes."""
    before: Any = experiment.clone(deep=True)
    changed = override(experiment, path, text)
    known = paths(changed)
    assert known[path] == value
    assert type(known[path]) is type(value) or isinstance(value, list)
    assert experiment == before
    inside = (path, *(f"{path}{mark}" for mark in (".", "[")))
    others = {p for p in paths(before) if not p.startswith(inside) and not path.startswith(p)}
    assert all(known[p] == paths(before)[p] for p in others)


def test_whole_numbers_stay_floats_in_float_fields(experiment: Experiment) -> None:
    """Else 1 and 1.0 would make two experiments of one."""
    a, b = (override(experiment, "hurdle.quantile", text) for text in ("1", "1.0"))
    assert a.identity() == b.identity()
    assert isinstance(paths(a)["hurdle.quantile"], float)


def test_overriding_with_the_same_value_changes_nothing(experiment: Experiment) -> None:
    """An override may repeat what the config says."""
    assert override(experiment, "seed", "0") == experiment


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("search.populationsize", "search.population_size"),
        ("serch.population_size", "search.population_size"),
        ("evaluator.task[0].steps", "evaluator.tasks[0].steps"),
        ("evaluator.tasks[3].steps", "evaluator.tasks[2].steps"),
        ("sed", "seed"),
    ],
)
def test_an_unknown_path_names_its_nearest(experiment: Experiment, path: str, nearest: str) -> None:
    """A typing error is mended by reading the message."""
    with pytest.raises(UsageError, match="no such field; the nearest are") as caught:
        override(experiment, path, "3")
    assert nearest in str(caught.value)


def test_a_failed_override_leaves_the_experiment_alone(experiment: Experiment) -> None:
    """Errors change nothing."""
    before = experiment.clone(deep=True)
    for path, text in (("seed", "many"), ("lag", "0"), ("hurdle.quantile", "2.0"), ("space", "3")):
        with pytest.raises(UsageError, match=path):
            override(experiment, path, text)
    assert experiment == before


def test_a_patch_fits_every_task(experiment: Experiment) -> None:
    """A rule reaches values at any depth of an experiment that its author never saw, and only those."""
    before: Any = experiment.clone(deep=True)
    cheap = patch(experiment, "cheaper?factor=10")
    changed = {path for path, value in paths(cheap).items() if not isinstance(value, pg.Symbolic | list | dict)}
    steps = {path for path in paths(before) if path.endswith("].steps")}
    assert {f"evaluator.tasks[{i}].steps" for i in range(3)} < steps  # Funnel and meta-validation have tasks as well.
    assert {path for path in changed if paths(cheap)[path] != paths(before)[path]} == steps
    assert [task.steps for task in cheap.evaluator.tasks] == [
        max(1, task.steps // 10) for task in before.evaluator.tasks
    ]
    assert experiment == before  # pyglove_patches.md 3.5, row 1: PyGlove alone patches in place.


def test_steps_never_fall_below_one(experiment: Experiment) -> None:
    """However cheap."""
    assert [task.steps for task in patch(experiment, "cheaper?factor=100000").evaluator.tasks] == [1, 1, 1]


def test_random_search_is_one_flag_away(experiment: Experiment) -> None:
    """The control of every experiment."""
    assert isinstance(experiment.search, RegularizedEvolution)
    control = patch(experiment, "random_search")
    assert isinstance(control.search, RandomSearch)
    assert {p for p in paths(control) if not p.startswith("search")} == {
        p for p in paths(experiment) if not p.startswith("search")
    }


@pytest.mark.parametrize("name", ["tests_break_half_way", "tests_second_key_is_wrong"])
def test_a_patch_is_applied_whole_or_not_at_all(experiment: Experiment, name: str) -> None:
    """pyglove_patches.md section 6, facts 1 (row 2) and 2: a failure half way leaves the former self."""
    before = experiment.clone(deep=True)
    with pytest.raises(UsageError, match=name):
        patch(experiment, name)
    assert experiment == before
    assert experiment.to_json_str() == before.to_json_str()


def test_keys_match_whole(experiment: Experiment) -> None:
    """pyglove_patches.md section 6, facts 1 (row 4) and 3: 'step' is not 'steps'; a rule that fits nothing is told."""
    with pytest.raises(UsageError, match=r"tests_half_a_key.*fits"):
        patch(experiment, "tests_half_a_key")


def test_what_pyglove_does_alone(experiment: Experiment) -> None:
    """Why patches are wrapped: PyGlove's own work in place, stop half way, and match prefixes (rows 1, 2, 4)."""
    mine: Any = experiment.clone(deep=True)
    assert pg.patching.patch(mine, {"seed": 5}) is mine
    assert mine.seed == 5
    mine = experiment.clone(deep=True)
    with pytest.raises(TypeError):
        pg.patching.patch(mine, "tests_second_key_is_wrong")
    assert mine.seed == 77
    mine = pg.Dict(x=1, xy=1)
    pg.patching.patch_on_key(mine, "x", 2)
    assert mine.xy == 2


def test_order_matters(experiment: Experiment) -> None:
    """pyglove_patches.md section 6, fact 1 (row 7): patches apply in the order of the command line."""
    texts = ["tests_set_steps?steps=100", "cheaper?factor=4"]
    first = config_file.load(str(LION), texts, [])
    second = config_file.load(str(LION), texts[::-1], [])
    assert [task.steps for task in first.evaluator.tasks] == [25, 25, 25]
    assert [task.steps for task in second.evaluator.tasks] == [100, 100, 100]
    assert experiment.evaluator.tasks[0].steps not in (25, 100)


def test_overrides_come_after_patches() -> None:
    """What is written for one field beats a rule."""
    loaded = config_file.load(str(LION), ["cheaper?factor=4"], [("evaluator.tasks[0].steps", "7")])
    assert loaded.evaluator.tasks[0].steps == 7
    assert loaded.evaluator.tasks[2].steps == 25


def test_arguments_are_checked_before_anything_is_applied(experiment: Experiment) -> None:
    """pyglove_patches.md section 6, fact 1 (row 3), for one patch: the range is the patcher's."""
    before = experiment.clone(deep=True)
    for text in ("cheaper?factor=0", "cheaper?factor=ten", "cheaper", "cheaper?divisor=4", "repeats?count=1.5"):
        with pytest.raises(UsageError, match=r"cheaper|repeats"):
            patch(experiment, text)
    assert experiment == before


def test_an_unknown_patch_names_its_nearest(experiment: Experiment) -> None:
    """A typing error is mended by reading the message."""
    with pytest.raises(UsageError, match=r"'chaeper'.*cheaper"):
        patch(experiment, "chaeper?factor=2")


def test_a_config_file_may_bring_its_own_patch(tmp_path: Path) -> None:
    """Registered on import, used by name like ours, on variants too."""
    config = tmp_path / "mine.py"
    config.write_text(
        f"""
import sys
from pathlib import Path
import pyglove as pg
from isozyme.launch import config_file
from isozyme.launch.patches import on_key

@pg.patching.patcher([("size", pg.typing.Int(min_value=1))])
def tests_wider(experiment, size):
    return on_key("hidden", lambda _: [size])

def experiment():
    return config_file.load({str(LION)!r}, [], [])

def quick():
    return config_file.load({str(LION) + ":smoke"!r}, [], [])
"""
    )
    for variant in ("", ":quick", ":experiment"):
        loaded = config_file.load(f"{config}{variant}", ["tests_wider?size=48"], [])
        assert loaded.evaluator.tasks[0].sizes.hidden == [48]


def test_the_experiment_is_json_and_back(experiment: Experiment) -> None:
    """What experiment.json holds tells two experiments apart, and not a budget from a larger one."""
    assert override(experiment, "budget.trials", "5").identity() == experiment.identity()
    assert override(experiment, "finalists", "3").identity() == experiment.identity()
    for path, text in (("seed", "1"), ("lag", "4"), ("hurdle", "None"), ("evaluator.repeats", "3")):
        assert override(experiment, path, text).identity() != experiment.identity()
