"""Joins or starts a Ray cluster, and says in one line what is wrong with it."""

import os
import re
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isozyme import __version__
from isozyme.search.executors.protocol import SetupFailed
from isozyme.search.executors.ray_cluster.address import check_address
from isozyme.search.executors.ray_cluster.cluster import Cluster, Resources, describe_amounts
from isozyme.search.executors.ray_cluster.evaluation_process import Payload
from isozyme.search.executors.ray_cluster.supervisor import SetupError, Supervisor
from isozyme.search.executors.ray_cluster.worker import Worker

NAMESPACE = "isozyme"
_CHECK_SECONDS = 120.0
_LONGEST_REASON = 120  # characters


def join_cluster(address: str) -> bool:
    """Joins the cluster at `address`, unless this process is in one already.

    Returns:
      whether it was in none before.

    Raises:
      SetupFailed: there is none, or it does not let this process in.
    """
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        return False
    found = check_address(address)
    try:
        return _init(address=found)
    except (ConnectionError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())
        place = "cannot be joined from this machine, which has to be one of its nodes"
        raise SetupFailed(f"--address={found}: {place}: {why}") from error


def start_cluster(workers: int, resources: Resources) -> bool:
    """Starts a cluster on this machine with room for the workers, unless this process is in one already.

    Returns:
      whether it was in none before.

    Raises:
      SetupFailed: this machine has no room for a single one.
    """
    _close_to_others()
    processors = max(round(workers * resources.cpus + 0.499), 1)
    started = _init(address="local", num_cpus=processors, include_dashboard=False)
    if started and room_for_workers(resources) == 0:
        import ray

        has = describe_amounts(ray.cluster_resources())
        raise SetupFailed(f"per_worker: one worker takes {resources}, and this machine has {has}; lower per_worker")
    return started


def _init(**options: Any) -> bool:
    """Starts Ray, or connects to it; returns whether this process was in no cluster before.

    Usage reporting is off unless the environment says otherwise. Ray's own handler of SIGTERM, which exits without a
    word, is replaced by the one that was there before.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return False
    handler = signal.getsignal(signal.SIGTERM)
    ray.init(namespace=NAMESPACE, configure_logging=False, log_to_driver=False, **options)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
    return True


def _close_to_others() -> None:
    """Makes a cluster of our own listen on the loopback interface only, and ask for a token.

    The first variable makes Ray do on Linux what it does on macOS. Ray reads both variables while it is imported; where
    it has been imported before, its defaults hold. The token is made here, since every user of this machine whom the
    home folder lets in could read the one that Ray makes.
    """
    if "ray" in sys.modules:
        return
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    token = Path.home() / ".ray" / "auth_token"
    given = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    if os.environ["RAY_AUTH_MODE"] == "token" and not given and not token.exists():
        token.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(token, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(secrets.token_hex(32))


def actor_factory(payload: Payload, cluster: Cluster) -> Callable[[], Any]:
    """Returns a function that starts a worker as soon as a node has room. The payload is sent to each node once."""
    import ray

    actor_class: Any = ray.remote(**cluster.resources.options())(Worker)
    shared = ray.put(payload)
    return lambda: actor_class.remote(shared, cluster.limit, cluster.resources.memory)


def check_nodes(payload: Payload) -> None:
    """Imports the space and the evaluator on every node of the cluster.

    Raises:
      SetupFailed: a node cannot import them; the message names the first such node, and why it cannot.
    """
    import ray
    from ray.exceptions import GetTimeoutError, RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    check: Any = ray.remote(num_cpus=0, max_retries=1)(_import_here)
    calls = []
    for node in ray.nodes():
        if node["Alive"]:
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            calls.append((node, check.options(scheduling_strategy=strategy).remote(payload)))
    for node, call in calls:
        name = f"node {node['NodeManagerAddress']} ({node['NodeID'][:8]})"
        remedy = "mend it there, or take the node out of the cluster"
        try:
            version, trouble = ray.get(call, timeout=_CHECK_SECONDS)
        except GetTimeoutError as error:
            raise SetupFailed(f"{name} has not answered for {_CHECK_SECONDS:g} s; {remedy}") from error
        except RayError as error:
            if node_is_dead(node["NodeID"]):
                continue
            raise SetupFailed(f"{name} cannot run isozyme: {death_reason(error)}; {remedy}") from error
        if trouble:
            raise SetupFailed(f"{name} cannot import what is searched or evaluated: {trouble}; {remedy}")
        if version != __version__:
            raise SetupFailed(f"{name} has isozyme {version}, and this machine {__version__}; {remedy}")


def _import_here(payload: Payload) -> tuple[str, str]:
    """Returns the version of isozyme here, and what keeps a process from importing the payload, if anything."""
    supervisor = Supervisor(payload, None, 0)
    try:
        ended = supervisor.start_unprepared()
    except SetupError as error:
        return __version__, str(error)
    supervisor.close()
    return __version__, "" if ended is None else f"its process died: {ended.what}"


def _raised(error: Any) -> str:
    """Returns in one line what a task of Ray raised."""
    lines = str(error.cause).splitlines() or [""]
    return f"{type(error.cause).__name__}: {lines[-1].strip() if len(lines) > 1 else lines[0]}"


def node_is_dead(node: str) -> bool:
    """Tells whether the cluster has lost a node, given by its id."""
    import ray

    return any(n["NodeID"] == node and not n["Alive"] for n in ray.nodes())


def out_of_memory(error: Exception | None) -> bool:
    """Tells whether Ray ended a worker because the memory of its node was about to be exhausted."""
    from ray.exceptions import OutOfMemoryError

    return isinstance(error, OutOfMemoryError)


def death_reason(error: Exception | None) -> str:
    """Returns in one line, without its advice, what Ray says of a dead worker; None is one that did not answer."""
    if error is None:
        return "it did not answer"
    from ray.exceptions import RayTaskError

    if out_of_memory(error):
        return "the memory of its node was exhausted"
    if isinstance(error, RayTaskError):
        return _raised(error)
    text = " ".join(str(error).split())
    detail = re.search(r"(?:Worker exit detail: |The actor is dead because )(?!its worker process)(.*)", text)
    text = detail[1] if detail else text
    return text.partition(" Some common causes")[0][:_LONGEST_REASON].rstrip(". ")


def room_for_workers(resources: Resources) -> int:
    """Counts the workers that the nodes of the cluster hold if nobody else uses them."""
    import ray

    return sum(resources.workers_on(node["Resources"]) for node in ray.nodes() if node["Alive"])


def describe_shortage(waiting: int, workers: int, resources: Resources) -> str:
    """Says in one line that so many of the workers wait for room."""
    import ray

    has = describe_amounts(ray.cluster_resources())
    text = f"{waiting} of {workers} workers wait for room: one takes {resources}, and the cluster has {has}"
    return f"{text}; nothing is evaluated until a node joins or becomes free" if waiting == workers else text
