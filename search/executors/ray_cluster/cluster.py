"""Says on which workers a `RayExecutor` evaluates, and under which limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from isozyme.search.executors.sources import Sources


class Resources(NamedTuple):
    """What one worker takes: processors, accelerators, bytes of memory (0: not limited)."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0

    def options(self) -> dict[str, Any]:
        """Returns the options of a Ray actor that takes so much."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus} | ({"memory": self.memory} if self.memory else {})

    def __str__(self) -> str:
        return describe_amounts({"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory})

    def workers_on(self, node: Mapping[str, float]) -> int:
        """Counts the workers that a node with these resources holds."""
        needs = {"CPU": self.cpus, "GPU": self.gpus, "memory": float(self.memory)}
        return min(int(node.get(name, 0.0) / need + 1e-9) for name, need in needs.items() if need)


def describe_amounts(resources: Mapping[str, float]) -> str:
    """Puts amounts of resources into words, and leaves out Ray's own bookkeeping."""
    units = {"CPU": ("CPU", 1.0), "GPU": ("GPU", 1.0), "memory": ("GB of memory", 1e9)}
    named = [f"{resources[name] / unit:.3g} {text}" for name, (text, unit) in units.items() if resources.get(name)]
    return ", ".join(named) or "nothing"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The workers that an executor starts, and where.

    Attributes:
      workers: how many, at least 1.
      address: of a running Ray cluster, 'auto' or HOST:PORT; None starts one on this machine.
      environment: variables of every evaluation process, the fixed thread count among them.
      resources: what one worker takes.
      limit: wall-clock seconds that one stage of one candidate may take; None sets no limit.
      sources: modules of the user's that workers cannot import otherwise.
    """

    workers: int
    address: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    limit: float | None = None
    sources: Sources = field(default_factory=Sources)
