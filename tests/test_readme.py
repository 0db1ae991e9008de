"""README's Python runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def test_code_block(tmp_path):
    """The block is run by itself, in an empty folder, and prints the child, whether it is a twin, and the file."""
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("def train(w, g, v1, v2, lr):")
    assert re.search(r"^(True|False)$", done.stdout, re.MULTILINE)
    assert "def optimizer(" in done.stdout


def test_commands_exist():
    """Every make target that README names is there."""
    makefile = (README.parent / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z-]+)", README.read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
