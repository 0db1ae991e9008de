"""What a config file returns: the whole of a run as one symbolic object."""

from typing import Any

import pyglove as pg

from isozyme.search.hurdles import QuantileHurdle
from isozyme.search.objectives import Objective

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]


@pg.members([("trials", pg.typing.Int(min_value=1), "How many trials, twins included.")])
class Budget(pg.Object):
    """When a run ends. Not part of a run's identity: a larger budget continues an earlier run."""

    trials: int


@pg.members(
    [
        ("space", _ANY, "What is searched: a `spaces.Space`."),
        ("evaluator", _ANY, "What a candidate is worth: an `evaluators.Evaluator`."),
        ("search", _ANY, "Who proposes: a `search.Algorithm`."),
        (
            "objectives",
            pg.typing.List(pg.typing.Object(Objective), min_size=1),
            "The first guides; all span the front.",
        ),
        ("budget", pg.typing.Object(Budget), "When the run ends."),
        ("seed", pg.typing.Int(0, min_value=0), "All random numbers derive from it."),
        ("lag", pg.typing.Int(8, min_value=1), "Proposal i sees the trials up to i - lag: how many may be under way."),
        ("hurdle", pg.typing.Object(QuantileHurdle).noneable(), "Who goes on from the short run to the full one."),
        ("finalists", pg.typing.Int(8, min_value=1, max_value=32), "Best trials re-evaluated on the selection split."),
    ]
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
    hurdle: QuantileHurdle | None
    finalists: int

    def _on_bound(self) -> None:
        super()._on_bound()
        for name, method in (("space", "mutate"), ("evaluator", "evaluate"), ("search", "propose")):
            if not callable(getattr(self.sym_init_args[name], method, None)):
                raise TypeError(f"{name} is {self.sym_init_args[name]!r}, which has no method {method}()")

    def identity(self) -> dict[str, Any]:
        """JSON of what a run folder belongs to: everything but the budget and the number of finalists."""
        record: Any = self.to_json()
        return {k: v for k, v in record.items() if k not in ("budget", "finalists")}
