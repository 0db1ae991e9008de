"""The backend 'isozyme': several threads at one loop, and processes that die."""

# PyGlove makes its types at run time, out of pyright's sight.
# pyright: reportAttributeAccessIssue=false, reportFunctionMemberAccess=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false, reportPossiblyUnboundVariable=false

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing, suppress

import pytest

from isozyme.search import Journal, JournalError
from isozyme.search.journal.database import DiskFull
from isozyme.tests.search.pyglove_bridge.bridge_helpers import TRIALS, poll, sample, score, traces

PATIENCE = 60.0  # seconds; nothing here takes as long unless it hangs


def together(count, work):
    """Runs `work(number)` in so many threads and raises the first error of any."""
    errors = []

    def run(number):
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a loop hangs"
    for error in errors:
        raise error


def test_threads_work_at_one_loop(tmp_path):
    """As many bodies as the lag are at work at once, and the trajectory is that of one thread with this lag."""
    for value, feedback in sample(tmp_path / "one", lag=3):
        feedback(score(value))
    meeting, ids = threading.Barrier(3, timeout=PATIENCE), []

    def work(number):
        for turn, (value, feedback) in enumerate(sample(tmp_path / "three", lag=3)):
            if turn == 0:
                meeting.wait()
            ids.append(feedback.id)
            feedback(score(value))

    together(3, work)
    assert traces(tmp_path / "three") == traces(tmp_path / "one")
    assert len(ids) == len(set(ids)) < TRIALS


def test_with_lag_one_the_others_wait(tmp_path):
    at_work, most = [], []

    def work(number):
        for value, feedback in sample(tmp_path / "run"):
            at_work.append(number)
            most.append(len(at_work))
            at_work.remove(number)
            feedback(score(value))

    together(3, work)
    assert len(traces(tmp_path / "run")) == TRIALS
    assert set(most) == {1}


def test_others_take_over_what_a_dead_thread_had(tmp_path):
    """Its candidate is evaluated by the other one, and nothing else changes."""
    for value, feedback in sample(tmp_path / "one", lag=2):
        feedback(score(value))
    dead, lost = threading.Event(), []

    def work(number):
        for value, feedback in sample(tmp_path / "two", lag=2):
            if number == 0:
                lost.append(feedback.id)
                raise ArithmeticError
            dead.wait(PATIENCE)
            feedback(score(value))

    def dies_first(number):
        try:
            work(number)
        except ArithmeticError:
            dead.set()

    together(2, dies_first)
    assert len(lost) == 1
    assert traces(tmp_path / "two") == traces(tmp_path / "one")


def test_a_group_works_on_the_same_candidate(tmp_path):
    """Both members see every candidate that the loop yields; the first report counts, the second is a race."""
    seen = {0: [], 1: []}
    meeting = threading.Barrier(2, timeout=PATIENCE)

    def work(number):
        for value, feedback in sample(tmp_path / "run", group="pair"):
            meeting.wait()
            seen[number].append(feedback.id)
            feedback.set_metadata(f"member {number}", True)
            meeting.wait()
            with feedback.ignore_race_condition():
                feedback(score(value) + number)
            meeting.wait()

    together(2, work)
    assert seen[0] == seen[1]
    assert len(traces(tmp_path / "run")) == TRIALS
    evaluated = poll(tmp_path / "run").evaluated()
    assert all(set(trial.metadata) == {"member 0", "member 1"} for trial in evaluated)


def test_end_loop_reaches_the_other_threads(tmp_path):
    """They finish what they are at work on, and that is kept."""
    meeting, reported = threading.Barrier(3, timeout=PATIENCE), []

    def work(number):
        for value, feedback in sample(tmp_path / "run", lag=3):
            meeting.wait()
            if number == 0:
                feedback.end_loop()
            meeting.wait()
            feedback(score(value))
            reported.append(feedback.id)

    together(3, work)
    assert len(reported) == 3
    assert {trial["number"] + 1 for trial in traces(tmp_path / "run")} >= set(reported)


