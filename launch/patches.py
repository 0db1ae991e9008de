"""Patches: named rules that fit experiments their author never saw (PyGlove, arXiv 2302.01918).

A patch is registered with `pg.patching.patcher`; a config file may register its own. PyGlove applies patches in place
and one by one; here a patch works on a copy, which is returned only when the whole patch has been applied.
"""

import difflib
import re
from collections.abc import Callable
from typing import Any

import pyglove as pg

from isozyme.launch.errors import UsageError, type_and_first_line
from isozyme.launch.experiment import Experiment
from isozyme.search.algorithms.random_search import RandomSearch


def patch(experiment: Experiment, text: str) -> Experiment:
    """A patched copy.

    Args:
      experiment: left as it is.
      text: `name`, or `name?argument&key=value`.

    Raises:
      UsageError: an unknown patch, wrong arguments, or a result that is no valid experiment.
    """
    name, known = text.partition("?")[0], pg.patching.patcher_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.0)
        raise UsageError(f"--patch={text}: no patch is called {name!r}; the nearest are {', '.join(near)}")
    try:
        patched = pg.patching.patch(experiment.clone(deep=True), text)
    except Exception as error:  # Whatever the rule or the fields' validation raises.
        raise UsageError(f"--patch={text}: {type_and_first_line(error)}") from error
    if patched == experiment:
        raise UsageError(f"--patch={text}: nothing in this experiment fits the rule; leave it out")
    return patched


def on_key(pattern: str, change: Callable[[Any], Any]) -> Callable[..., Any]:
    """A rule that changes every value whose whole key matches `pattern`; PyGlove's own matches prefixes."""
    expression = re.compile(pattern)

    def rule(path: pg.KeyPath, value: Any, parent: Any) -> Any:
        del parent
        return change(value) if path and expression.fullmatch(str(path.key)) else value

    return rule


@pg.patching.patcher([("factor", pg.typing.Int(min_value=1))])
def cheaper(experiment: Experiment, factor: int) -> Callable[..., Any]:
    """Divides the steps of every task."""
    del experiment
    return on_key("steps", lambda steps: max(1, steps // factor) if isinstance(steps, int) else steps)


@pg.patching.patcher([])
def random_search(experiment: Experiment) -> dict[str, Any]:
    """The control: the same experiment with random search."""
    del experiment
    return {"search": RandomSearch()}


@pg.patching.patcher([("count", pg.typing.Int(min_value=1))])
def repeats(experiment: Experiment, count: int) -> Callable[..., Any]:
    """Sets the number of seeds of every evaluation."""
    del experiment
    return on_key("repeats", lambda _: count)
