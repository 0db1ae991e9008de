"""Optimizer programs, rewritten at random: functional_hashing.md, sections 5 and 9; issue 4's property tests."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from isozyme import hashing
from isozyme.hashing.digest import MANTISSA_BITS
from isozyme.spaces.lion import NAMED, FlatLayout, OptimizerPrograms, Program, build, probe, remove_dead, step_function
from isozyme.spaces.lion.operations import EPSILON
from isozyme.spaces.lion.program import STATES, live_statements
from isozyme.tests.hashing import rewriting
from isozyme.tests.hashing.conditioning import Splits, assert_few, observable, plain, same_whatever_zero
from isozyme.tests.hashing.processes import in_a_process
from isozyme.tests.hashing.rewriting import rewritten
from isozyme.tests.hashing.straight_line import Code, from_program

SPACE = OptimizerPrograms()
SEEDS = st.integers(0, 2**32)


def walked(seed, steps):
    """The end of a random walk of mutations from a published or random program, of five live statements or so."""
    rng = np.random.default_rng(seed)
    start = [*NAMED.values(), None, None][seed % (len(NAMED) + 2)]
    program = SPACE.random(rng) if start is None else start
    for _ in range(steps):
        child = SPACE.mutate(program, rng)
        if len(live_statements(child)[0]) >= min(5, len(live_statements(program)[0])):
            program = child
    return program


def live_code(seed, steps):
    """The live part of a program at the end of a walk; most with other arithmetic, of which mutations add little."""
    code = from_program(walked(seed, steps))
    if seed % 3:
        code = rewriting.with_other_operations(code, np.random.default_rng(seed))
    return from_program(remove_dead(program(code)))


def program(code):
    made = Program(code.statements, code.returns)
    assert SPACE.validate(made) is None
    return made


def static(code):
    return hashing.static_key(SPACE, program(code))


def numeric(code, bits=MANTISSA_BITS):
    key = hashing.numeric_key(SPACE, program(code), bits)
    assert key is not None
    return key


def imperative(code):
    """The key of the same program as a Python function with a state, on 24 of the stock inputs."""
    step = step_function(build(program(code)), FlatLayout([3, 2]))

    def run(inputs, state):
        w, g, lr = inputs
        update, *state = step(w, g, *state, lr)
        return update, state

    return hashing.program_key(run, [(5,), (5,), (1,)], [(5,), (5,)], steps=24)


def running(code):
    """The updates over the probe's steps, by the step function."""
    *arrays, layout = probe.inputs()
    step = step_function(build(program(code)), layout)

    def run(wrap):
        w, gradients, rates = map(wrap, arrays)
        v1 = v2 = np.zeros_like(w)
        updates = []
        with np.errstate(all="ignore"):
            for t in range(len(rates)):
                update, v1, v2 = step(w, gradients[t], v1, v2, rates[t : t + 1])
                updates.append(np.asarray(update, np.float64))
                w = w - update
        return np.stack(updates)

    return run


def outputs(code):
    return running(code)(plain)


def with_dead_state(code, rng):
    """What a state holds that is never read does not matter."""
    _, live = live_statements(program(code))
    trees = ["w", "g", "v1", "v2"]
    update, *states = code.returns
    states = [new if is_live else trees[rng.integers(4)] for new, is_live in zip(states, live, strict=True)]
    return Code(code.statements, (update, *states))


EXACT = [*rewriting.EXACT.values(), with_dead_state]


def divided(code, rng):
    return rewriting.divided(code, rng, EPSILON)


ARITHMETIC = [rewriting.squared, divided, rewriting.reassociated]


def test_clothes_keep_all_keys(capsys):
    """Fact 9: renaming, order, dead code, dead states, commuted operands; each alone and all at once."""
    counts = {"programs": 0, "hang on the sign of a zero": 0}

    @settings(max_examples=100)
    @given(seed=SEEDS, steps=st.integers(0, 40))
    def check(seed, steps):
        code = from_program(walked(seed, steps))
        certain = same_whatever_zero(running(code))
        for rewrites in (*([rewrite] for rewrite in EXACT), EXACT):
            other = rewritten(code, rewrites, seed)
            assert static(other) == static(code)
            assert numeric(other) == numeric(code) or not certain
            assert imperative(other) == imperative(code) or not certain
        counts["programs"] += 1
        counts["hang on the sign of a zero"] += not certain

    check()
    with capsys.disabled():
        print(f"\nprograms in other clothes: {counts}")
    assert counts["hang on the sign of a zero"] < 0.1 * counts["programs"]


