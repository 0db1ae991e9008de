"""What a person sees: a live table in a terminal, plain lines elsewhere."""

import re

import pytest
from launch_helpers import TRIALS, Finished

pytestmark = pytest.mark.ray

FIELDS = ("trials", "unique", "hits", "failures", "best loss", "front", "trials/s", "time left")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_a_terminal_gets_a_live_table(terminal: Finished) -> None:
    """Redrawn in place, with every field; the last frame tells the whole run."""
    assert terminal.ended.code == 0, terminal.ended.out
    assert "\x1b[1A" in terminal.ended.out  # The cursor goes back up: the table is redrawn, not repeated.
    before_summary = terminal.ended.out.split("finished")[0]
    lines = [line.strip() for line in ESCAPE.sub("\n", before_summary).splitlines()]
    last = {field: [line for line in lines if re.match(rf"{re.escape(field)}  ", line)] for field in FIELDS}
    assert all(last.values()), last
    assert f"{TRIALS} of {TRIALS}" in last["trials"][-1]
    assert re.search(r"static \d+\.\d%, numeric \d+\.\d%", last["hits"][-1])
    assert re.search(r"best loss +\d\.\d{4}", last["best loss"][-1])
    assert re.search(r"time left +0 s", last["time left"][-1])


def test_a_pipe_gets_plain_lines(finished: Finished) -> None:
    """No escape codes; the last line before the summary has the same fields."""
    assert "\x1b" not in finished.ended.out
    assert "\r" not in finished.ended.out
    lines = finished.ended.out.splitlines()
    progress = [line for line in lines if line.startswith("trials ")]
    assert progress[-1].startswith(f"trials {TRIALS} of {TRIALS}, unique ")
    for field in FIELDS:
        assert f"{field} " in progress[-1]


def test_terminal_and_pipe_tell_the_same(finished: Finished, terminal: Finished) -> None:
    """The same run has the same winner, whatever it is shown on."""
    plain = ESCAPE.sub("", terminal.ended.out).replace("\r\n", "\n")
    start, end = "\nwinner: ", "\n\n"
    mine = finished.ended.out.split(start)[1].split(end)[1]
    assert mine.startswith("def train(")
    assert plain.split(start)[1].split(end)[1] == mine
