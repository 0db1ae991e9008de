"""Keys of programs with state: functional_hashing.md, facts 8 to 10 and section 10 (state trajectories)."""

import math

import numpy as np
import pytest

from isozyme.hashing import callable_key, program_key

SHAPE = [(4,)]


def momentum(decay, scale=1.0):
    def step(inputs, state):
        average = decay * state[0] + (1 - decay) * scale * inputs[0]
        return average, [average]

    return step


def in_place(inputs, state):
    """Momentum with decay 0.9, written into the state, which is returned as the output as well."""
    state[0] *= 0.9
    state[0] += 0.1 * inputs[0]
    inputs[0][:] = 0.0
    return state[0], state


def other_state(inputs, state):
    """Momentum with decay 0.9, whose state is ten times as large, in second place, and has a dead one before it."""
    total = state[1] * 0.9 + inputs[0]
    return total / 10, (state[0] + 1, total)


def test_equal_programs_share_a_key():
    """Fact 9: what states hold, where, and dead ones do not matter; nor does writing in place."""
    expected = program_key(momentum(0.9), SHAPE, SHAPE)
    assert program_key(in_place, SHAPE, SHAPE) == expected
    assert program_key(other_state, SHAPE, [(4,), (4,)]) == expected


def test_states_tell_programs_apart():
    """Programs that agree on the first step, and constants changed by a thousandth."""
    programs = [
        momentum(0.9),
        momentum(0.9 * 1.001),
        momentum(0.9, 1.001),
        momentum(0.0),
        lambda inputs, state: (0.1 * inputs[0], state),
        lambda inputs, state: (np.sign(0.1 * inputs[0] + 0.9 * state[0]), [inputs[0]]),
        lambda inputs, state: (state[0], [inputs[0]]),
        lambda inputs, state: (state[0] + 1, [state[0] + 1]),
    ]
    keys = [program_key(step, SHAPE, SHAPE) for step in programs]
    assert len(set(keys)) == len(keys)
    first = [program_key(step, SHAPE, SHAPE, steps=1) for step in (programs[0], programs[4])]
    assert first[0] == first[1]


def test_a_program_without_state_has_the_key_of_its_function():
    """Section 1, "unified": one procedure for programs and for callables."""
    for shape in ((), (4,), (5, 6)):
        program = program_key(lambda inputs, state: (np.tanh(inputs[0]), state), [shape], [])
        assert program == callable_key(np.tanh, [shape])


def test_dead_programs_share_a_key():
    """Fact 10: all-NaN programs share one key, and so do programs that raise the same at the same step."""
    dead = [
        program_key(lambda inputs, state: (inputs[0] * math.nan, state), SHAPE, []),
        program_key(lambda inputs, state: (np.full(4, -math.nan), [inputs[0]]), SHAPE, SHAPE),
    ]
    assert dead[0] == dead[1]

    def fails(step_number, kind):
        def step(inputs, state):
            if state[0] >= step_number:
                raise kind(step_number)
            return inputs[0], [state[0] + 1]

        return step

    keys = [program_key(fails(n, k), SHAPE, [()]) for n, k in ((0, KeyError), (3, KeyError), (3, ValueError))]
    assert len({*keys, program_key(fails(3, KeyError), SHAPE, [()])}) == 3


def test_random_programs_are_reset():
    """Fact 8: A, then one that draws random numbers, then A again."""

    def noisy(inputs, state):
        return inputs[0] + np.random.normal(size=4), state

    one, other = momentum(0.9), noisy
    keys = [program_key(step, SHAPE, SHAPE) for step in (one, other, one, other)]
    assert keys[:2] == keys[2:]
    assert keys[0] != keys[1]


def test_wrong_programs():
    with pytest.raises(ValueError, match="must return a pair"):
        program_key(lambda inputs, state: inputs[0], SHAPE, SHAPE)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="an output is str"):
        program_key(lambda inputs, state: ("1", state), SHAPE, SHAPE)
    with pytest.raises(ValueError, match="mantissa_bits is 0"):
        program_key(momentum(0.9), SHAPE, SHAPE, mantissa_bits=0)
