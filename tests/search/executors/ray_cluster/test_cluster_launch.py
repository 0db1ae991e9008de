"""The command line on Ray, with a config of a user's own: here, cut off from every network, and on a cluster."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from isozyme.tests.launch.launch_helpers import (
    HANG,
    RUN,
    assert_usage_error,
    background,
    environment,
    run,
    trajectory,
)

pytestmark = pytest.mark.ray

FILES = {
    "my_config.py": '''
"""Eight choices that are to be large."""

import pyglove as pg
from my_space import space

from isozyme.evaluators import Outcome, Status
from isozyme.launch import Budget, Experiment
from isozyme.search import Maximize, RegularizedEvolution


@pg.members([("gate", pg.typing.Str(""), "A file for which evaluations wait, if named; they say so in another file.")])
class Sum(pg.Object):
    def prepare(self):
        pass

    def setup(self, space, seed):
        pass

    def conditions(self, split):
        return f"sum/{split}"

    def evaluate(self, jobs):
        from my_package.late import total  # Only where it is evaluated.

        return [Outcome(Status.OK, None, {"sum": total(job.candidate, self.gate)}) for job in jobs]


def experiment():
    return Experiment(
        space=space(), evaluator=Sum(), search=RegularizedEvolution(10, 3), objectives=[Maximize("sum", 0.0)],
        budget=Budget(60), finalists=1,
    )
''',
    "my_space.py": """
import pyglove as pg

from isozyme.spaces.template import TemplateSpace


def space():
    return TemplateSpace([pg.oneof([0, 1, 2, 3]) for _ in range(8)])
""",
    "my_package/__init__.py": "",
    "my_package/late.py": """
import time
from pathlib import Path


def total(choices, gate):
    while gate and not Path(gate).exists():
        Path(f"{gate}.reached").touch()
        time.sleep(0.01)
    return float(sum(choices))
""",
}
LOOPBACK = {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
CORE = {"gcs_server", "raylet"}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A config with a module and a package beside it."""
    folder = tmp_path_factory.mktemp("own")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder / "my_config.py"


