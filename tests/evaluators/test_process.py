"""One fixed thread count in every process that evaluates."""

import json
import subprocess
import sys

import pytest

COUNT = """
import json, os
from isozyme.evaluators import process
{fix}
import jax, jax.numpy as jnp
jnp.dot(jnp.ones((500, 500)), jnp.ones((500, 500))).block_until_ready()
names = [open(f"/proc/self/task/{{t}}/comm").read().strip() for t in os.listdir("/proc/self/task")]
print(json.dumps([n for n in names if "XLAEigen" in n or "XLAPjRt" in n or "xla" in n.lower()]))
"""


def xla_threads(fix):
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp"}
    done = subprocess.run(
        [sys.executable, "-c", COUNT.format(fix=fix)], capture_output=True, text=True, env=environment, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
def test_xla_has_one_thread():
    """XLA's pool has a single thread after `fix`, on any number of cores."""
    assert len([n for n in xla_threads("process.fix()") if "XLAEigen" in n]) <= 1


def test_too_late_is_an_error():
    """jax imported with other settings: refused, since it would be silently irreproducible."""
    code = "import jax\nfrom isozyme.evaluators import process\nprocess.fix()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": "/tmp"}
    )
    assert done.returncode != 0
    assert "jax was imported before the thread count was fixed" in done.stderr


def test_own_settings_are_kept():
    """A user's XLA flags and compile cache survive."""
    code = """
import os
from isozyme.evaluators import process
process.fix()
print(os.environ["XLA_FLAGS"], os.environ["JAX_COMPILATION_CACHE_DIR"])
"""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "XLA_FLAGS": "--xla_a=1", "JAX_COMPILATION_CACHE_DIR": "/x"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["--xla_a=1", "--xla_cpu_multi_thread_eigen=false", "/x"]
