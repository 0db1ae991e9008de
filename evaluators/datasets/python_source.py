"""Source code of this Python's standard library, one example a file; on every machine."""

import sys
import sysconfig
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

_SKIPPED = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "__pycache__"}
_TEST_SHARE = 0.2


class IsozymePythonSource(tfds.core.GeneratorBasedBuilder):
    """About 9 MB of modules without their tests; a fifth of the files, drawn by name, is the test split."""

    # The content is that of the Python that prepared it.
    VERSION = tfds.core.Version("{}.{}.{}".format(*sys.version_info[:3]))

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"name": tfds.features.Text(), "text": tfds.features.Text()}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager
        return {"train": self._generate_examples(False), "test": self._generate_examples(True)}

    def _generate_examples(self, test: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        root = Path(sysconfig.get_path("stdlib"))
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root)
            if _SKIPPED.isdisjoint(name.parts) and _is_test(str(name)) == test:
                yield str(name), {"name": str(name), "text": path.read_bytes()}


def _is_test(name: str) -> bool:
    return blake2b(name.encode(), digest_size=1).digest()[0] < _TEST_SHARE * 256
