"""A cluster of several nodes, simulated on this machine: they join, die, lack modules, or have no room.

All tests share a head with one processor; Ray starts once in this module.
"""

import textwrap
import time
import warnings
from contextlib import closing
from typing import Any

import psutil
import pytest

from isozyme.evaluators import process
from isozyme.evaluators.protocol import Status
from isozyme.search import Controller, Journal, QuantileHurdle, RegularizedEvolution
from isozyme.search.executors import sources
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import Request, SetupFailed
from isozyme.search.executors.ray_cluster import executor as executor_module
from isozyme.search.executors.ray_cluster.cluster import Cluster, Resources
from isozyme.search.executors.ray_cluster.connection import NAMESPACE
from isozyme.search.executors.ray_cluster.executor import RayExecutor
from isozyme.search.executors.ray_cluster.worker_handle import WorkerHandle
from isozyme.search.rules import Rules
from isozyme.tests.toys import LAG, OBJECTIVES, SEED, BitEvaluator, BitStrings, Gate, trace

pytestmark = pytest.mark.ray

HANG = 300.0  # seconds
# A dead node is noticed in three seconds instead of a quarter of a minute, but none dies of a busy machine.
QUICK = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 5,
}
TRIALS = 80
SPACE = BitStrings(size=62)  # Large enough to keep several workers busy.
TROUBLE = {(15, first): "raise" for first in range(20)} | {(14, 14): "diverge", (14, 15): "memory"}
START = SPACE.references["start"]
RULES = Rules(SPACE, OBJECTIVES, 2, QuantileHurdle("short_loss", warmup=6, window=12, quantile=0.6), SEED, LAG)


