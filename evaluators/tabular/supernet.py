"""Shared weights of all candidates of a space, for one-shot search (TabNAS, Yang et al., NeurIPS 2022, section 3)."""

from typing import Any

import pyglove as pg

from isozyme.evaluators.tabular.tasks import LoadedTable, TableTask

_VERSION = "tabular-supernet-2"


@pg.members(
    [("task", pg.typing.Object(TableTask), "What to train on, and how; its steps are those of a search.")],
    serialization_key="isozyme.TabularSupernet",
)
class TabularSupernet(pg.Object):
    """The widest network, of which a candidate uses the first units of each layer; see `Supernet`.

    `start`, `train` and `quality` are pure functions of arrays and can be part of a compiled step; nothing depends on
    the choices but values. Columns are constants of what is compiled from them. The rate falls to zero over
    `task.steps` weight steps, after which nothing is learnt: a search should take as many.
    """

    def prepare(self) -> None:
        """Gets the table in place."""
        self.task.check()

    def setup(self, space: Any, seed: int) -> None:
        """Loads the table; raises ValueError for a space made for another one."""
        self._loaded = loaded = LoadedTable(self.task, space, seed)
        import jax

        from isozyme.evaluators.tabular.training import score, variance_of

        self._search_variance = variance_of(loaded.held["search"])
        self._score = jax.jit(lambda weights, widths, rows: score(weights, loaded.network, widths, rows))

    def conditions(self, split: str) -> str:
        """Tells all that a score depends on besides weights and choices."""
        return self._loaded.conditions(_VERSION, split)

    def start(self, seed: int) -> Any:
        """Weights of the widest network, initialised by its own fan-in, and the optimizer's state."""
        from isozyme.evaluators import training
        from isozyme.evaluators.networks import initial

        loaded = self._loaded
        return training.start(loaded.recipe, initial(loaded.key("shared", seed), loaded.network))

    def train(self, state: Any, choices: Any, key: Any, warm: Any) -> Any:
        """One weight step of the chosen network on a batch of the training split; `warm`: of the widest network."""
        import jax.numpy as jnp

        from isozyme.evaluators import training
        from isozyme.evaluators.tabular.training import loss

        loaded = self._loaded
        widths = jnp.where(warm, loaded.widest, loaded.widths[choices])
        rows = training.batch(loaded.train, key, loaded.recipe.batch_size)
        return training.step(loaded.recipe, state, lambda weights: loss(weights, loaded.network, widths, rows))

    def quality(self, state: Any, choices: Any, key: Any) -> Any:
        """Accuracy or R² of the chosen network on a batch of the search split, a scalar."""
        from isozyme.evaluators.tabular.training import quality
        from isozyme.evaluators.training import batch

        loaded = self._loaded
        rows = batch(loaded.held["search"], key, loaded.recipe.batch_size)
        return quality(state.weights, loaded.network, loaded.widths[choices], rows, self._search_variance)[0]

    def score(self, state: Any, choices: Any, split: str) -> dict[str, float]:
        """`score` and `loss` of the chosen network, with the shared weights, on a whole held-out split."""
        loaded = self._loaded
        value, error = self._score(state.weights, loaded.widths[choices], loaded.held[split])
        return {"score": float(value), "loss": float(error)}
