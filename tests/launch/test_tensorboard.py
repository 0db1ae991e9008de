"""A run folder in TensorBoard itself, without TensorFlow."""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import PATIENCE, fetch, tensorboard
from launch_helpers import TRIALS, Finished, query

SCALARS = {
    "best/loss",
    "cost/avoided_kwh",
    "cost/cpu_seconds",
    "cost/device_seconds",
    "cost/kg_co2e",
    "cost/kwh",
    "best/accuracy",
    "best/live_length",
    "best/state_bytes",
    "front/hypervolume",
    "front/size",
    "hits/static",
    "hits/numeric",
    "operators/insert/proposals",
    "operators/insert/better",
    "status/ok",
    "trials/per_second",
    "trials/unique",
}


@pytest.fixture(scope="module")
def events(finished: Finished) -> Any:
    """The event file, read by TensorBoard's own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(finished.folder), size_guidance={"scalars": 0, "images": 0})
    accumulator.Reload()
    return accumulator


def _last(events: Any, tag: str) -> Any:
    return events.Scalars(tag)[-1]


def test_all_scalars_are_there_and_end_at_the_last_trial(events: Any) -> None:
    """Steps are numbers of trials, from the first to the last."""
    assert set(events.Tags()["scalars"]) >= SCALARS
    for tag in SCALARS:
        assert events.Scalars(tag)[-1].value >= 0
        steps = [scalar.step for scalar in events.Scalars(tag)]
        assert steps == sorted(steps)
        assert steps[-1] == TRIALS - 1
    assert events.Scalars("front/size")[0].step == 0


def test_scalars_are_those_of_the_journal(finished: Finished, events: Any) -> None:
    """The last values, counted again from the database."""
    trials = query(finished.folder, "SELECT status, cached_from, hit, metrics FROM trials ORDER BY trial")
    assert _last(events, "status/ok").value == sum(status == "ok" for status, *_ in trials)
    assert _last(events, "trials/unique").value == sum(owner is None for _, owner, *_ in trials)
    for key in ("static", "numeric"):
        share = sum(hit == key for _, _, hit, _ in trials) / TRIALS
        assert _last(events, f"hits/{key}").value == pytest.approx(share)
    losses = [json.loads(metrics)["loss"] for status, _, _, metrics in trials if status == "ok"]
    assert _last(events, "best/loss").value == pytest.approx(min(losses))
    assert _last(events, "trials/per_second").value > 0


def test_the_best_loss_falls_and_the_hypervolume_grows(events: Any) -> None:
    """Both are monotone by what they mean."""
    best = [scalar.value for scalar in events.Scalars("best/loss")]
    assert best == sorted(best, reverse=True)
    volume = [scalar.value for scalar in events.Scalars("front/hypervolume")]
    assert volume == sorted(volume)


def test_the_last_hypervolume_is_that_of_the_front(finished: Finished, events: Any) -> None:
    """Counted again from pareto.csv by slicing space along the third objective."""
    lines = (finished.folder / "pareto.csv").read_text().splitlines()[1:]
    points = [tuple(float(x) for x in line.split(",")[1:4]) for line in lines]
    reference = (1.0, 30.0, 12.0)
    inside = [p for p in points if all(a < b for a, b in zip(p, reference, strict=True))]
    levels = [*sorted({p[2] for p in inside}), reference[2]]
    volume = 0.0
    for low, high in itertools.pairwise(levels):
        area, right = 0.0, reference[0]
        for x, y in sorted((p[:2] for p in inside if p[2] <= low), key=lambda p: p[1]):
            if x < right:
                area, right = area + (right - x) * (reference[1] - y), x
        volume += area * (high - low)
    assert volume > 0
    assert _last(events, "front/hypervolume").value == pytest.approx(volume, rel=1e-5)


def test_hparams_name_the_experiment(events: Any) -> None:
    """Every single value of the experiment is a hyperparameter, so that runs can be compared by them."""
    from tensorboard.plugins.hparams import plugin_data_pb2

    parse: Any = vars(plugin_data_pb2)["HParamsPluginData"].FromString  # Generated: type checkers cannot see it.
    content = events.PluginTagToContent("hparams")
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(content)
    data = parse(content["_hparams_/session_start_info"])
    values = dict(data.session_start_info.hparams)
    assert values["search.population_size"].number_value == 10
    assert values["evaluator.tasks[0].steps"].number_value == 50
    assert values["space.start"].string_value == "adamw"
    assert values["search"].string_value == "RegularizedEvolution"
    described = parse(content["_hparams_/experiment"]).experiment
    metrics = {info.name.tag for info in described.metric_infos}
    objectives = ("loss", "live_length", "state_bytes")
    assert metrics == {f"{group}/{name}" for group in ("best", "final") for name in objectives} | {"front/hypervolume"}
    assert metrics <= set(events.Tags()["scalars"])


def test_failures_are_counted_by_reason(finished: Finished, events: Any) -> None:
    """Reasons that differ in a number are one; together they are all trials that are not ok."""
    tags = [tag for tag in events.Tags()["scalars"] if tag.startswith("failures/")]
    counts = {tag: _last(events, tag).value for tag in tags}
    found = query(finished.folder, "SELECT status, count(*) FROM trials WHERE status <> 'ok' GROUP BY status")
    assert found
    for status, count in found:
        assert sum(value for tag, value in counts.items() if tag.startswith(f"failures/{status}/")) == count
    assert all(" " not in tag for tag in tags)


def test_the_winner_is_told_when_the_run_closes(finished: Finished, events: Any) -> None:
    """Its text, the command that exports it, and its metrics on the final split, which hparams compare."""
    card = json.loads((finished.folder / "best" / "card.json").read_text())
    (event,) = events.Tensors("winner/text_summary")
    text = event.tensor_proto.string_val[0].decode()
    assert event.step == TRIALS - 1
    assert "\n".join(f"    {line}" for line in card["candidate"].splitlines()) in text
    assert f"report.py export {Path('runs') / 'lion-smoke'} {card['trial']} --to=trial_{card['trial']}" in text
    assert _last(events, "final/loss").value == pytest.approx(card["scores"]["winner"]["final"]["loss"])


def test_the_front_is_a_picture(events: Any) -> None:
    """A PNG of a size that can be read."""
    assert events.Tags()["images"] == ["front"]
    picture = events.Images("front")[-1]
    assert picture.step == TRIALS - 1
    assert picture.encoded_image_string.startswith(b"\x89PNG")
    assert picture.width > picture.height > 300  # Two pairs of objectives, side by side.


@pytest.fixture(scope="module")
def server(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A TensorBoard that has read the run, and its address."""
    with tensorboard(finished.folder.parent, tmp_path_factory.mktemp("tensorboard") / "log") as address:
        deadline = time.monotonic() + PATIENCE
        while not json.loads(fetch(f"{address}/data/plugin/images/tags")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield address


def test_a_real_server_shows_scalars_and_the_front(finished: Finished, server: str) -> None:
    """`tensorboard --logdir`, as the summary tells the user to type."""
    tags = json.loads(fetch(f"{server}/data/plugin/scalars/tags"))
    run = finished.folder.name
    assert set(tags) == {run}
    assert set(tags[run]) >= SCALARS
    series = json.loads(fetch(f"{server}/data/plugin/scalars/scalars?run={run}&tag=best%2Floss"))
    assert series[-1][1] == TRIALS - 1
    images = json.loads(fetch(f"{server}/data/plugin/images/images?run={run}&tag=front&sample=0"))
    picture = fetch(f"{server}/data/plugin/images/individualImage?{images[-1]['query']}")
    assert picture.startswith(b"\x89PNG")
