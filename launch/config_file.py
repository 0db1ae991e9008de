"""From the command line to an experiment: config file, then patches, then overrides; any failure changes nothing."""

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from isozyme.launch.errors import UsageError, type_and_first_line
from isozyme.launch.experiment import Experiment
from isozyme.search.executors import sources


def load(config: str, patches: Sequence[str], overrides: Sequence[tuple[str, str]]) -> Experiment:
    """Builds the experiment of one command line.

    Args:
      config: path of a Python file, and after a colon the name of a variant.
      patches: texts such as `cheaper?factor=4`, applied in order.
      overrides: pairs of path and value, applied last.

    Raises:
      UsageError: with one line that says what to mend.
    """
    from isozyme.launch.overrides import override
    from isozyme.launch.patches import patch

    experiment = _call(config)
    for text in patches:
        experiment = patch(experiment, text)
    for path, value in overrides:
        experiment = override(experiment, path, value)
    if not experiment.budget.limited:
        raise UsageError("budget: there is no limit; give --config.budget.trials, .evaluations, .hours or .kwh")
    return experiment


def split_variant(config: str) -> tuple[Path, str]:
    """Path of the file and name of the variant, `experiment` where none is given."""
    if Path(config).is_file():
        return Path(config), "experiment"
    path, colon, variant = config.rpartition(":")
    return (Path(path), variant) if colon else (Path(config), "experiment")


def _call(config: str) -> Experiment:
    path, variant = split_variant(config)
    if not path.is_file():
        raise UsageError(f"--config={config}: no such file; name a Python file such as launch/configs/lion.py")
    module = _import(config, path)
    variants = [
        name for name, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == module.__name__
        and not name.startswith("_") and not inspect.signature(f).parameters
    ]  # fmt: skip
    if variant not in variants:
        known = ", ".join(variants) or "none"
        raise UsageError(f"--config={config}: {path} defines no function {variant}(); it has {known}")
    try:
        experiment = getattr(module, variant)()
    except Exception as error:
        raise UsageError(f"--config={config}: {variant}() raised {type_and_first_line(error)}") from error
    if not isinstance(experiment, Experiment):
        raise UsageError(f"--config={config}: {variant}() returned {type(experiment).__name__}, not an Experiment")
    return experiment


def module_name(path: Path) -> str:
    """The name that a config file has as a module."""
    return f"isozyme_config_{path.stem}"


def _import(config: str, path: Path) -> ModuleType:
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # The last place: what lies beside a config hides no installed module.
    try:
        return sources.load_module(module_name(path), path)
    except Exception as error:
        raise UsageError(f"--config={config}: importing it raised {type_and_first_line(error)}") from error
