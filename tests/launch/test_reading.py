"""`launch/reading/`: columns that grow, fronts that agree with the archive."""

import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_helpers import BEGAN, TWO, add, failed, run_folder, scored
from launch_helpers import Finished, jsonl, query

from isozyme.evaluators.protocol import Status
from isozyme.launch.errors import UsageError
from isozyme.launch.reading import RunReader
from isozyme.search import ParetoArchive
from isozyme.search.journal.database import JournalError
from isozyme.search.journal.journal import Journal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return run_folder(tmp_path / "run")


def archive_of(reader: RunReader, folder: Path) -> ParetoArchive:
    archive = ParetoArchive(reader.objectives)
    for trial in Journal.read(folder).trials(str):
        archive.add(trial)
    return archive


def test_columns_of_a_real_run(finished: Finished) -> None:
    """Every column says what the journal says."""
    reader = RunReader(finished.folder)
    columns, trials = reader.columns(), jsonl("trials", finished.folder)
    assert columns.trial.tolist() == [t["trial"] for t in trials]
    assert [columns.statuses[i] for i in columns.status] == [t["status"] for t in trials]
    assert [columns.hits[i] if i >= 0 else None for i in columns.hit] == [t["hit"] for t in trials]
    assert [n if n >= 0 else None for n in columns.cached_from.tolist()] == [t["cached_from"] for t in trials]
    assert columns.finished.tolist() == [t["finished"] for t in trials]
    assert columns.evaluated.tolist() == [t["attempts"] > 0 for t in trials]
    for name in {name for t in trials for name in t["metrics"]}:
        np.testing.assert_array_equal(columns.metrics[name], [t["metrics"].get(name, math.nan) for t in trials])
    for i, t in enumerate(trials):
        short = None if columns.reason[i] < 0 else columns.reasons[columns.reason[i]]
        assert (short is None) == (t["reason"] is None)
        assert short is None or t["reason"].startswith(short)
    assert [columns.trial[p] for p in reader.front(columns)] == [t["trial"] for t in jsonl("front", finished.folder)]
    assert (reader.name, reader.seed, [o.metric for o in reader.objectives]) == (
        "lion-smoke",
        0,
        [o[1] for o in json.loads((finished.folder / "experiment.json").read_text())["objectives"]],
    )


@given(st.permutations(range(24)), st.lists(st.integers(0, 8), min_size=24, max_size=24))
@settings(max_examples=25)
def test_rows_in_any_order_are_read_once_each(numbers: list[int], cuts: list[int]) -> None:
    """Gaps are filled whenever their rows come; what has been read keeps its position."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = run_folder(Path(scratch) / "run")
        Journal.open(folder).close()
        reader, seen, rest = RunReader(folder), list[int](), list(numbers)
        for cut in cuts:
            some, rest = rest[:cut], rest[cut:]
            add(folder, *[scored(n, n, n, names=("loss", f"only {n}")) for n in some])
            columns = reader.columns()
            assert columns.trial[: len(seen)].tolist() == seen
            seen = columns.trial.tolist()
            assert sorted(seen) == sorted(set(numbers) - set(rest))
            assert columns.metrics.get("loss", np.empty(0)).tolist() == seen
            assert [columns.position(n) for n in seen] == list(range(len(seen)))
            assert columns.trial[columns.order].tolist() == sorted(seen)


_WRITER = """
import sys
from pathlib import Path
from journal_helpers import add, scored
for first in range(0, 2000, 8):
    add(Path(sys.argv[1]), *[scored(first + i, first, i) for i in (3, 1, 0, 2, 7)])
    if first:
        add(Path(sys.argv[1]), *[scored(first - 8 + i, first - 8, i) for i in (6, 5, 4)])
