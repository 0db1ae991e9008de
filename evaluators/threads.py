"""One fixed thread count for every evaluation, on every machine and in every process.

Sums of 100,000 and more elements differ between one and two XLA threads, and workers that each use all cores fight.
XLA reads these settings when its first backend starts, so they have to be in the environment before that.
"""

import os
import sys

THREADS = 1
_XLA_FLAG = "--xla_cpu_multi_thread_eigen=false"
_COUNTS = ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def environment() -> dict[str, str]:
    """Variables for a process that evaluates, this one's XLA flags kept."""
    flags = os.environ.get("XLA_FLAGS", "")
    if _XLA_FLAG not in flags:
        flags = f"{flags} {_XLA_FLAG}".strip()
    return {"XLA_FLAGS": flags, **dict.fromkeys(_COUNTS, str(THREADS))}


def fix() -> None:
    """Fixes the thread count of this process.

    Raises:
      RuntimeError: jax has been imported with other settings.
    """
    if not is_fixed() and "jax" in sys.modules:
        raise RuntimeError("jax was imported before the thread count was fixed: import isozyme.evaluators first")
    os.environ.update(environment())


def is_fixed() -> bool:
    """Whether this process has the settings."""
    return all(os.environ.get(name) == value for name, value in environment().items())
