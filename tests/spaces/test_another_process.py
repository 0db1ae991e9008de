"""Functions called in a process of their own, as exams do."""

import os
import sys

import pytest

from isozyme.search.executors import sources
from isozyme.spaces.exam.another_process import Unreachable, call

COLOURS = {"red", "green", "blue", "yellow", "white", "black", "brown", "orange"}


def told(loud):
    if loud:
        print("printed, and not part of the answer")
    return os.getpid(), os.environ["PYTHONHASHSEED"], list(COLOURS)


def fails():
    raise LookupError("no such thing\nat all")


def dies():
    os._exit(3)


def test_what_comes_back():
    """Another process, another order of sets, whatever is printed there."""
    pid, seed, colours = call(told, True)
    assert pid != os.getpid()
    assert set(colours) == COLOURS
    assert seed != os.environ.get("PYTHONHASHSEED")


def test_the_hash_seed_is_never_ones_own(monkeypatch):
    """Two processes with different seeds have sets in different orders."""
    seeds, orders = set(), []
    for own in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", own)
        _, seed, order = call(told, False)
        seeds.add(seed)
        orders.append(order)
        assert seed != own
    assert seeds == {"1", "2"}
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (fails, "fails in another process: LookupError: no such thing at all"),
        (dies, "fails in another process: exit code 3"),
        (lambda: 1, "cannot be pickled: "),
    ],
)
def test_what_goes_wrong_is_one_line(function, line):
    with pytest.raises(Unreachable) as caught:
        call(function)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_module_under_another_name(tmp_path):
    """As a config is loaded: no import would find it by its name."""
    (tmp_path / "plain.py").write_text("def double(x):\n    return 2 * x\n")
    module = sources.load_module("under_another_name", tmp_path / "plain.py")
    try:
        assert call(module.double, 21) == 42
    finally:
        del sys.modules["under_another_name"]
