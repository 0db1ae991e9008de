"""Facts of primer.md on functional hashes."""

import numpy as np

from isozyme.hashing import callable_key, probe_key, program_key, static_callable_key


def normed(x):
    """The custom norm: the variance is the mean of x (x - mean)."""
    centred = x - np.mean(x)
    return centred / np.sqrt(np.mean(x * centred) + 1e-6)


def layer_norm(x):
    centred = x - np.mean(x)
    return centred / np.sqrt(np.mean(centred * centred) + 1e-6)


def other_norm(x):
    """As the paper's text has it at first sight, and wrong: a norm that is not centred."""
    return x / np.sqrt(np.mean(x * x) + 1e-6)


def on_rows(function):
    """The key on rows that are not far from their mean, where both forms are well-conditioned."""

    def run(rng):
        return [function(row) for row in rng.normal(0.3, [[1.0], [0.1], [20.0]] * 8, size=(24, 16))]

    return probe_key(run)


def test_the_custom_norm_is_layer_norm():
    """Fact 6: a functional hash has to merge the two, a syntactic one must not."""
    assert on_rows(normed) == on_rows(layer_norm) != on_rows(other_norm)
    assert static_callable_key(normed, 1) != static_callable_key(layer_norm, 1)


def test_independent_instructions_may_be_swapped():
    """Fact 10."""

    def one(inputs, state):
        first = np.tanh(inputs[0])
        second = 0.9 * state[0] + inputs[1]
        return first + second, [second]

    def other(inputs, state):
        second = 0.9 * state[0] + inputs[1]
        first = np.tanh(inputs[0])
        return first + second, [second]

    def dependent(inputs, state):
        second = 0.9 * state[0] + inputs[1]
        first = np.tanh(second)
        return first + second, [second]

    key = program_key(one, [(4,), (4,)], [(4,)])
    assert key == program_key(other, [(4,), (4,)], [(4,)])
    assert key != program_key(dependent, [(4,), (4,)], [(4,)])


def test_dormant_arguments_change_nothing():
    """Fact 11: what an instruction is given and does not use."""

    def instruction(x, y, constant, dimension):
        del constant, dimension
        return np.maximum(x, y)

    keys = {
        callable_key(lambda x, y, c=c, d=d: instruction(x, y, c, d), [(4,), (4,)]) for c in (0.1, 2.0) for d in (1, 8)
    }
    assert len(keys) == 1
    assert len({static_callable_key(lambda x, y, c=c: instruction(x, y, c, 1), 2) for c in (0.1, 2.0)}) == 1
