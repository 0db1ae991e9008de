"""All data sets of ours by name, and how a prepared one is had; a new set is a builder and a line here."""

import contextlib
import importlib
import io
from functools import cache
from typing import Any, NamedTuple

from isozyme.evaluators.protocol import DataUnavailable


class DataSet(NamedTuple):
    """Where one of our data sets is built.

    Attributes:
      kind: 'images', 'text' or 'table'.
      builder: name of the TFDS builder, a class of the module `module`. Data on disk bear it, so it has to stay.
      module: of this package; imported when the set is asked for, since TFDS takes seconds to import.
      extra: the extra of `pip install isozyme[…]` that carries the data; empty where Python, a dependency or the
        system has them.
    """

    kind: str
    builder: str
    module: str
    extra: str = ""


DATA_SETS: dict[str, DataSet] = {
    "digits": DataSet("images", "IsozymeDigits", "images"),
    "mnist_5k": DataSet("images", "IsozymeMnist5k", "images", "data"),
    "python_source": DataSet("text", "IsozymePythonSource", "text"),
    "wordnet_glosses": DataSet("text", "IsozymeWordnetGlosses", "text"),
    "flights": DataSet("table", "IsozymeFlights", "table_builders", "tables"),
    "diamonds_cut": DataSet("table", "IsozymeDiamondsCut", "table_builders", "tables"),
    "diamonds_price": DataSet("table", "IsozymeDiamondsPrice", "table_builders", "tables"),
    "rand_visits": DataSet("table", "IsozymeRandVisits", "table_builders", "tables"),
    "churn": DataSet("table", "IsozymeChurn", "table_builders", "tables"),
    "earnings": DataSet("table", "IsozymeEarnings", "table_builders", "tables"),
}


def names(*kinds: str) -> tuple[str, ...]:
    """Names our data sets of some kinds, in the order of the registry."""
    return tuple(name for name, data in DATA_SETS.items() if data.kind in kinds)


def unavailable(name: str, why: str, *kinds: str) -> DataUnavailable:
    """Makes the one-line error for a data set that cannot be had.

    Args:
      name: as it was asked for.
      why: what is wrong with it, or what to install.
      kinds: what the caller can use. TFDS has names of its own for all but tables.
    """
    foreign = "" if kinds == ("table",) else ", or a TFDS name"
    return DataUnavailable(f"data set {name!r}: {why}; choose one of {', '.join(names(*kinds))}{foreign}")


@cache
def prepared(name: str, download: bool, *kinds: str) -> Any:
    """Finds the builder of a data set and prepares its data if they are not yet on this machine.

    Args:
      name: one of ours, or any name of TFDS.
      download: whether TFDS may fetch a set of its own. Ours need no network, and are prepared whatever this says.
      kinds: what the caller can use, for the error.

    Returns:
      The TFDS builder, whose data can be read.

    Raises:
      DataUnavailable: with the choices in one line.
    """
    import tensorflow_datasets as tfds
    from absl import logging

    tfds.disable_progress_bar()
    logging.set_verbosity(logging.ERROR)  # TFDS warns of every set that it is about to prepare.
    own = DATA_SETS.get(name)
    try:
        builder = _builder(name, own)
        # Prepared data come first: asking the network when there is none takes minutes.
        if not builder.is_prepared():
            if own is None and not download:
                raise unavailable(name, "not prepared on this machine; allow `download` to fetch it", *kinds)
            with contextlib.redirect_stdout(io.StringIO()):
                builder.download_and_prepare(file_format="array_record")
    except DataUnavailable:
        raise
    except tfds.core.DatasetNotFoundError:
        raise unavailable(name, "no such data set", *kinds) from None
    except ImportError as error:
        package = f"'isozyme[{own.extra}]'" if own and own.extra else error.name
        raise unavailable(name, f"{error.name} is missing: pip install {package}", *kinds) from None
    except Exception as error:  # TFDS and its readers raise many kinds; each means that the data cannot be had.
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise unavailable(name, first_line, *kinds) from None
    return builder


def _builder(name: str, own: DataSet | None) -> Any:
    if own is None:
        import tensorflow_datasets as tfds

        return tfds.builder(name, file_format="array_record")
    module = importlib.import_module(f"isozyme.evaluators.datasets.{own.module}")
    return getattr(module, own.builder)(file_format="array_record")
