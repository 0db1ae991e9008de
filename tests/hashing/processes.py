"""Keys computed in another process."""

import json
import os
import subprocess
import sys
from typing import Any


def in_a_process(program: str, candidates: Any, **variables: str) -> list[str]:
    """Lines that a Python program prints which reads the candidates, as JSON, from its standard input."""
    child = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(candidates),
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout.splitlines()
