"""The keys of optimizer programs against slower, plainer definitions; facts of lion.md, section 14."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isozyme import hashing
from isozyme.spaces.lion import NAMED, OPERATIONS, FlatLayout, OptimizerPrograms, build, probe, step_function
from isozyme.spaces.lion.program import STATES, Program, Statement, live_statements

SPACE = OptimizerPrograms()


def walk(seed, steps, shortest=0):
    """Programs along a random walk from AdamW or from a random program; none has fewer live statements than given."""
    rng = np.random.default_rng(seed)
    program = NAMED["adamw"] if seed % 2 or shortest else SPACE.random(rng)
    for _ in range(steps):
        child = SPACE.mutate(program, rng)
        if len(live_statements(child)[0]) >= shortest:
            program = child
            yield program


def plain_liveness(program):
    """The definition: statements are added, and states that they read, until nothing changes."""
    states = set()
    while True:
        needed = {program.returns[0], *(program.returns[1 + STATES.index(s)] for s in states)}
        live = []
        for index, statement in reversed(list(enumerate(program.statements))):
            if statement.target in needed:
                live.insert(0, index)
                needed.remove(statement.target)
                needed |= {a for a in statement.arguments if isinstance(a, str)}
        if needed & set(STATES) <= states:
            return live, ("v1" in states, "v2" in states)
        states |= needed & set(STATES)


def plain_key(program):
    """A digest for every value, from its operation and its operands' digests."""
    live, flags = plain_liveness(program)
    keys = []
    for names in ({"v1": "first", "v2": "second"}, {"v2": "first", "v1": "second"}):
        known = {name: hashing.digest(names.get(name, name).encode()) for name in ("w", "g", "v1", "v2", "lr")}
        for target, operation, arguments in (program.statements[i] for i in live):
            operands = [known[a] if isinstance(a, str) else hashing.digest(repr(a).encode()) for a in arguments]
            if OPERATIONS[operation].commutative:
                operands.sort()
            known[target] = hashing.digest(operation.encode(), *operands)
        new = {
            names[state]: known[name] if is_live else b"dead"
            for state, name, is_live in zip(STATES, program.returns[1:], flags, strict=True)
        }
        keys.append(hashing.digest(known[program.returns[0]], new["first"], new["second"]))
    return min(keys)


def in_other_clothes(program, rng):
    """The same computation: new names, another order, operands commuted, states changed over, dead statements."""
    other = dict(zip(STATES, rng.permutation(STATES).tolist(), strict=True))
    scope = {"w": "w", "g": "g", "lr": "lr", **other}
    statements = []
    for number, (target, operation, arguments) in enumerate(program.statements):
        renamed = [scope[a] if isinstance(a, str) else a for a in arguments]
        if OPERATIONS[operation].commutative and rng.random() < 0.5:
            renamed.reverse()
        scope[target] = f"y{number}"
        statements.append(Statement(scope[target], operation, tuple(renamed)))
    update, v1, v2 = (scope[name] for name in program.returns)
    returns = (update, v1, v2) if other["v1"] == "v1" else (update, v2, v1)
    waiting, ordered, defined = statements, [Statement("unused", "cosh", ("g",))], {"w", "g", "lr", *STATES}
    while waiting:
        ready = [s for s in waiting if all(a in defined for a in s.arguments if isinstance(a, str))]
        chosen = ready[rng.integers(len(ready))]
        ordered.append(chosen)
        defined.add(chosen.target)
        waiting = [s for s in waiting if s is not chosen]
    return Program(tuple(ordered), returns)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 60), shortest=st.sampled_from([0, 8]))
def test_liveness_is_the_smallest_fixed_point(seed, steps, shortest):
    """Fact 7: one backward pass finds what repeated passes find."""
    for program in walk(seed, steps, shortest):
        assert live_statements(program) == plain_liveness(program)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 60), shortest=st.sampled_from([0, 8]))
def test_static_key_is_blind_to_clothes(seed, steps, shortest):
    """Fact 6: names, order, commuted operands, dead statements, which state holds what."""
    rng = np.random.default_rng(seed)
    *_, program = [NAMED["adamw"], *walk(seed, steps, shortest)]
    other = in_other_clothes(program, rng)
    assert SPACE.validate(other) is None
    assert hashing.static_key(SPACE, other) == hashing.static_key(SPACE, program)


