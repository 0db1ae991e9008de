"""What a config file returns: the whole of a run as one symbolic object."""

from pathlib import Path
from typing import Any

import pyglove as pg

from isozyme.evaluators.protocol import Evaluator, keeps_artifacts_of, measured_of, stage_metric_of, stages_of
from isozyme.hashing import digest
from isozyme.search.accounting.power import Power
from isozyme.search.controller.equivalence import Equivalence
from isozyme.search.hurdles import QuantileHurdle
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Algorithm, Learning
from isozyme.search.rules import Rules
from isozyme.search.validation.funnel import Funnel, baselines
from isozyme.search.validation.meta_validation import MetaValidation
from isozyme.search.validation.simplification import Simplification
from isozyme.spaces.abilities import Simplifiable, missing_method
from isozyme.spaces.protocol import Space

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]


_CHANGEABLE = ("budget", "finalists", "funnel", "simplification", "time_limit", "per_worker", "power")


@pg.members(
    [
        ("trials", pg.typing.Int(min_value=1).noneable(), "Trials, twins included."),
        ("evaluations", pg.typing.Int(min_value=1).noneable(), "Trials that own their behaviour."),
        ("hours", pg.typing.Float(min_value=0.0).noneable(), "Wall-clock hours, over all sessions."),
        ("kwh", pg.typing.Float(min_value=0.0).noneable(), "Energy at the middle of its interval, over all sessions."),
    ],
    serialization_key="isozyme.Budget",
)
class Budget(pg.Object):
    """When a run ends: as soon as any limit is reached. Not part of a run's identity: a larger one continues a run.

    Hours and kWh depend on the machine, so that runs that end by them are not the same every time.
    """

    trials: int | None
    evaluations: int | None
    hours: float | None
    kwh: float | None

    @property
    def limited(self) -> bool:
        """Whether the run ends by itself."""
        return any(value is not None for value in (self.trials, self.evaluations, self.hours, self.kwh))


@pg.members(
    [
        ("cpus", pg.typing.Int(1, min_value=1), "Processors, which are its threads as well."),
        ("gpus", pg.typing.Float(0.0, min_value=0.0), "Accelerators; a part of one may be shared."),
        ("memory_gb", pg.typing.Float(0.0, min_value=0.0), "Memory reserved for it; 0: not counted."),
    ],
    serialization_key="isozyme.PerWorker",
)
class PerWorker(pg.Object):
    """What one worker takes of the machine or the cluster."""

    cpus: int
    gpus: float
    memory_gb: float


