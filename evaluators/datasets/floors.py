"""What simple models reach on the tables, so that a searched one has something to beat.

`python -m isozyme.evaluators.datasets.floors` fits them all and writes `floors.json` beside this file.
"""

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isozyme.evaluators.datasets.loading import load_table
from isozyme.evaluators.datasets.registry import names
from isozyme.evaluators.datasets.tables import Table
from isozyme.evaluators.protocol import SPLITS

FLOORS = Path(__file__).with_name("floors.json")
_COMMAND = "python -m isozyme.evaluators.datasets.floors"


def floors(tables: Mapping[str, Table]) -> dict[str, dict[str, dict[str, float]]]:
    """Fits models of scikit-learn with their default settings to 'train' and scores them on the held-out splits.

    Args:
      tables: as `load_table` returns them.

    Returns:
      split → model → score → value. Models: 'constant' (the shares of the training classes, or their mean), 'linear'
      (logistic or ridge regression on one-hot labels) and 'trees' (histogram gradient boosting). Scores: 'accuracy',
      'log_loss' in nats and, for two classes, 'auc'; or 'r2' for a number.
    """
    train = tables["train"]
    models = {name: model.fit(_inputs(train), train.target) for name, model in _models(train).items()}
    return {split: {name: _scores(model, tables[split]) for name, model in models.items()} for split in SPLITS}


def main() -> None:
    """Writes the floors of every table."""
    found = {}
    for name in names("table"):
        found[name] = floors(load_table(name))
        print(name, json.dumps(found[name]["search"]), flush=True)
    packages = {package: importlib.metadata.version(package) for package in ("numpy", "scikit-learn")}
    content = {"command": _COMMAND, "packages": packages, "floors": found}
    FLOORS.write_text(json.dumps(content, indent=1) + "\n")
    print(f"written: {FLOORS}")


def _inputs(table: Table) -> np.ndarray:
    return np.hstack([table.numeric, table.categorical])


def _models(train: Table) -> dict[str, Any]:
    from sklearn.compose import ColumnTransformer
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    labels = [False] * train.numeric.shape[1] + [True] * train.categorical.shape[1]
    codes: Any = [np.arange(size) for size in train.sizes]
    one_hot = OneHotEncoder(categories=codes)
    encoder = ColumnTransformer([("labels", one_hot, labels)], remainder="passthrough")
    if train.kind == "classes":
        constant, linear = DummyClassifier(strategy="prior"), LogisticRegression(max_iter=1000)
        trees = HistGradientBoostingClassifier(categorical_features=labels, random_state=0)
    else:
        constant, linear = DummyRegressor(), Ridge()
        trees = HistGradientBoostingRegressor(categorical_features=labels, random_state=0)
    return {"constant": constant, "linear": make_pipeline(encoder, linear), "trees": trees}


def _scores(model: Any, table: Table) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score

    if table.kind == "number":
        return {"r2": round(float(r2_score(table.target, model.predict(_inputs(table)))), 4)}
    shares = model.predict_proba(_inputs(table))
    scores = {
        "accuracy": accuracy_score(table.target, shares.argmax(axis=1)),
        "log_loss": log_loss(table.target, shares, labels=range(table.classes)),
    }
    if table.classes == 2:
        scores["auc"] = roc_auc_score(table.target, shares[:, 1])
    return {name: round(float(value), 4) for name, value in scores.items()}


if __name__ == "__main__":
    main()
