"""Run folders that many tests look at: each is made once, by the command line. Tests that change one copy it first."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from launch_helpers import SMALL, Call, Ended, Finished, run, run_in_terminal

from isozyme.launch import report


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The undisturbed run, in one process, without --workdir."""
    cwd = tmp_path_factory.mktemp("finished")
    ended = run(*SMALL, "--workers=0", cwd=cwd)
    return Finished(cwd / "runs" / "lion-smoke", ended)


@pytest.fixture(scope="session")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The same run with one worker, in a terminal."""
    folder = tmp_path_factory.mktemp("terminal") / "run"
    code, sent = run_in_terminal(*SMALL, "--workers", "1", "--workdir", str(folder))
    return Finished(folder, Ended(code, sent, ""))


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Callable[[str], Path]:
    """Makes copies of the finished run folder."""
    return lambda name: Path(shutil.copytree(finished.folder, tmp_path / name))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """`python launch/report.py …` in this process: exit code, output, errors."""

    def main(*arguments: object) -> tuple[int, str, str]:
        code = report.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return main
