"""Runs or resumes a search: python launch/run.py --config launch/configs/lion.py"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

_OK, _INTERRUPTED = 0, 130


class Options(NamedTuple):
    """The command line."""

    config: str
    patches: list[str]
    overrides: list[tuple[str, str]]
    workdir: str | None
    workers: int | None
    address: str | None
    store: str | None


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 0 done, 2 something to mend (one line says what), 130 interrupted."""
    try:
        try:
            from isozyme.launch.guard import guarded
        except ImportError as error:
            print(f"isozyme is not installed ({error}): pip install -e {Path(__file__).parent.parent}", file=sys.stderr)
            return 2
        return guarded(__file__, lambda: _main(arguments))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return _INTERRUPTED


def _main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    return _OK if options is None else _run(options)


def _parse(arguments: Sequence[str]) -> Options | None:
    """Reads the flags; None if help was asked for and given."""
    from absl import flags

    from isozyme.launch import override_flags
    from isozyme.launch.errors import UsageError

    values: Any = flags.FlagValues()
    flags.DEFINE_string("config", None, "Python file that defines experiment(), and :variant", flag_values=values)
    flags.DEFINE_multi_string("patch", [], "a rule to apply, as 'cheaper?factor=4'", flag_values=values)
    flags.DEFINE_string("workdir", None, "run folder; the same again resumes (runs/NAME)", flag_values=values)
    flags.DEFINE_integer("workers", None, "processes; 0: in this one (the cores)", flag_values=values, lower_bound=0)
    flags.DEFINE_string("address", None, "of a Ray cluster, 'auto' or HOST:PORT (start one)", flag_values=values)
    flags.DEFINE_string(
        "store", None, "outcomes shared between runs: a path or URL, docs/stores.md", flag_values=values
    )
    if any(a in ("-h", "-help", "--help", "--helpfull") for a in arguments):
        print(f"{__doc__}\n\n  --config.PATH=VALUE: overrides a value\n{values.get_help()}")
        return None
    overrides, others = override_flags.split(arguments)
    try:
        rest = values(["run.py", *others])
    except flags.Error as error:
        raise UsageError(f"{error}; see --help") from error
    if len(rest) > 1:
        raise UsageError(f"{rest[1]}: unexpected argument; flags have the form --name=value, see --help")
    if not values.config:
        raise UsageError("--config is missing; name a Python file such as launch/configs/lion.py")
    return Options(values.config, values.patch, overrides, values.workdir, values.workers, values.address, values.store)


def _run(options: Options) -> int:
    from isozyme.evaluators import process

    process.fix()  # Before anything imports jax.
    from isozyme.evaluators.protocol import DataUnavailable
    from isozyme.hashing.stores import StoreError, open_store
    from isozyme.launch import config_file, session, workdir
    from isozyme.launch.errors import UsageError
    from isozyme.launch.interruption import Interruption
    from isozyme.launch.where import Where
    from isozyme.search.executors.protocol import SetupFailed
    from isozyme.search.journal.database import JournalError, no_room

    experiment = config_file.load(options.config, options.patches, options.overrides)
    interruption = Interruption()
    interruption.install()
    folder = Path(options.workdir) if options.workdir else _default_folder(options.config)
    try:
        _join(options.address, options.workers)
        store = open_store(options.store) if options.store is not None else None
        experiment.prepare()
        notes = workdir.enter(folder, experiment)
        where = Where(
            config_file.split_variant(options.config)[0],
            folder,
            _workers(options, experiment),
            options.address,
            store,
        )
        session.run(experiment, where, notes, interruption)
    except (DataUnavailable, JournalError, SetupFailed) as error:
        raise UsageError(str(error)) from error
    except StoreError as error:
        raise UsageError(f"--store: {error}") from error
    except OSError as error:
        if not no_room(error):
            raise
        raise UsageError(f"{folder}: {error.strerror}; free some space, then give the same command again") from error
    return _OK


def _workers(options: Options, experiment: Any) -> int:
    """As many as asked for, or as the cores hold; more than the lag could never be busy."""
    if options.workers is not None:
        return options.workers
    return max(1, min((os.cpu_count() or 1) // experiment.per_worker.cpus, experiment.lag))


def _default_folder(config: str) -> Path:
    from isozyme.launch.config_file import split_variant

    path, variant = split_variant(config)
    return Path("runs") / (path.stem if variant == "experiment" else f"{path.stem}-{variant}")


def _join(address: str | None, workers: int | None) -> None:
    """Joins the cluster before anything else is done."""
    from isozyme.launch.errors import UsageError
    from isozyme.search.executors.ray_cluster import connection

    if address is None:
        return
    if workers == 0:
        raise UsageError(f"--address={address}: with --workers=0 nothing runs on a cluster; leave one of them out")
    connection.join_cluster(address)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
