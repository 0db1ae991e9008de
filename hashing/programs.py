"""Imperative programs that carry a state from step to step, keyed by what they put out on the stock inputs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from isozyme.hashing.behaviour import reproducible
from isozyme.hashing.callables import Outcomes
from isozyme.hashing.digest import MANTISSA_BITS
from isozyme.hashing.inputs import hard_inputs

Step = Callable[[tuple[np.ndarray, ...], Sequence[Any]], tuple[Any, Sequence[Any]]]


def program_key(
    step: Step,
    shapes: Sequence[Sequence[int]],
    states: Sequence[Sequence[int]],
    steps: int | None = None,
    mantissa_bits: int = MANTISSA_BITS,
) -> bytes:
    """Key of a program's behaviour, equal for programs whose outputs agree up to rounding noise at every step.

    The state itself does not take part: one that no output ever depends on is dead code, and which state holds what
    is a matter of names. A program that raises is dead from then on; the class of the exception takes part. A program
    that ignores its state has the key that `callable_key` gives its function.

    Args:
      step: called as step(inputs, state), returns (outputs, new state). It may write into both. Outputs are an array,
        a number, or a tuple or list of them.
      shapes: of the inputs, float64.
      states: shapes of the state's arrays, zeros before the first step.
      steps: how many; each sees another case of the stock inputs. By default as many as `hard_inputs` gives.
      mantissa_bits: as for `callable_key`.

    Raises:
      ValueError: `step` does not return a pair.
      TypeError: an output is not made of numbers.
    """
    state: Sequence[Any] = [np.zeros(tuple(shape)) for shape in states]
    outcomes = Outcomes()
    with reproducible():
        for case in hard_inputs(shapes, steps):
            try:
                result = step(tuple(array.copy() for array in case), state)
            except Exception as error:
                outcomes.raised(error)
                break
            if not isinstance(result, tuple) or len(result) != 2:
                raise ValueError("a step must return a pair: outputs and the new state")
            outputs, state = result
            outcomes.returned(outputs)
    return outcomes.key(mantissa_bits)
