"""Joins or starts a Ray cluster, and says in a line what is wrong with it."""

import os
import re
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from isozyme import __version__
from isozyme.search.executors.protocol import SetupFailed
from isozyme.search.executors.ray_cluster import address as address_check
from isozyme.search.executors.ray_cluster.evaluation_process import Payload
from isozyme.search.executors.ray_cluster.supervisor import Leash, SetupError
from isozyme.search.executors.ray_cluster.worker import Worker

NAMESPACE = "isozyme"
_PREFLIGHT_SECONDS = 120.0
_LONGEST_REASON = 120  # characters


class Resources(NamedTuple):
    """What one evaluation takes: processors, accelerators, bytes of memory (0: not limited)."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0

    def options(self) -> dict[str, Any]:
        """As options of a Ray actor."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus} | ({"memory": self.memory} if self.memory else {})

    def __str__(self) -> str:
        return _amounts({"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory})

    def workers_of(self, node: Mapping[str, float]) -> int:
        """How many workers a node with these resources holds."""
        needs = {"CPU": self.cpus, "GPU": self.gpus, "memory": float(self.memory)}
        return min(int(node.get(name, 0.0) / need + 1e-9) for name, need in needs.items() if need)


def join(address: str) -> bool:
    """Joins the cluster at `address`; returns whether this process was in none before.

    Raises:
      SetupFailed: there is none, or it does not let this process in.
    """
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        return False
    found = address_check.check(address)
    try:
        return _init(address=found)
    except (ConnectionError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())
        place = "cannot be joined from this machine, which has to be one of its nodes"
        raise SetupFailed(f"--address={found}: {place}: {why}") from error


def start(workers: int, resources: Resources) -> bool:
    """Starts a cluster on this machine that has room for the workers; returns whether this process was in none before.

    Raises:
      SetupFailed: this machine has no room for a single one.
    """
    _close_to_others()
    processors = max(round(workers * resources.cpus + 0.499), 1)
    started = _init(address="local", num_cpus=processors, include_dashboard=False)
    if started and room(resources) == 0:
        import ray

        has = _amounts(ray.cluster_resources())
        raise SetupFailed(f"per_worker: one worker takes {resources}, and this machine has {has}; lower per_worker")
    return started


def _init(**options: Any) -> bool:
    """Starts Ray, or connects to it.

    Usage reporting and the dashboard are off unless the environment says otherwise. Ray's own handler of SIGTERM,
    which exits without a word, is put aside.
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
    """Has a cluster of our own listen on the loopback interface only, and ask for a token.

    The first variable makes Ray do on Linux what it does on macOS. Ray reads both while it is imported; where it has
    been imported before, it does what it does by default. Its own token would be one that every user of this machine
    can read if the home folder lets them.
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


def actors(payload: Payload, limit: float | None, resources: Resources) -> Callable[[], Any]:
    """Returns what makes a worker, as soon as a node has room for it. The payload is sent to each node once."""
    import ray

    actor_class: Any = ray.remote(**resources.options())(Worker)
    shared = ray.put(payload)
    return lambda: actor_class.remote(shared, limit, resources.memory)


def preflight(payload: Payload) -> None:
    """Has every node of the cluster import the space and the evaluator.

    Raises:
      SetupFailed: names the first node that cannot, and why.
    """
    import ray
    from ray.exceptions import GetTimeoutError, RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    check: Any = ray.remote(num_cpus=0, max_retries=1)(_opens)
    calls = []
    for node in ray.nodes():
        if node["Alive"]:
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            calls.append((node, check.options(scheduling_strategy=strategy).remote(payload)))
    for node, call in calls:
        name = f"node {node['NodeManagerAddress']} ({node['NodeID'][:8]})"
        remedy = "mend it there, or take the node out of the cluster"
        try:
            version, trouble = ray.get(call, timeout=_PREFLIGHT_SECONDS)
        except GetTimeoutError as error:
            raise SetupFailed(f"{name} has not answered for {_PREFLIGHT_SECONDS:g} s; {remedy}") from error
        except RayError as error:
            if node_is_dead(node["NodeID"]):
                continue
            raise SetupFailed(f"{name} cannot run isozyme: {reason(error)}; {remedy}") from error
        if trouble:
            raise SetupFailed(f"{name} cannot import what is searched or evaluated: {trouble}; {remedy}")
        if version != __version__:
            raise SetupFailed(f"{name} has isozyme {version}, and this machine {__version__}; {remedy}")


def _opens(payload: Payload) -> tuple[str, str]:
    """The version of isozyme here, and what keeps a process from importing what it takes, if anything."""
    leash = Leash(payload, None, 0)
    try:
        ended = leash.open()
    except SetupError as error:
        return __version__, str(error)
    leash.close()
    return __version__, "" if ended is None else f"its process died: {ended.what}"


def _cause(error: Any) -> str:
    lines = str(error.cause).splitlines() or [""]
    return f"{type(error.cause).__name__}: {lines[-1].strip() if len(lines) > 1 else lines[0]}"


def node_is_dead(node: str) -> bool:
    """Whether the cluster has lost a node, given by its id."""
    import ray

    return any(n["NodeID"] == node and not n["Alive"] for n in ray.nodes())


def out_of_memory(error: Exception | None) -> bool:
    """Whether Ray ended a worker because the memory of its node was about to be exhausted."""
    from ray.exceptions import OutOfMemoryError

    return isinstance(error, OutOfMemoryError)


def reason(error: Exception | None) -> str:
    """What Ray says of a dead worker, in one line without its advice; None: it did not answer."""
    if error is None:
        return "it did not answer"
    from ray.exceptions import RayTaskError

    if out_of_memory(error):
        return "the memory of its node was exhausted"
    if isinstance(error, RayTaskError):
        return _cause(error)
    text = " ".join(str(error).split())
    detail = re.search(r"(?:Worker exit detail: |The actor is dead because )(?!its worker process)(.*)", text)
    text = detail[1] if detail else text
    return text.partition(" Some common causes")[0][:_LONGEST_REASON].rstrip(". ")


def room(resources: Resources) -> int:
    """How many workers the nodes of the cluster hold, if nobody else uses them."""
    import ray

    return sum(resources.workers_of(node["Resources"]) for node in ray.nodes() if node["Alive"])


def no_room(waiting: int, workers: int, resources: Resources) -> str:
    """Says that workers wait for room."""
    import ray

    has = _amounts(ray.cluster_resources())
    text = f"{waiting} of {workers} workers wait for room: one takes {resources}, and the cluster has {has}"
    return f"{text}; nothing is evaluated until a node joins or becomes free" if waiting == workers else text


def _amounts(resources: Mapping[str, float]) -> str:
    """Amounts that a person can read, without Ray's own bookkeeping."""
    units = {"CPU": ("CPU", 1.0), "GPU": ("GPU", 1.0), "memory": ("GB of memory", 1e9)}
    named = [(f"{resources[name] / unit:.3g} {text}", name) for name, (text, unit) in units.items()
             if resources.get(name)]  # fmt: skip
    return ", ".join(text for text, _ in named) or "nothing"