def test_arithmetic_keeps_the_numeric_key(capsys):
    """Fact 9, section 5: square(x) and x·x, x/y and x·(1/(y+ε)) with the space's ε, (a+b)+c and a+(b+c)."""
    splits = {rewrite.__name__: Splits(running, numeric) for rewrite in ARITHMETIC} | {"all": Splits(running, numeric)}

    @settings(max_examples=150)
    @given(seed=SEEDS, steps=st.integers(0, 40))
    def check(seed, steps):
        code = live_code(seed, steps)
        for name, rewrites in zip(splits, (*([rewrite] for rewrite in ARITHMETIC), ARITHMETIC), strict=True):
            other = rewritten(code, rewrites, seed)
            if static(other) != static(code):  # Something was rewritten.
                splits[name].add(code, other)

    check()
    with capsys.disabled():
        assert_few("programs", splits)
    assert splits["all"].by_key[40] > 0  # Splits are found where there are some.


def test_division_has_an_epsilon(capsys):
    """x/y is x/(y+ε) in this space: x·(1/y) is another function, and told apart wherever that shows."""
    counts = {"seen": 0, "not observable": 0}

    @settings(max_examples=200)
    @given(seed=SEEDS, steps=st.integers(0, 20))
    def check(seed, steps):
        code = live_code(seed, steps)
        other = rewriting.divided(code, np.random.default_rng(0))
        if observable(outputs(code), outputs(other)):
            counts["seen"] += 1
            assert numeric(code) != numeric(other)
        elif other != code:
            counts["not observable"] += 1

    check()
    with capsys.disabled():
        print(f"\nprograms, division without its ε: {counts}")
    assert counts["seen"] > 10


def differ_where_it_shows(kind, changes, capsys, examples=150):
    """Keys of a program and of others made from it: different where outputs are, equal where they have equal bits."""
    counts = {"observable": 0, "equal bits": 0, "within rounding": 0}

    @settings(max_examples=examples)
    @given(seed=SEEDS, steps=st.integers(0, 30))
    def check(seed, steps):
        code = live_code(seed, steps)
        expected = outputs(code)
        for other in changes(code):
            found = outputs(other)
            if observable(expected, found):
                counts["observable"] += 1
                assert static(other) != static(code)
                assert numeric(other) != numeric(code)
            elif np.array_equal(expected, found, equal_nan=True):
                counts["equal bits"] += 1
                assert numeric(other) == numeric(code)
            else:
                counts["within rounding"] += 1

    check()
    with capsys.disabled():
        print(f"\nprograms, {kind}: {counts}")
    assert counts["observable"] > 30


def test_live_constants_are_seen(capsys):
    """Section 9: a constant changed by a thousandth is another program, and another behaviour where it shows."""

    def changes(code):
        for other in rewriting.with_other_constants(code):
            assert static(other) != static(code)
            yield other

    differ_where_it_shows("live constants changed by 1e-3", changes, capsys)


def test_swapped_minus_is_seen(capsys):
    """Fact 9: x−y and y−x."""
    differ_where_it_shows("swapped −", rewriting.with_swapped_minus, capsys, examples=300)


def reads(code):
    """Where a state is read: statement, argument, which state."""
    for index, statement in enumerate(code.statements):
        for slot, argument in enumerate(statement.arguments):
            if argument in STATES:
                yield index, slot, argument


def with_other_state(code):
    """v2 read for v1, or v1 for v2, at one place."""
    for index, slot, state in reads(code):
        yield rewriting.with_argument(code, index, slot, STATES[1 - STATES.index(state)])


def with_delay(code):
    """One state read a step later at one place: the other one, where it is free, holds what the first one held."""
    _, live = live_statements(program(code))
    for index, slot, state in reads(code):
        place = STATES.index(state)
        if not live[1 - place]:
            late = rewriting.with_argument(code, index, slot, STATES[1 - place])
            returns = [*code.returns]
            returns[2 - place] = state
            yield Code(late.statements, tuple(returns))


def test_other_states_are_seen(capsys):
    """Section 10, state trajectories: the other state, or the same one a step later."""
    differ_where_it_shows("another state read", with_other_state, capsys)
    differ_where_it_shows("state read a step later", with_delay, capsys)


KEYS = """
import json, sys
from isozyme.tests.hashing import test_properties_programs as programs
for text in json.load(sys.stdin):
    code = programs.from_program(programs.SPACE.from_source(text))
    print(programs.static(code).hex(), programs.numeric(code).hex(), programs.imperative(code).hex())
"""


def test_keys_are_the_same_in_every_process():
    """Issue 4: static and numeric keys, and `program_key`, of 20 programs; never `hash()`."""
    texts = [SPACE.to_source(walked(seed, 20)) for seed in range(20)]
    codes = [from_program(SPACE.from_source(text)) for text in texts]
    expected = [f"{static(code).hex()} {numeric(code).hex()} {imperative(code).hex()}" for code in codes]
    assert len(set(expected)) == 20
    for seed in ("1", "2"):
        assert in_a_process(KEYS, texts, PYTHONHASHSEED=seed) == expected
