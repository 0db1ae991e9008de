"""What README and the pages of docs/ say to type: their blocks of code, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "launch" / "cluster" / "README.md"]
_FENCED = re.compile(r"^```(\w*) ?(?:title=(\S+))?[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}(?:python|make) .*\n(?: {6,}.*\n)*)+", re.MULTILINE)
_INLINE = re.compile(r"`((?:python launch/|python benchmarks/|make )[^`…]+)`")


class Block(NamedTuple):
    """A block of code.

    Attributes:
      language: 'python', 'sh', or empty.
      title: the name of the file that it is, or empty.
      text: what stands in it.
    """

    language: str
    title: str
    text: str


def name(page: Path) -> str:
    """A page as messages call it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """Fenced blocks, in order."""
    return [Block(*found) for found in _FENCED.findall(page.read_text())]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCED.sub("", page.read_text())


def commands(page: Path) -> Iterator[list[str]]:
    """Words of each command: of blocks marked sh, of indented lines, and of code within a sentence."""
    shell = [block.text for block in blocks(page) if block.language == "sh"]
    for text in [*shell, *_INDENTED.findall(prose(page)), *_INLINE.findall(prose(page))]:
        yield from _commands(text)


def _commands(text: str) -> Iterator[list[str]]:
    """A line per command, or several with a backslash; lines of flags below one are ways to go on with it."""
    indent = len(text) - len(text.lstrip(" "))
    first: list[str] = []
    for line in re.sub(r"\\\n *", " ", text).splitlines():
        words = shlex.split(line, comments=True)
        if len(line) - len(line.lstrip(" ")) > indent:
            yield [*first, *words]
        elif words:
            yield (first := words)


def write_files(page: Path, folder: Path) -> None:
    """Writes the blocks that are files of their own into a folder."""
    for block in blocks(page):
        if block.title:
            (folder / block.title).write_text(block.text)