"""


def test_a_reader_follows_a_writer(folder: Path) -> None:
    """Another process writes, with gaps that are filled later, while this one looks again and again."""
    Journal.open(folder).close()
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)], cwd=Path(__file__).parent)
    reader, sizes, running = RunReader(folder), list[int](), True
    while running:
        running = writer.poll() is None
        sizes.append(len(reader.columns()))
    assert writer.wait() == 0
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 5
    columns, rows = reader.columns(), query(folder, "SELECT trial, json_extract(metrics, '$.score') FROM trials")
    assert sorted(zip(columns.trial.tolist(), columns.metrics["score"].tolist(), strict=True)) == rows
    assert len(rows) == 1997  # Three of the last eight never came.


def test_nothing_new_is_nothing_to_do(folder: Path) -> None:
    """The same columns come back, and only new rows are looked at."""
    add(folder, scored(0, 1, 1), scored(2, 2, 2))
    reader = RunReader(folder)
    first = reader.columns()
    assert reader.columns() is first
    assert (len(first), first.position(1), first.position(3)) == (2, None, None)
    add(folder, scored(3, 3, 3), scored(1, 4, 4))
    assert reader.columns().trial.tolist() == [0, 2, 1, 3]
    assert first.trial.tolist() == [0, 2]


VALUES = st.integers(-3, 3)
OBJECTIVES = st.lists(st.sampled_from(["minimize", "maximize"]), min_size=1, max_size=3)


@st.composite
def runs(draw: st.DrawFn):
    """Directions of objectives; of each trial its values, its status, whether a metric is missing; order of arrival."""
    directions = draw(OBJECTIVES)
    row = st.tuples(
        st.tuples(*[VALUES] * len(directions)), st.sampled_from([Status.OK] * 4 + [Status.HURDLE]), st.booleans()
    )
    trials = draw(st.lists(row, max_size=30))
    return directions, trials, draw(st.none() | st.permutations(range(len(trials))))


@given(runs())
@settings(max_examples=60)
def test_fronts_agree_with_the_archive_trial_by_trial(run) -> None:
    """front, front_history and hypervolume, after each trial in the order of feedback."""
    directions, found, arrival = run
    names = [f"m{i}" for i in range(len(directions))]
    trials = []
    for number, (values, status, missing) in enumerate(found):
        kept = len(names) - (missing and number % 3 == 0)
        reason = None if status is Status.OK else "why"
        trials.append(scored(number, *values[:kept], names=names[:kept], status=status, reason=reason))
    with tempfile.TemporaryDirectory() as scratch:
        objectives = [(kind, name, 2.0) for kind, name in zip(directions, names, strict=True)]
        folder = run_folder(Path(scratch) / "run", objectives)
        order = range(len(trials)) if arrival is None else arrival
        add(folder, *[trials[i] for i in order], arrived=None if arrival is None else 0)
        reader = RunReader(folder)
        columns = reader.columns()
        stays, grown = reader.front_history(columns), reader.hypervolume(columns)
    fed = columns.trial[columns.order].tolist()
    assert fed == list(order)
    rank = {number: place for place, number in enumerate(fed)}
    archive, volumes, changes = ParetoArchive(reader.objectives), list[float](), list[int]()
    for place, number in enumerate(fed):
        if archive.add(trials[number]):
            volumes.append(archive.hypervolume())
            changes.append(place)
        there = [s.entered for s in stays if rank[s.entered] <= place and (s.left is None or rank[s.left] > place)]
        assert there == [t.number for t in archive.trials]
    assert [columns.trial[s.position] for s in stays] == [s.entered for s in stays] == [fed[p] for p in changes]
    assert grown.value.tolist() == pytest.approx(volumes)
    assert grown.evaluations.tolist() == [place + 1 for place in changes]
    best_first = sorted(archive.trials, key=lambda t: reader.objectives[0].cost(t.metrics))
    assert columns.trial[reader.front(columns)].tolist() == [t.number for t in best_first]


def test_many_trials_agree_with_the_archive(tmp_path: Path) -> None:
    """Several chunks of trials, three objectives, twins of equal scores among them."""
    objectives = (("minimize", "a", 1.0), ("maximize", "b", 0.0), ("minimize", "c", 1.0))
    folder, rng = run_folder(tmp_path / "run", objectives), np.random.default_rng(0)
    values = rng.random((3000, 3)).round(2)
    add(folder, *[scored(i, *row, names=("a", "b", "c")) for i, row in enumerate(values)])
    reader = RunReader(folder)
    columns, archive = reader.columns(), archive_of(reader, folder)
    assert sorted(columns.trial[reader.front(columns)]) == [t.number for t in archive.trials]
    assert reader.hypervolume(columns).value[-1] == pytest.approx(archive.hypervolume())


def test_metrics_that_are_no_objectives(folder: Path) -> None:
    """Less is better, unless an objective names them; what nobody has makes no front."""
    rows = [(1.0, 5.0, 3.0), (2.0, 6.0, 2.0), (3.0, 4.0, 1.0)]
    add(folder, *[scored(i, *row, names=("loss", "score", "size")) for i, row in enumerate(rows)])
    reader = RunReader(folder)
    columns = reader.columns()
    assert reader.front(columns, ["size"]).tolist() == [2]
    assert reader.front(columns, ["score"]).tolist() == [1]
    assert reader.front(columns, ["size", "score"]).tolist() == [2, 1]
    assert reader.front(columns, ["loss", "nothing"]).tolist() == []
    assert reader.front_history(columns, ["size"]) == [(0, 0, 1), (1, 1, 2), (2, 2, None)]


def test_a_run_without_trials_or_without_a_score(folder: Path) -> None:
    """Empty columns and fronts rather than errors."""
    Journal.open(folder).close()
    reader = RunReader(folder)
    columns = reader.columns()
    assert (len(columns), columns.evaluated.dtype, columns.finished.dtype) == (0, np.bool_, np.float64)
    assert (
        len(reader.front(columns)) == len(reader.front_history(columns)) == len(reader.hypervolume(columns).value) == 0
    )
    add(folder, failed(0, Status.CRASHED, "no"), failed(1, Status.INVALID, "never"))
    columns = reader.columns()
    assert columns.evaluated.tolist() == [True, False]
    assert len(reader.front(columns)) == 0
    assert columns.metrics == {}


def test_time_leaves_out_the_pauses_between_sessions(folder: Path) -> None:
    """Seconds since the run began, summed over sessions."""
    add(folder, scored(0, 9, 1), scored(1, 8, 1, finished=BEGAN + 7), scored(2, 7, 1, finished=BEGAN + 1002))
    reader = RunReader(folder)
    assert reader.seconds(reader.columns()).tolist() == [0, 7, 1002]
    journal = Journal.open(folder)
    first = journal.begin_session(BEGAN - 1, "{}")
    journal.seen(first, BEGAN + 9, "{}")
    journal.begin_session(BEGAN + 1000, "{}")
    journal.close()
    columns = reader.columns()
    assert reader.seconds(columns).tolist() == [1, 8, 12]
    assert reader.hypervolume(columns).seconds.tolist() == [1, 8, 12]


def test_reasons_are_grouped_up_to_their_first_number(folder: Path) -> None:
    """As in the live display; and there is an end to them."""
    some = [failed(i, Status.HURDLE, f"cost {i} is above the hurdle 3") for i in range(3)]
    add(folder, *some, *[failed(i, Status.CRASHED, f"reason{i}") for i in range(3, 300)])
    columns = RunReader(folder).columns()
    assert columns.reasons[:2] == ("cost", "reason3")
    assert len(columns.reasons) == 201
    assert columns.reason[:3].tolist() == [0, 0, 0]
    assert columns.reasons[columns.reason[-1]] == "other reasons"


def test_damage_is_told(folder: Path, tmp_path: Path) -> None:
    """What is no run folder, and a row that is none."""
    with pytest.raises(UsageError, match=r"experiment\.json"):
        RunReader(tmp_path / "nowhere")
    with pytest.raises(JournalError, match=r"trials\.db"):
        RunReader(folder)
    add(folder, scored(0, 1, 1))
    reader, journal = RunReader(folder), Journal.open(folder)
    journal._connection.execute("UPDATE trials SET metrics = '[1]'")
    journal.close()
    with pytest.raises(JournalError, match=r"damaged .*restore a copy"):
        reader.columns()
    shutil.rmtree(folder)
    with pytest.raises(JournalError, match=r"trials\.db"):
        reader.columns()


def test_objectives_keep_their_direction_and_reference(folder: Path) -> None:
    add(folder, scored(0, 1, 1))
    found = [(o.sign, o.metric, o.reference) for o in RunReader(folder).objectives]
    assert found == [(-1.0 if kind == "maximize" else 1.0, metric, limit) for kind, metric, limit in TWO]
