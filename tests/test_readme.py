"""README's Python runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def run(block, folder):
    """What a block prints when it is run by itself, in an empty folder."""
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_parts_of_a_space(tmp_path):
    """It prints the child, whether it is a twin, and the file."""
    out = run(BLOCKS[0], tmp_path)
    assert out.startswith("def train(w, g, v1, v2, lr):")
    assert re.search(r"^(True|False)$", out, re.MULTILINE)
    assert "def optimizer(" in out


def test_the_exam(tmp_path):
    """It prints the algorithms, and that there is nothing to object to."""
    names, findings = run(BLOCKS[1], tmp_path).splitlines()
    assert "regularized_evolution" in names
    assert findings == "[]"
    assert len(BLOCKS) == 2


def test_commands_exist():
    """Every make target that README names is there."""
    makefile = (README.parent / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z-]+)", README.read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
