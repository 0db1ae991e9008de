"""The space of a run, from its experiment.json or from the config that made it.

PyGlove's own reader runs code that a file names (pickles, functions, any module). So the text is walked first: it may
name spaces of this package, what they are made of, and PyGlove's decisions, and nothing else.
"""

import copy
import importlib
import json
import pkgutil
from collections.abc import Iterator, Sequence
from typing import Any

import pyglove as pg

from isozyme import spaces
from isozyme.launch.errors import UsageError, type_and_first_line
from isozyme.launch.reading import RunReader

_DECISIONS = ("hyper.OneOf", "hyper.ManyOf", "hyper.Float")


def space_of(
    reader: RunReader, config: str | None, patches: Sequence[str], overrides: Sequence[tuple[str, str]]
) -> Any:
    """The space that a run searched.

    Args:
      reader: of the run.
      config: the config that made the run, which is code and is run; None: the space is read from the run folder,
        of which nothing is executed.
      patches: that were given with it.
      overrides: likewise, paths and values.

    Raises:
      UsageError: the folder's space is not one of this package's, or that of the config is another one.
    """
    recorded = reader.identity.get("space")
    if config is None:
        return _restored(reader, recorded)
    from isozyme.launch import config_file

    space = config_file.load(config, patches, overrides).space
    if json.loads(json.dumps(space.to_json())) != recorded:
        raise UsageError(
            f"--config={config}: its space is not that of {reader.folder}; give the config, patches and overrides "
            "that the run was started with"
        )
    return space


def _restored(reader: RunReader, recorded: Any) -> Any:
    for name in _types(recorded):
        if not _allowed(name):
            raise UsageError(
                f"{reader.folder}: its space names {name!r:.80}, which is not a part of isozyme's spaces; "
                "give --config with the file that the run was started with"
            )
    try:
        space = pg.from_json(copy.deepcopy(recorded))  # It changes what it reads.
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(
            f"{reader.folder}: the space in experiment.json cannot be read ({type_and_first_line(error)}); "
            "give --config with the file that the run was started with"
        ) from error
    if not hasattr(space, "from_source"):
        raise UsageError(f"{reader.folder}: experiment.json names no space; restore a copy")
    return space


def _types(value: Any) -> Iterator[Any]:
    """All that a JSON value names as a type."""
    if isinstance(value, dict):
        if "_type" in value:
            yield value["_type"]
        for part in value.values():
            yield from _types(part)
    elif isinstance(value, list):
        for part in value:
            yield from _types(part)


def _allowed(name: Any) -> bool:
    """Whether a name is that of a decision, or the stable name of a symbolic class that stands in `spaces/`."""
    if name in _DECISIONS:
        return True
    if not isinstance(name, str) or not name.startswith("isozyme."):
        return False
    for family in pkgutil.iter_modules(spaces.__path__, f"{spaces.__name__}."):
        importlib.import_module(family.name)  # Symbolic classes are known once their module has been imported.
    kind = pg.JSONConvertible.class_from_typename(name)
    return (
        isinstance(kind, type)
        and issubclass(kind, pg.Object)
        and kind.__module__.startswith(f"{spaces.__name__}.")
        and name == kind.__serialization_key__
    )