@pytest.fixture(scope="module")
def cluster():
    """A cluster that this process has joined."""
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": QUICK}
    made = Cluster(initialize_head=True, head_node_args=head)
    ray.init(made.address, namespace=NAMESPACE, configure_logging=False, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def nodes(cluster):
    """Adds nodes, which are gone after the test."""
    added = []

    def add(**options):
        added.append(cluster.add_node(**options))
        return added[-1]

    yield add
    for node in added:
        if node in cluster.worker_nodes:
            cluster.remove_node(node, allow_graceful=False)
    cluster.wait_for_nodes()


@pytest.fixture
def executor(cluster, monkeypatch):
    """Makes executors on the cluster. No worker that starts slowly is taken to wait for room."""
    monkeypatch.setattr(executor_module, "SHORTAGE_SECONDS", HANG)
    made = []

    def make(evaluator, workers, kind=RayExecutor, **options):
        where = Cluster(workers, cluster.address, process.environment(), **options)
        made.append(kind(evaluator, RULES, where))
        return made[-1]

    yield make
    for one in made:
        one.close()


def search(folder, executor, listener=lambda trial, progress: None, trials=TRIALS):
    folder.mkdir()
    with closing(Journal.open(folder)) as journal:
        Controller(RULES, RegularizedEvolution(10, 3), journal, executor, listeners=[listener]).run(trials)
        return list(journal.trials(SPACE.from_source))


def traces(folder, trials=TRIALS):
    """The trajectory of one process."""
    own = InProcessExecutor(BitEvaluator(trouble=TROUBLE), RULES)
    return [trace(trial) for trial in search(folder, own, trials=trials)]


def collect(executor, count):
    """So many answers, by ticket."""
    answers, deadline = {}, time.monotonic() + HANG
    while len(answers) < count:
        assert time.monotonic() < deadline, f"{len(answers)} of {count} answers"
        answers |= dict(executor.collect(1.0))
    return answers


def look_until(executor, come_true):
    """Has an executor without any requests look after its workers."""
    deadline = time.monotonic() + HANG
    while not come_true():
        assert time.monotonic() < deadline, "it has not come true"
        assert executor.collect(0.2) == []


def on(node, workers):
    """The workers that are ready on a node."""
    return [worker for worker in workers if worker.node == node.node_id and worker.ready]


class Watched(RayExecutor):
    """Tells a test what has arrived, each time that the controller collects."""

    watch = staticmethod(lambda answers: None)

    def collect(self, seconds):
        answers = super().collect(seconds)
        self.watch([answer for _, answer in answers])
        return answers


def test_nodes_come_and_go_in_mid_run(cluster, nodes, executor, tmp_path):
    """Waiting workers start on a node that joins; one that dies takes nothing along; the trajectory is that of one
    process.

    Everybody waits until workers of the new node have requests; when one has answered, they are held up on that node
    alone, until it is sure that one of them is evaluating; then the node dies.
    """
    gate = Gate(tmp_path / "gate")
    made = executor(BitEvaluator(trouble=TROUBLE, delay=0.3, gate=gate), 3, kind=Watched)
    happened = []

    def listen(trial, progress):
        if trial.number == 8:
            gate.close()
            happened.append(nodes(num_cpus=2, env_vars={"ISOZYME_TEST_NODE": "new"}))

    def watch(answers):
        if happened and len(happened) < 4:
            there = on(happened[0], made.workers)
            if len(happened) == 1 and any(worker.batches for worker in there):
                happened.append("asked")
                gate.open()
            elif len(happened) == 2 and {answer.worker for answer in answers} & {worker.name for worker in there}:
                happened.append("has answered")
                gate.close("new")
            elif len(happened) == 3 and gate.is_reached():
                happened.append("is gone")
                cluster.remove_node(happened[0], allow_graceful=False)
                gate.open()

    made.watch = watch
    with pytest.warns(UserWarning, match=r"^2 of 3 workers wait for room: one takes 1 CPU, and the cluster has 1 CPU"):
        struck = search(tmp_path / "cluster", made, listen)
    assert happened[1:] == ["asked", "has answered", "is gone"]
    assert [trace(trial) for trial in struck] == traces(tmp_path / "single")
    attempts = max(trial.effort.attempts for trial in struck)
    assert 2 <= attempts <= 3  # A dying node may be asked twice before it is noticed.


def test_a_worker_out_of_reach_is_asked_again(cluster, nodes, executor, monkeypatch, tmp_path):
    """Until a dead node is noticed nobody knows whether its workers are."""
    away = nodes(num_cpus=1)
    out_of_reach = []
    note = WorkerHandle.note_out_of_reach
    monkeypatch.setattr(
        WorkerHandle, "note_out_of_reach", lambda worker, seconds: out_of_reach.append(worker) or note(worker, seconds)
    )
    gate = Gate(tmp_path / "gate")
    gate.close()
    made = executor(BitEvaluator(gate=gate), 2)
    made.conditions("search")
    look_until(made, lambda: on(away, made.workers))
    for ticket in range(8):
        made.submit(ticket, Request(START))
    made.collect(0.0)
    (worker,) = on(away, made.workers)
    assert worker.batches
    raylet = psutil.Process(away.all_processes["raylet"][0].process.pid)
    raylet.suspend()  # So that it does not tell of the worker's death.
    psutil.Process(int(worker.name.rpartition(":")[2])).kill()
    gate.open()
    answers = collect(made, 8)
    assert out_of_reach
    assert {answer.outcomes[0].status for answer in answers.values()} == {Status.OK}
    raylet.resume()


CONFIG = """
import os
from isozyme.tests.toys import BitEvaluator

if os.environ.get("ISOZYME_TEST_LACKS"):
    raise ImportError("no module named numbers_of_ours")

class Own(BitEvaluator):
    pass
"""


@pytest.fixture
def own(tmp_path):
    """An evaluator of a config of the user's, and the sources that go with it."""
    config = tmp_path / "my_config.py"
    config.write_text(textwrap.dedent(CONFIG))
    module = sources.load_module("isozyme_config_my_config", config)
    return module.Own, sources.read_sources(config, module.__name__)


@pytest.mark.parametrize("lack", ["module", "isozyme"])
def test_a_node_that_cannot_import_is_named(nodes, executor, own, tmp_path, lack):
    """Before the search starts, in one line, with the remedy."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['isozyme'] = None")
    variables = {"module": {"ISOZYME_TEST_LACKS": "1"}, "isozyme": {"PYTHONPATH": str(tmp_path)}}[lack]
    why = {"module": "ImportError: no module named numbers_of_ours", "isozyme": "No module named 'isozyme"}[lack]
    poor = nodes(num_cpus=1, env_vars=variables)
    evaluator, beside = own
    with pytest.raises(SetupFailed) as failure:
        executor(evaluator(), 1, sources=beside).conditions("search")
    line = str(failure.value)
    assert line.startswith(f"node {poor.node_ip_address} ({poor.node_id[:8]}) cannot ")
    assert why in line
    assert line.endswith("; mend it there, or take the node out of the cluster")
    assert "\n" not in line


def test_a_node_that_cannot_import_may_join_a_run(nodes, executor, own):
    """It is told of, and the search goes on elsewhere."""
    evaluator, beside = own
    made = executor(evaluator(), 2, sources=beside)
    with pytest.warns(UserWarning, match="wait for room"):
        made.conditions("search")
    nodes(num_cpus=1, env_vars={"ISOZYME_TEST_LACKS": "1"})
    told = r"^a worker on .* cannot be set up: ImportError: no module named numbers_of_ours; it tries again every 60 s$"
    with pytest.warns(UserWarning, match=told):
        look_until(made, lambda: any(worker.actor is None for worker in made.workers))
    made.submit(0, Request(START))
    assert collect(made, 1)[0].outcomes[0].status is Status.OK


def test_resources_reach_the_cluster(nodes, executor):
    """What a worker takes is taken from what is there."""
    import ray

    nodes(num_cpus=4, num_gpus=2, memory=4 * 10**9)
    made = executor(BitEvaluator(), 2, resources=Resources(2, 0.5, 10**9))
    made.conditions("search")
    look_until(made, lambda: all(worker.ready for worker in made.workers))
    has = ray.cluster_resources()

    def taken():
        free = ray.available_resources()  # It lags behind.
        return {name: has[name] - free.get(name, 0.0) for name in ("CPU", "GPU", "memory")}

    look_until(made, lambda: taken() == pytest.approx({"CPU": 4.0, "GPU": 1.0, "memory": 2e9}))


def test_without_any_room_it_says_so_and_waits(nodes, executor):
    """For a node that is large enough."""
    import ray

    made = executor(BitEvaluator(), 1, resources=Resources(64))
    told = (
        r"^1 of 1 workers wait for room: one takes 64 CPU, and the cluster has .*; nothing is evaluated until a node "
    )
    with pytest.warns(UserWarning, match=told):
        made.submit(0, Request(START))
    assert made.collect(0.1) == []
    nodes(num_cpus=64)
    assert collect(made, 1)[0].outcomes[0].status is Status.OK
    assert ray.cluster_resources()["CPU"] == 65


def test_a_busy_cluster_is_told_of(cluster, executor, monkeypatch):
    """It has the processors, but others have them."""
    import ray

    monkeypatch.setattr(executor_module, "SHORTAGE_SECONDS", 0.5)

    class Other:
        def here(self):
            return True

    other: Any = ray.remote(num_cpus=1)(Other)
    held = other.remote()
    ray.get(held.here.remote())
    made = executor(BitEvaluator(), 1)
    made.submit(0, Request(START))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        look_until(made, lambda: told)
    assert str(told[0].message).startswith("1 of 1 workers wait for room")
    ray.kill(held)
    assert collect(made, 1)[0].outcomes[0].status is Status.OK
