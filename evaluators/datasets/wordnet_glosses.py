"""Definitions of English words from WordNet (Princeton licence, free for any use), as Debian carries it."""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

_FOLDER = Path("/usr/share/wordnet")
_PARTS = ("noun", "verb", "adj", "adv")
_BLOCK = 100  # Synsets; neighbours in the file are akin, and share words of their definitions.
_TEST_SHARE = 0.2


class IsozymeWordnetGlosses(tfds.core.GeneratorBasedBuilder):
    """The 117,659 definitions of WordNet 3.0 with their usage examples, about 9 MB of prose.

    An example holds a hundred neighbouring definitions, one a line; a fifth of them, drawn by name, is the test split.
    """

    VERSION = tfds.core.Version("3.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"name": tfds.features.Text(), "text": tfds.features.Text()}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager
        if not all((_FOLDER / f"data.{part}").exists() for part in _PARTS):
            raise FileNotFoundError(f"WordNet is not in {_FOLDER}: apt-get install wordnet-base")
        return {"train": self._generate_examples(False), "test": self._generate_examples(True)}

    def _generate_examples(self, test: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        for part in _PARTS:
            glosses = _glosses((_FOLDER / f"data.{part}").read_text("utf-8"))
            for start in range(0, len(glosses), _BLOCK):
                name = f"{part}-{start}"
                if _is_test(name) == test:
                    yield name, {"name": name, "text": "\n".join(glosses[start : start + _BLOCK])}


def _glosses(text: str) -> list[str]:
    """What stands behind the bar; lines of the licence on top begin with a blank."""
    return [line.split(" | ", 1)[1].strip() for line in text.splitlines() if not line.startswith(" ")]


def _is_test(name: str) -> bool:
    return blake2b(name.encode(), digest_size=1).digest()[0] < _TEST_SHARE * 256
