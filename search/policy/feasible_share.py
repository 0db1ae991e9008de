"""How a policy under a hard limit learns how probable feasible candidates are."""

import pyglove as pg


@pg.members(
    [
        ("samples", pg.typing.Int(5, min_value=1), "N: draws that estimate P(V), each time anew; none where exact."),
        ("exact", pg.typing.Bool(False), "Whether P(V), and draws, are exact; the cost has to be `Tabulated`."),
    ],
    serialization_key="isozyme.FeasibleShare",
)
class FeasibleShare(pg.Object):
    """Says how a policy finds P(V), the share of its draws within a `Limit`, and its gradient.

    It goes by rejection, as TabNAS has it (Yang et al., NeurIPS 2022, arXiv 2204.07615), or exactly, by the recursion
    over a trellis of costs (`recursion`).
    """

    samples: int
    exact: bool
