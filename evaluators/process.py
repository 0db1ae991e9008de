"""How a process that evaluates is set up: one fixed thread count, and a compile cache that outlives it.

Sums of 100,000 and more elements differ between one and two XLA threads, and workers that each use all cores fight.
XLA reads these settings when its first backend starts, so they have to be in the environment before that.
"""

import os
import platform
import sys
from hashlib import blake2b
from pathlib import Path

_THREADS = "ISOZYME_THREADS"
_XLA_FLAG = "--xla_cpu_multi_thread_eigen=false"
_COUNTS = ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_CACHE_BYTES = 2**29


def threads() -> int:
    """How many threads evaluations use here: what the process was started with, or one."""
    return int(os.environ.get(_THREADS, "1"))


def environment(count: int = 1) -> dict[str, str]:
    """Variables for a process that evaluates with `count` threads; the user's own XLA flags and cache are kept."""
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(_cache_folder()),
        # By default JAX caches nothing that compiled within a second, as all of ours do.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(_CACHE_BYTES),
    }
    return thread_settings(count) | {name: os.environ.get(name, value) for name, value in cache.items()}


def thread_settings(count: int = 1) -> dict[str, str]:
    """The part of `environment` that fixes the thread count."""
    flags = os.environ.get("XLA_FLAGS", "").replace(_XLA_FLAG, "").split()
    if count == 1:
        flags.append(_XLA_FLAG)
    return {_THREADS: str(count), "XLA_FLAGS": " ".join(flags), **dict.fromkeys(_COUNTS, str(count))}


def fix() -> None:
    """Sets this process up.

    Raises:
      RuntimeError: jax has been imported with other thread settings.
    """
    count = threads()
    fixed = all(os.environ.get(name) == value for name, value in thread_settings(count).items())
    if not fixed and "jax" in sys.modules:
        raise RuntimeError("jax was imported before the thread count was fixed: call isozyme.evaluators.process.fix()")
    os.environ.update(environment(count))


def device() -> str:
    """Names what this process computes on: the accelerator, or the processor and the thread count."""
    import jax

    kind = jax.devices()[0].device_kind
    return kind if jax.default_backend() != "cpu" else f"{_processor_name()}, {threads()} threads"


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _cache_folder() -> Path:
    """A folder for each kind of processor: executables for one may not run on another that shares the home."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "isozyme" / "xla" / blake2b(_processor().encode(), digest_size=8).hexdigest()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
