"""Calls a function in a process of its own, to see whether something depends on the process: for exams.

It is no pool of workers. Each call starts Python anew, with another `PYTHONHASHSEED`, so that the order of sets and
`hash()` of texts are others there.
"""

import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

from isozyme.spaces.exam.findings import words

_LIMIT = 600.0  # seconds
_HASH_SEEDS = ("1", "2")


class Unreachable(ValueError):
    """Says that something cannot be called in another process; the message says why, in one line."""


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns what `function(*arguments)` returns in another process.

    Args:
      function: of a module that can be imported.
      arguments: whatever can be pickled; what they are made of is imported there by the names it has here.

    Raises:
      Unreachable: the arguments cannot be sent, or the process raised or died.
    """
    try:
        task = pickle.dumps((function, arguments))
    except Exception as error:
        raise Unreachable(f"cannot be pickled: {words(error)}") from error
    files = {name: file for name, module in sys.modules.items() if (file := _file(name, module)) is not None}
    seed = next(s for s in _HASH_SEEDS if s != os.environ.get("PYTHONHASHSEED"))
    process = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import answer; answer()"],
        input=pickle.dumps((files, task)),
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
        capture_output=True,
        timeout=_LIMIT,
    )
    if process.returncode != 0:
        last = (process.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        raise Unreachable(f"fails in another process: {last}")
    well, told = pickle.loads(process.stdout)
    if not well:
        raise Unreachable(f"fails in another process: {told}")
    return told


def answer() -> None:
    """Reads what to call, and writes what it returns, in the other process."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Whatever is printed there must not get among the answer.
    files, task = pickle.load(sys.stdin.buffer)
    sys.meta_path.append(_Named(files))
    try:
        function, arguments = pickle.loads(task)
        told = True, function(*arguments)
    except Exception as error:
        told = False, words(error)
    with output:
        pickle.dump(told, output)


def _file(name: str, module: Any) -> str | None:
    """Names the file of a module at the top: a config is loaded under a name by which no import would find it."""
    file = getattr(module, "__file__", None)
    return file if "." not in name and name != "__main__" and isinstance(file, str) else None


class _Named(MetaPathFinder):
    """Finds modules that nothing else finds in the files where the first process has them from."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """See `importlib`."""
        file = self._files.get(fullname)
        return None if file is None else importlib.util.spec_from_file_location(fullname, file)