def test_another_number_of_examples_is_refused(tmp_path):
    with closing(sample(tmp_path / "run")) as loop:
        next(loop)
        with pytest.raises(JournalError, match="num_examples: 9 here, 40 in the running loop of"):
            next(sample(tmp_path / "run", trials=9))
        with pytest.raises(JournalError, match=r"belongs to another search \(lag was 1, now 2\)"):
            next(sample(tmp_path / "run", lag=2))


def test_two_processes_never_share_a_folder(tmp_path):
    (tmp_path / "run").mkdir()
    with (
        closing(Journal.open(tmp_path / "run")),
        pytest.raises(JournalError, match="another process is running in this folder"),
    ):
        next(sample(tmp_path / "run"))
    with closing(sample(tmp_path / "run")) as loop:
        next(loop)[1](1.0)
    assert len(traces(tmp_path / "run")) == 1


def test_a_full_disk_is_reported_where_it_is_noticed(tmp_path, monkeypatch):
    """The report fails, what was reported before is safe, and with room again the loop goes on."""
    for value, feedback in sample(tmp_path / "whole"):
        feedback(score(value))
    real = Journal.open

    def small(folder):
        journal = real(folder)
        pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
        journal._connection.execute(f"PRAGMA max_page_count={pages + 3}")
        return journal

    reported = []

    def run():
        for value, feedback in sample(tmp_path / "run"):
            feedback.set_metadata("much", "text " * 300)
            feedback(score(value))
            reported.append(feedback.id)
            if len(reported) == 1:
                break  # Leaves a journal, whose pages are counted next time.

    run()
    monkeypatch.setattr(Journal, "open", small)
    with pytest.raises(DiskFull, match="no room to write"):
        run()
    assert 1 < len(reported) < 20
    monkeypatch.undo()
    assert {trial["number"] + 1 for trial in traces(tmp_path / "run")} >= set(reported)
    for value, feedback in sample(tmp_path / "run"):
        feedback(score(value))
    assert traces(tmp_path / "run") == traces(tmp_path / "whole")


SCRIPT = """
import sys
from isozyme.tests.search.pyglove_bridge.bridge_helpers import sample, score

for value, feedback in sample(sys.argv[1], lag=2):
    feedback(score(value))
    print(feedback.id, flush=True)
"""


def test_kill_9_loses_nothing(tmp_path):
    """What was reported is in the journal and never evaluated again; the trajectory is the undisturbed one."""
    for value, feedback in sample(tmp_path / "whole", lag=2):
        feedback(score(value))
    command, reported = [sys.executable, "-c", SCRIPT, str(tmp_path / "run")], []
    for lines in (2, 6):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            reported += [int(process.stdout.readline()) for _ in range(lines)]
            os.kill(process.pid, signal.SIGKILL)
            reported += [int(line) for line in process.stdout if line.endswith("\n")]
        assert process.returncode == -signal.SIGKILL
        assert {trial["number"] + 1 for trial in traces(tmp_path / "run")} >= set(reported)
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    reported += map(int, done.stdout.split())
    assert len(reported) == len(set(reported))
    assert traces(tmp_path / "run") == traces(tmp_path / "whole")


ENDINGS = {
    "held": "held = loop",
    "exit": "sys.exit(7)",
    "error": "raise ArithmeticError('enough')",
    "interrupt": "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
    "terminated": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
}
LEFT = """
import os, signal, sys, time
from isozyme.tests.search.pyglove_bridge.bridge_helpers import sample, score

loop = sample(sys.argv[1], lag=2)
for _ in range(3):
    value, feedback = next(loop)
    feedback(score(value))
next(loop)
{ending}
"""


def test_a_process_ends_however_its_loop_was_left(tmp_path):
    """At once, with its own exit code, and with all that was reported in the journal."""
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", LEFT.format(ending=ending), str(tmp_path / name)], stderr=subprocess.DEVNULL
        )
        for name, ending in ENDINGS.items()
    }
    codes = {name: process.wait(PATIENCE) for name, process in processes.items()}
    assert codes == {
        "held": 0, "exit": 7, "error": 1, "interrupt": -signal.SIGINT, "terminated": -signal.SIGTERM,
    }  # fmt: skip
    for name in ENDINGS:
        assert [trial["number"] for trial in traces(tmp_path / name)][:3] == [0, 1, 2]
        with suppress(StopIteration):
            next(sample(tmp_path / name, lag=2))
