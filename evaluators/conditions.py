"""What a metric depends on besides the candidate, written in one way by all evaluators."""

import importlib.metadata
import json
from collections.abc import Sequence
from typing import Any

from isozyme.evaluators import process


def written(version: str, libraries: Sequence[str], **facts: Any) -> str:
    """Writes conditions as JSON with sorted keys: equal texts mean that outcomes may be shared.

    Args:
      version: of the evaluator; it goes up whenever a metric would come out otherwise.
      libraries: packages that compute, beside jax and jaxlib, whose versions count.
      facts: what else counts: tasks, data and their versions, data split, seed, repeats. Values of JSON, and no module
        path, since a class may move.

    Returns:
      The text, which also holds backend, precision and thread count. Jax is started to tell the backend.
    """
    import jax

    common = {
        "version": version,
        **{library: importlib.metadata.version(library) for library in ("jax", "jaxlib", *libraries)},
        "backend": jax.default_backend(),
        "precision": "float32",
        "threads": process.threads(),
    }
    return json.dumps(common | facts, sort_keys=True)
