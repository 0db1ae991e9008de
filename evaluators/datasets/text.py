"""Text: the source code of Python's library and definitions of English words; windows of characters."""

import sys
import sysconfig
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from isozyme.evaluators.datasets.examples import Examples

_OTHER, _NEWLINE, _FIRST, _LAST = 0, 1, 32, 126
_CLASSES = _LAST - _FIRST + 3
_TEST_SHARE = 0.2
_SKIPPED = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "__pycache__"}
_WORDNET = Path("/usr/share/wordnet")
_PARTS = ("noun", "verb", "adj", "adv")
_BLOCK = 100  # Synsets; neighbours in the file are akin, and share words of their definitions.


def windows(texts: Sequence[bytes], context: int) -> Examples:
    """Cuts texts, joined by newlines, into windows that each predict the next character.

    Args:
      texts: one an example.
      context: characters in a window.

    Returns:
      int32 inputs and targets [rows, context]: printable ASCII and newline are classes of their own, all else is one.
    """
    codes = np.frombuffer(b"\n".join(map(bytes, texts)), np.uint8).astype(np.int32)
    printable = (codes >= _FIRST) & (codes <= _LAST)
    codes = np.where(printable, codes - _FIRST + 2, np.where(codes == ord("\n"), _NEWLINE, _OTHER)).astype(np.int32)
    count = (len(codes) - 1) // context
    inputs = codes[: count * context].reshape(count, context)
    targets = codes[1 : count * context + 1].reshape(count, context)
    return Examples(inputs, targets, _CLASSES)


class _Texts(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Named texts; a fifth of them, drawn by name, is the test split."""

    def texts(self) -> Iterator[tuple[str, str | bytes]]:
        """Names and texts."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"name": tfds.features.Text(), "text": tfds.features.Text()}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager
        return {"train": self._generate_examples(False), "test": self._generate_examples(True)}

    def _generate_examples(self, test: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, text in self.texts():
            if _is_test(name) == test:
                yield name, {"name": name, "text": text}


class IsozymePythonSource(_Texts):
    """About 9 MB of this Python's standard library without its tests, one example a file; on every machine."""

    # The content is that of the Python that prepared it.
    VERSION = tfds.core.Version("{}.{}.{}".format(*sys.version_info[:3]))

    def texts(self) -> Iterator[tuple[str, bytes]]:
        """Files by their path."""
        root = Path(sysconfig.get_path("stdlib"))
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root)
            if _SKIPPED.isdisjoint(name.parts):
                yield str(name), path.read_bytes()


class IsozymeWordnetGlosses(_Texts):
    """The 117,659 definitions of WordNet 3.0 with their usage examples, about 9 MB of prose, as Debian carries it.

    An example holds a hundred neighbouring definitions, one a line. Princeton's licence, free for any use.
    """

    VERSION = tfds.core.Version("3.0.0")

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        if not all((_WORDNET / f"data.{part}").exists() for part in _PARTS):
            raise FileNotFoundError(f"WordNet is not in {_WORDNET}: apt-get install wordnet-base")
        return super()._split_generators(dl_manager)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Blocks of definitions by part of speech and place."""
        for part in _PARTS:
            glosses = _glosses((_WORDNET / f"data.{part}").read_text("utf-8"))
            for start in range(0, len(glosses), _BLOCK):
                yield f"{part}-{start}", "\n".join(glosses[start : start + _BLOCK])


def _glosses(text: str) -> list[str]:
    """What stands behind the bar; lines of the licence on top begin with a blank."""
    return [line.split(" | ", 1)[1].strip() for line in text.splitlines() if not line.startswith(" ")]


def _is_test(name: str) -> bool:
    return blake2b(name.encode(), digest_size=1).digest()[0] < _TEST_SHARE * 256
