"""Where a session evaluates: in this process, or in workers on this machine or a cluster."""

from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from isozyme.evaluators import process
from isozyme.evaluators.protocol import Evaluator
from isozyme.hashing.stores import Store
from isozyme.launch import config_file
from isozyme.launch.display import say
from isozyme.launch.experiment import Experiment
from isozyme.search.executors import sources
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import Executor


class Where(NamedTuple):
    """What the command line says of a session.

    Attributes:
      config: the experiment's file, whose neighbours reach the workers.
      folder: the run folder, entered.
      workers: Ray actors, or 0 for this process.
      address: of a Ray cluster, or None.
      store: of outcomes that runs share, or None; the session closes it.
    """

    config: Path
    folder: Path
    workers: int
    address: str | None
    store: Store | None

    def executor(self, experiment: Experiment, console: Console, rung: Evaluator | None = None) -> Executor:
        """Makes what runs the evaluator of the search, or that of a rung of the funnel, which has no time limit."""
        evaluator, rules = experiment.evaluator if rung is None else rung, experiment.rules()
        limit = experiment.time_limit if rung is None else None
        if self.workers == 0:
            return InProcessExecutor(evaluator, rules, limit)
        from isozyme.search.executors.ray_cluster.cluster import Cluster, Resources
        from isozyme.search.executors.ray_cluster.executor import RayExecutor

        share = experiment.per_worker
        cluster = Cluster(
            self.workers,
            self.address,
            process.environment(share.cpus),
            Resources(share.cpus, share.gpus, int(share.memory_gb * 1e9)),
            limit,
            sources.read_sources(self.config, config_file.module_name(self.config)),
        )
        return RayExecutor(evaluator, rules, cluster, on_start=lambda: self._announce(console))

    def _announce(self, console: Console) -> None:
        place = f"the cluster at {self.address}" if self.address else "this machine"
        say(console, f"starting {self.workers} workers on {place}; each compiles its executables once")