@pg.members(
    [
        ("space", _ANY, "What is searched: a `spaces.Space`."),
        ("evaluator", _ANY, "What a candidate is worth: an `evaluators.Evaluator`."),
        ("search", _ANY, "Who proposes: a `search.Algorithm`, or what learns before it does: a `search.Learning`."),
        (
            "objectives",
            pg.typing.List(pg.typing.Object(Objective), min_size=1),
            "The first guides; all span the front.",
        ),
        ("budget", pg.typing.Object(Budget), "When the run ends."),
        ("seed", pg.typing.Int(0, min_value=0), "All random numbers derive from it."),
        ("lag", pg.typing.Int(8, min_value=1), "Proposal i sees the trials up to i - lag: how many may be under way."),
        (
            "asynchronous",
            pg.typing.Bool(False),
            "Feeds trials back as they finish: busier workers, another trajectory each time.",
        ),
        ("hurdle", pg.typing.Object(QuantileHurdle).noneable(), "Who goes on from the short run to the full one."),
        ("equivalence", pg.typing.Object(Equivalence, default=Equivalence()), "How twins are found and trusted."),
        (
            "meta_validation",
            pg.typing.Object(MetaValidation).noneable(),
            "Looks at the incumbent on tasks that the search never sees.",
        ),
        ("finalists", pg.typing.Int(8, min_value=1, max_value=32), "Best trials re-evaluated on the selection split."),
        ("funnel", pg.typing.Object(Funnel).noneable(), "Costlier tasks on which finalists meet tuned baselines."),
        ("simplification", pg.typing.Object(Simplification).noneable(), "How the winner is made simpler."),
        (
            "time_limit",
            pg.typing.Float(min_value=0.01).noneable(),
            "Seconds that one stage of one candidate may take; what takes longer is stopped.",
        ),
        ("per_worker", pg.typing.Object(PerWorker, default=PerWorker()), "What one worker takes."),
        ("power", pg.typing.Object(Power, default=Power()), "What turns time into energy and emissions."),
    ],
    serialization_key="isozyme.Experiment",
)
class Experiment(pg.Object):
    """A search, ready to run."""

    space: Any
    evaluator: Any
    search: Any
    objectives: list[Objective]
    budget: Budget
    seed: int
    lag: int
    asynchronous: bool
    hurdle: QuantileHurdle | None
    equivalence: Equivalence
    meta_validation: MetaValidation | None
    finalists: int
    funnel: Funnel | None
    simplification: Simplification | None
    time_limit: float | None
    per_worker: PerWorker
    power: Power

    def _on_bound(self) -> None:
        super()._on_bound()
        proposing = Learning if isinstance(self.sym_init_args["search"], Learning) else Algorithm
        needed: list[tuple[str, type[Any]]] = [("space", Space), ("evaluator", Evaluator), ("search", proposing)]
        if self.simplification is not None:
            needed.append(("space", Simplifiable))
        for name, protocol in needed:
            part = self.sym_init_args[name]
            method = missing_method(part, protocol)
            if method is not None:
                raise TypeError(f"{name} is {part!r}, which has no method {method}()")
        if self.objectives[0].metric in measured_of(self.evaluator):
            raise ValueError(
                f"objectives: {self.objectives[0].metric} is measured, and the closing scores without measuring; let a "
                "metric of the evaluator's stages come first"
            )
        if self.meta_validation is not None and not self.space.references:
            raise ValueError("meta_validation: the space names no references to compare with; leave it out")
        if self.funnel is not None and not baselines(self.space):
            raise ValueError("funnel: the space names neither baselines nor references to beat; leave it out")

    def prepare(self) -> None:
        """Gets the data of all evaluators in place; raises `DataUnavailable`."""
        others = self.meta_validation.evaluators if self.meta_validation is not None else []
        for evaluator in (self.evaluator, *others):
            evaluator.prepare()
        if self.funnel is not None:
            self.funnel.prepare()

    def rules(self, artifacts: Path | None = None) -> Rules:
        """Makes the rules that all parts of a run are handed.

        Args:
          artifacts: the folder in which an evaluator that keeps artifacts finds its own.
        """
        hurdle = self.hurdle.comparing(stage_metric_of(self.evaluator)) if self.hurdle is not None else None
        return Rules(
            self.space,
            tuple(self.objectives),
            stages_of(self.evaluator),
            hurdle,
            self.seed,
            self.lag,
            self.asynchronous,
            measured_of(self.evaluator),
            artifacts if keeps_artifacts_of(self.evaluator) else None,
        )

    def record(self) -> dict[str, Any]:
        """The whole of it as plain JSON. Of objects that PyGlove could only pickle there is a digest."""
        return _without_pickles(self.to_json())

    def identity(self) -> dict[str, Any]:
        """JSON of what a run folder belongs to: everything but what a later session may change."""
        record = self.record()
        if self.meta_validation is not None:
            del record["meta_validation"]["patience"]
        return {k: v for k, v in record.items() if k not in _CHANGEABLE}


def _without_pickles(value: Any) -> Any:
    """JSON of PyGlove in which a digest, enough to tell objects apart, stands for a pickle."""
    if isinstance(value, list):
        return [_without_pickles(one) for one in value]
    if not isinstance(value, dict):
        return value
    if str(value.get("_type", "")).endswith("_OpaqueObject"):
        return {"digest": digest(str(value["value"]).encode()).hex()}
    return {name: _without_pickles(one) for name, one in value.items()}
