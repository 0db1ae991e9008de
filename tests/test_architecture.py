"""docs/architecture.md is the map of what stands: the files that it names are there, and its walks name none twice."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
WALKS = ("### One candidate, from proposal to feedback", "### One config, from the command line to the worker")


def named(text: str) -> list[str]:
    """Files named with their folder, and files named beside one that was."""
    found: list[str] = []
    for name in re.findall(r"`([\w/]+\.py)`", text):
        if "/" in name or name not in {path.name for path in (ROOT / found[-1]).parent.iterdir()}:
            found.append(name)
        else:
            found.append(str(Path(found[-1]).with_name(name)))
    return found


def section(heading: str) -> str:
    """A section, from its heading to the next one."""
    return PAGE.split(f"{heading}\n")[1].split("\n#")[0]


@pytest.mark.parametrize("heading", WALKS)
def test_walks_name_every_file_once(heading: str) -> None:
    """house.md, 6: a new reader needs no file twice."""
    files = named(section(heading))
    assert len(files) > 10
    assert [name for name in files if not (ROOT / name).is_file()] == []
    assert [name for name, times in Counter(files).items() if times > 1] == []


def test_what_the_page_names_is_there() -> None:
    """Files and folders by their full path; families in capitals are to be filled in."""
    paths = set(re.findall(r"`((?:hashing|spaces|evaluators|search|launch|docs|tests)/[\w/.]*)`", PAGE))
    assert len(paths) > 50
    assert sorted(path for path in paths if "FAMILY" not in path and not (ROOT / path).exists()) == []


def test_no_paragraph_stands_twice() -> None:
    topics = re.findall(r"^\*\*(.+?)\.?\*\*", PAGE, re.MULTILINE)
    assert len(topics) > 20
    assert len(topics) == len(set(topics))