@pytest.fixture(scope="module")
def alone(config, tmp_path_factory):
    """The trajectory of one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    ended = run(f"--config={config}", f"--workdir={folder}", "--workers=0")
    assert ended.code == 0, ended.err
    return trajectory(folder)


def listening(family):
    """Addresses at which the processes of a run listen, with the first word of who does."""
    found = set()
    for one in family:
        try:
            name = one.name()
            found |= {(name, c.laddr.ip) for c in one.net_connections("inet") if c.status == psutil.CONN_LISTEN}
        except psutil.Error:
            continue
    return found


def test_a_run_on_this_machine_listens_to_it_alone(config, alone, tmp_path):
    """Ray's processes and the workers are bound to the loopback interface, ask for a token, and report to nobody; what
    lies beside the config reaches the workers; symbolic classes of the config work there."""
    folder, gate = tmp_path / "run", tmp_path / "gate"
    arguments = (f"--config={config}", f"--workdir={folder}", "--workers=2", f"--config.evaluator.gate={gate}")
    with background(*arguments, scratch=tmp_path) as started:
        started.wait_until(gate.with_suffix(".reached").exists)
        family = started.family()
        heard = listening(family)
        variables = [one.environ() for one in family if one.name() in CORE]
        lines = [" ".join(one.cmdline()) for one in family]
        gate.touch()
        ended = started.end()
    assert (ended.code, ended.err) == (0, "")
    names = {name for name, _ in heard}
    assert names >= CORE
    assert any(name.startswith("ray::Worker") for name in names)
    assert {ip for _, ip in heard} <= LOOPBACK
    assert {v["RAY_AUTH_MODE"] for v in variables} == {"token"}
    assert {v["RAY_USAGE_STATS_ENABLED"] for v in variables} == {"0"}
    assert not any("--modules-to-load=UsageStatsHead" in line and "dashboard-host" in line for line in lines)
    assert trajectory(folder) == alone


def _namespaces_are_permitted():
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0


@pytest.mark.skipif(
    not _namespaces_are_permitted(), reason="takes unshare, ip and the right to make network namespaces"
)
def test_a_run_needs_no_network(config, alone, tmp_path):
    """In a namespace that has the loopback interface only."""
    folder = tmp_path / "run"
    command = [sys.executable, RUN, f"--config={config}", f"--workdir={folder}", "--workers=2"]
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *map(str, command)],
        env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=HANG,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert trajectory(folder) == alone


def test_a_machine_without_room_for_a_worker_says_so(config, tmp_path):
    """At once, in one line that names the field; it would wait for ever."""
    ended = run(f"--config={config}", f"--workdir={tmp_path / 'run'}", "--workers=1", "--config.per_worker.gpus=70")
    assert_usage_error(ended, ["per_worker", "one worker takes 1 CPU, 70 GPU", "this machine has 1 CPU", "lower"])


class Head(NamedTuple):
    """The head of a cluster: its address, its processes, and the variables of a user of its machine."""

    address: str
    family: list[psutil.Process]
    variables: dict[str, str]


@contextmanager
def started(mode: str) -> Iterator[Head]:
    """A cluster as `ray start` makes it, whose user has a token, whether the cluster asks for it or not."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    scratch = tempfile.mkdtemp(prefix="isozyme")  # Sockets need a short path.
    others = {name: "" for name in os.environ if name.startswith("RAY_")}
    variables = others | {"HOME": scratch, "RAY_TMPDIR": scratch, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    command = [Path(sys.executable).with_name("ray"), "start", "--head", f"--port={port}", "--num-cpus=2",
               "--include-dashboard=false", "--block"]  # fmt: skip
    process = subprocess.Popen(
        command,
        env=environment(**variables, RAY_AUTH_MODE=mode, RAY_USAGE_STATS_ENABLED="0"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + HANG
        while not Path(scratch, "ray", "ray_current_cluster").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.2)
        yield Head(f"127.0.0.1:{port}", _family(process), variables)
    finally:
        family = _family(process)
        process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=20)
        for one in alive:
            one.kill()
        process.wait()
        shutil.rmtree(scratch)


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A cluster that asks for a token."""
    with started("token") as made:
        yield made


def _family(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def _runs_on(head, config, alone, folder):
    arguments = (f"--config={config}", f"--workdir={folder}", "--workers=2", "--address=auto")
    ended = run(*arguments, **head.variables)
    assert (ended.code, ended.err) == (0, "")
    assert "starting 2 workers on the cluster at auto" in ended.out
    assert trajectory(folder) == alone


def test_a_run_on_a_cluster(head, config, alone, tmp_path):
    """What lies beside the config reaches the workers there. Unlike ours, such a cluster listens to all interfaces."""
    _runs_on(head, config, alone, tmp_path / "run")
    assert {("gcs_server", "::"), ("raylet", "::")} <= listening(head.family)


@pytest.mark.nightly
def test_a_run_on_a_cluster_that_asks_for_no_token(config, alone, tmp_path):
    """The user has one, which Ray would send; no worker would ever start."""
    with started("disabled") as made:
        _runs_on(made, config, alone, tmp_path / "run")


@pytest.mark.parametrize(
    ("token", "words"),
    [("", "the cluster asks for a token"), ("0" * 64, "the cluster does not accept the token")],
)
def test_a_cluster_that_does_not_let_one_in(head, config, tmp_path, token, words):
    """Said in a second, where Ray would try for twenty; nothing is made."""
    folder = tmp_path / "run"
    arguments = (f"--config={config}", f"--workdir={folder}", "--workers=2", f"--address={head.address}")
    ended = run(*arguments, **head.variables | {"RAY_AUTH_TOKEN": token})
    assert_usage_error(ended, [f"--address={head.address}", words, "~/.ray/auth_token"])
    assert not folder.exists()


def test_the_cluster_file_is_one_that_ray_accepts():
    """And that starts workers as well: Ray's newer autoscaler does not on machines of one's own."""
    import yaml
    from ray.autoscaler._private.util import prepare_config, validate_config

    cluster = prepare_config(yaml.safe_load((RUN.parent / "cluster" / "on_premise.yaml").read_text()))
    validate_config(cluster)
    assert cluster["provider"]["type"] == "local"
    assert len(cluster["provider"]["worker_ips"]) == cluster["max_workers"]
    start = cluster["head_start_ray_commands"][-1]
    for part in (
        "RAY_enable_autoscaler_v2=0",
        "RAY_AUTH_MODE=token",
        "--autoscaling-config=~/ray_bootstrap_config.yaml",
    ):
        assert part in start