def test_static_keys_part_programs_like_the_plain_definition():
    """Fact 6: no two programs are told apart, or taken for one, that a digest for every value would not."""
    rng = np.random.default_rng(0)
    programs = [program for seed in range(200) for program in walk(seed, 30, shortest=8 * (seed % 3))]
    programs += [in_other_clothes(program, rng) for program in programs[::4]]
    pairs = {(hashing.static_key(SPACE, program), plain_key(program)) for program in programs}
    assert len({fast for fast, _ in pairs}) == len({plain for _, plain in pairs}) == len(pairs)
    assert 500 < len(pairs) < len(programs) - 500


def doubled(times, commuted=False):
    """w + g, doubled; its formula would be 2^times long."""
    x = ("g", "w") if commuted else ("w", "g")
    statements = [Statement("x", "+", x), *[Statement("x", "*", ("x", "x"))] * times, Statement("u", "*", ("x", "lr"))]
    return Program(tuple(statements), ("u", "v1", "v2"))


def test_values_used_again_and_again():
    """Fact 6: long formulas stand as digests, which depend on content as short ones do."""
    keys = [hashing.static_key(SPACE, doubled(times)) for times in range(60)]
    assert len(set(keys)) == 60
    assert keys == [hashing.static_key(SPACE, doubled(times, commuted=True)) for times in range(60)]


def step_by_step(program):
    """What the probe computes, as a loop over the step function that the compiled path takes."""
    w, gradients, rates, layout = probe.inputs()
    step = step_function(build(program), layout)
    v1 = v2 = np.zeros_like(w)
    updates = []
    for g, lr in zip(gradients, rates, strict=True):
        update, v1, v2 = step(w, g, v1, v2, lr)
        updates.append(update)
        w = w - update
    return np.stack(updates)


def assert_probe_runs_the_steps(program):
    with np.errstate(all="ignore"):
        expected = step_by_step(program)
    np.testing.assert_array_equal(SPACE.probe(program)[0], expected)


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 40), shortest=st.sampled_from([0, 8]))
def test_probe_runs_the_steps(seed, steps, shortest):
    """Issue 2: what is computed for all steps at once has the bits that single steps have."""
    *_, program = [NAMED["adamw"], *walk(seed, steps, shortest)]
    assert_probe_runs_the_steps(program)


@pytest.mark.parametrize("returned", ["v1, v2, v1", "u, w, v1", "u, g, w", "n, n, v1", "g, v1, v2", "c, c, w"])
@pytest.mark.parametrize("read", ["v1 + v2", "v1 * w", "g * lr"])
def test_probe_hands_states_on_at_once(returned, read):
    """States that swap, or are taken from w, g or a value that no state reaches."""
    statements = [f"u = {read}", "n = norm(g)", "n = n * g", "r = global_norm(g)", "c = max(lr, r)", "c = c * u"]
    body = "".join(f"    {statement}\n" for statement in statements)
    assert_probe_runs_the_steps(SPACE.from_source(f"def train(w, g, v1, v2, lr):\n{body}    return {returned}\n"))


def test_programs_that_are_finite_on_small_gradients_alone():
    """NaN of the hard inputs does not hide what a program does in training."""
    body = "def train(w, g, v1, v2, lr):\n    n = arctanh(g)\n    n = global_norm(n)\n    u = g * n\n    u = u * {}\n"
    one, other, twin = (SPACE.from_source(f"{body.format(by)}    return u, v1, v2\n") for by in ("lr", "0.5", "lr"))
    hard, gentle = SPACE.probe(one)
    assert np.isfinite(hard).mean() < 0.2
    assert np.isfinite(gentle).all()
    np.testing.assert_array_equal(hard, SPACE.probe(other)[0])
    assert hashing.numeric_key(SPACE, one) == hashing.numeric_key(SPACE, twin) != hashing.numeric_key(SPACE, other)


@pytest.mark.parametrize("sizes", [[1], [1, 1], [5], [3, 4, 1]])
def test_sums_of_all_steps_at_once(sizes):
    """A layout adds up the last axis: for rows of many steps as for the row of one."""
    layout = FlatLayout(sizes)
    x = np.random.default_rng(1).normal(size=(3, layout.size))
    for kind in range(3):
        for sums in (layout.total, layout.per_tensor):
            together = np.broadcast_to(sums(x, kind), x.shape)
            np.testing.assert_array_equal(together, [np.broadcast_to(sums(row, kind), x.shape[1:]) for row in x])
