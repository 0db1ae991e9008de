"""What people tune: AdamW's learning rate and weight decay, and the size of any program's update."""

from isozyme.spaces.lion.named import adamw
from isozyme.spaces.lion.program import Program, Statement
from isozyme.spaces.lion.source import from_source

_RATES, _DECAYS = (0.0003, 0.001, 0.003, 0.01, 0.03), (0.01, 0.1, 1.0)
_FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)

BASELINES: dict[str, Program] = {
    f"adamw, rate {rate:g}, decay {decay:g}": from_source(adamw(rate, decay)) for rate in _RATES for decay in _DECAYS
}
"""What is tuned where programs have to beat AdamW at its best: a grid of the two constants that people tune."""


def tunings(program: Program) -> dict[str, Program]:
    """A program with its update scaled, which scales its rate, for tasks that it was not found on."""
    return {f"rate × {factor:g}": _scaled(program, factor) for factor in _FACTORS}


def _scaled(program: Program, factor: float) -> Program:
    if factor == 1.0:
        return program
    update, v1, v2 = program.returns
    taken = {statement.target for statement in program.statements}  # A state may be returned under the update's name.
    target = next(name for name in (f"scaled{i or ''}" for i in range(len(taken) + 1)) if name not in taken)
    statement = Statement(target, "*", (update, factor))
    return Program((*program.statements, statement), (target, v1, v2))
