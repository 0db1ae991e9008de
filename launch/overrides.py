"""Typed overrides of an experiment: `--config.search.population_size=200`."""

import ast
import difflib
from typing import Any

import pyglove as pg

from isozyme.launch.errors import UsageError, type_and_first_line
from isozyme.launch.experiment import Experiment


def override(experiment: Experiment, path: str, text: str) -> Experiment:
    """A copy with one value replaced, checked against the type of its field.

    Raises:
      UsageError: no such path, with its nearest neighbours; or a value that the field does not take.
    """
    flag = f"--config.{path}={text}"
    known = paths(experiment)
    if path not in known:
        near = difflib.get_close_matches(path, known, n=3, cutoff=0.0)
        raise UsageError(f"{flag}: no such field; the nearest are {', '.join(near)}")
    copy: Any = experiment.clone(deep=True)
    try:
        copy.rebind({path: _parse(text, known[path])}, raise_on_no_change=False)
    except Exception as error:  # The field's own validation, whatever it raises.
        raise UsageError(f"{flag}: {type_and_first_line(error)}") from error
    return copy


def paths(experiment: Experiment) -> dict[str, Any]:
    """All paths of an experiment with their values."""
    found: dict[str, Any] = {}

    def visit(path: pg.KeyPath, value: Any, parent: Any) -> Any:
        del parent
        if path:
            found[str(path)] = value
        return pg.TraverseAction.ENTER

    pg.traverse(experiment, visit)
    return found


def _parse(text: str, old: Any) -> Any:
    """Reads a value as Python does; a field that holds text takes the text as it is."""
    if isinstance(old, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False, "none": None}.get(text.lower(), text)
    if isinstance(value, bool) and isinstance(old, int | float) and not isinstance(old, bool):
        raise TypeError(f"expects {type(old).__name__}, not a truth value")  # Python counts True as 1.
    return float(value) if isinstance(old, float) and type(value) is int else value
