"""The code of docs/pyglove.md runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "pyglove.md").read_text(), re.DOTALL)


def run(folder, *arguments):
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_config_with_an_algorithm_of_pyglove(tmp_path):
    """It is a config file for launch/run.py."""
    (tmp_path / "toy.py").write_text(BLOCKS[0])
    out = run(tmp_path, ROOT / "launch" / "run.py", "--config", "toy.py", "--workers", 0, "--workdir", "run")
    assert "winner" in out
    assert len((tmp_path / "run" / "pareto.csv").read_text().splitlines()) > 2


def test_our_algorithm_in_a_plain_loop(tmp_path):
    """Better than the expected best of three random candidates."""
    assert float(run(tmp_path, "-c", BLOCKS[1])) > 24.0


def test_the_backend(tmp_path):
    """Sixty trials on eighteen candidates; the second run finds everything done."""
    first = run(tmp_path, "-c", BLOCKS[2])
    trials, bodies = map(int, re.findall(r"\d+", first.splitlines()[0]))
    assert trials == 60
    assert 0 < bodies <= 18
    again = run(tmp_path, "-c", BLOCKS[2])
    assert again.splitlines()[0] == "60 trials, 0 evaluations"
    assert again.splitlines()[1:] == first.splitlines()[1:]


def test_all_blocks_are_run():
    assert len(BLOCKS) == 3
