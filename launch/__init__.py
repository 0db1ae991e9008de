"""Command line, experiments, configs, displays."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isozyme.launch.experiment import Budget, Experiment

__all__ = ["Budget", "Experiment"]


def __getattr__(name: str) -> Any:
    """Imports the symbolic classes when they are asked for: --help and errors need no pyglove."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from isozyme.launch import experiment

    return getattr(experiment, name)
