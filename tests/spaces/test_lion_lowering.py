"""Lowered instructions and exported files mean what the program means."""

import ast
import types
from io import BytesIO

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isozyme.spaces.lion import NAMED, FlatLayout, OptimizerPrograms, build, remove_dead, step_function
from isozyme.spaces.lion.lowering import (
    INSTRUCTIONS,
    KIND,
    OPERANDS,
    OPERATION,
    SMALLEST_CAPACITY,
    TARGET,
    arity,
)

SPACE = OptimizerPrograms()
SIZES = [3, 4, 1]


def interpret(lowered, w, gradients, rates):
    """A second interpreter of the instructions, in numpy: weights after each step."""
    layout = FlatLayout(SIZES)
    registers = np.repeat(lowered.registers[:, None], layout.size, axis=1)
    registers[0] = w
    weights = []
    for g, lr in zip(gradients, rates, strict=True):
        registers[1], registers[4] = g, lr
        for code in lowered.code[: lowered.length]:
            operation = INSTRUCTIONS[code[OPERATION]]
            rows = [registers[i] for i in code[OPERANDS][: arity(operation)]]
            kind = int(code[KIND])
            if kind == 0 and rows:  # One number, whatever lane it is read from.
                rows = [row[0] for row in rows]
            registers[code[TARGET]] = operation.compute(np, layout, kind, *rows)
        weights.append(registers[0].copy())
    return np.stack(weights)


def direct(program, w, gradients, rates):
    step = step_function(build(program), FlatLayout(SIZES))
    v1 = v2 = np.zeros(len(w))
    weights = []
    for g, lr in zip(gradients, rates, strict=True):
        update, v1, v2 = step(w, g, v1, v2, lr)
        w = w - update
        weights.append(w)
    return np.stack(weights)


def inputs(seed, steps=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=8), rng.normal(size=(steps, 8)), rng.uniform(0.1, 1.0, steps)


def random_walk(seed, steps):
    rng = np.random.default_rng(seed)
    candidate = SPACE.random(rng) if seed % 2 else NAMED["adamw"]
    for _ in range(steps):
        candidate = SPACE.mutate(candidate, rng)
    return candidate


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32), steps=st.integers(0, 60))
def test_instructions_mean_the_program(seed, steps):
    """Registers, in-place states and parallel moves change nothing, for any program."""
    program = random_walk(seed, steps)
    with np.errstate(all="ignore"):
        expected = direct(program, *inputs(seed))
        got = interpret(SPACE.lower(program), *inputs(seed))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.nightly
def test_instructions_mean_the_program_in_long_walks():
    """The same along ten walks of 2,000 mutations, where programs grow to the length cap."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        program = NAMED["adamw"]
        for step in range(2000):
            program = SPACE.mutate(program, rng)
            if step % 5 == 0:
                with np.errstate(all="ignore"):
                    expected = direct(program, *inputs(step))
                    np.testing.assert_array_equal(interpret(SPACE.lower(program), *inputs(step)), expected)


@pytest.mark.parametrize(
    "returned",
    ["v1, v2, v1", "v2, v2, v1", "g, v2, w", "w, w, g", "v1, w, v1", "u, u, u", "v2, u, v1", "v1, g, u", "g, v1, v2"],
)
def test_parallel_moves(returned):
    """States that swap, or are taken from w or g, arrive as if all at once."""
    # Every state is read, so that none is dead.
    text = f"def train(w, g, v1, v2, lr):\n    u = v1 + v2\n    u = u + g\n    z = u * lr\n    return {returned}\n"
    program = SPACE.from_source(text)
    np.testing.assert_array_equal(interpret(SPACE.lower(program), *inputs(1)), direct(program, *inputs(1)))


def test_states_are_computed_in_place():
    """AdamW's nine statements and the step itself are seven instructions, without a copy: three pairs are fused."""
    lowered = SPACE.lower(NAMED["adamw"])
    names = [INSTRUCTIONS[code].name for code in lowered.code[: lowered.length, OPERATION]]
    assert names == ["square", "interpolate", "interpolate", "/sqrt", "*+", "*", "-*"]
    assert lowered.code[1:3, TARGET].tolist() == [2, 3]
    assert lowered.registers.shape == (SMALLEST_CAPACITY,)


def test_capacity_grows_in_powers_of_two():
    # Maxima, since products would be fused into the sums and need no registers of their own.
    lines = "".join(f"    x{i} = max(g, 0.{i + 1:03d})\n" for i in range(90))
    sums = "    u = x0 + x1\n" + "".join(f"    u = u + x{i}\n" for i in range(2, 90))
    program = SPACE.from_source(f"def train(w, g, v1, v2, lr):\n{lines}{sums}    return u, v1, v2\n")
    lowered = SPACE.lower(program)
    assert lowered.code.shape[0] == len(lowered.registers) == 256
    np.testing.assert_array_equal(interpret(lowered, *inputs(2)), direct(program, *inputs(2)))


def load(program):
    """The exported file as a module."""
    text = str(SPACE.export(program)["optimizer.py"])
    module = types.ModuleType("optimizer")
    exec(compile(text, "optimizer.py", "exec"), module.__dict__)
    return module, text


@pytest.mark.parametrize("name", ["adamw", "lion", "discovered"])
def test_the_example_is_what_the_exported_file_does(name):
    """The bytes beside it say what updates the optimizer makes of some gradients."""
    content = SPACE.export(NAMED[name])["example.npz"]
    assert isinstance(content, bytes)
    with np.load(BytesIO(content)) as arrays:
        example = dict(arrays)
    module, _ = load(NAMED[name])
    params = [jnp.asarray(example[f"weights_{part}"], jnp.float32) for part in ("first", "second")]
    rates = jnp.asarray(example["rates"], jnp.float32)
    optimizer = module.optimizer(lambda count: rates[count])
    state = optimizer.init(params)
    for step in range(len(rates)):
        gradients = [jnp.asarray(example[f"gradients_{part}"][step], jnp.float32) for part in ("first", "second")]
        change, state = optimizer.update(gradients, state, params)
        for found, part in zip(change, ("first", "second"), strict=True):
            np.testing.assert_allclose(-found, example[f"updates_{part}"][step], rtol=2e-4, atol=1e-6)
        params = [one + delta for one, delta in zip(params, change, strict=True)]


def exported_weights(module, w, gradients, rates):
    """Weights after each step of the exported optimizer on a tree of three tensors."""
    rates = jnp.asarray(rates)
    optimizer = module.optimizer(lambda count: rates[count])

    def tree(flat):
        return {"a": jnp.asarray(flat[:3]), "b": jnp.asarray(flat[3:7]).reshape(2, 2), "c": jnp.asarray(flat[7])}

    params = tree(w)
    state = optimizer.init(params)
    weights = []
    for g in gradients:
        updates, state = optimizer.update(tree(g), state, params)
        params = jax.tree.map(lambda p, u: p + u, params, updates)
        weights.append(np.concatenate([np.ravel(x) for x in jax.tree.leaves(params)]))
    return np.stack(weights)


@pytest.mark.parametrize("name", list(NAMED))
def test_exported_file_of_published_programs(name):
    with jax.enable_x64(True):
        module, _ = load(NAMED[name])
        got = exported_weights(module, *inputs(3))
    np.testing.assert_allclose(got, direct(NAMED[name], *inputs(3)), rtol=1e-9, atol=1e-12)


def test_exported_file_of_random_programs():
    """100 programs: the same weights as the probe's backend after two steps, where they are finite."""
    compared = 0
    for seed in range(100):
        program = random_walk(seed, 30)
        w, gradients, rates = inputs(seed, 2)
        with jax.enable_x64(True), np.errstate(all="ignore"):
            module, _ = load(program)
            expected, got = direct(program, w, gradients, rates), exported_weights(module, w, gradients, rates)
        tame = np.isfinite(expected).all() and np.abs(expected).max() < 1e3
        if tame:
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
            compared += 1
        else:
            np.testing.assert_array_equal(np.isfinite(got), np.isfinite(expected))
    assert compared > 50


def test_exported_file_imports_only_jax_and_optax():
    for program in (NAMED["discovered"], random_walk(11, 40)):
        tree = ast.parse(str(SPACE.export(program)["optimizer.py"]))
        names = {
            n.split(".")[0] for x in ast.walk(tree) if isinstance(x, ast.Import) for n in (a.name for a in x.names)
        }
        names |= {(x.module or "").split(".")[0] for x in ast.walk(tree) if isinstance(x, ast.ImportFrom)}
        assert names <= {"typing", "jax", "optax"}


def test_exported_file_keeps_live_state_only():
    """Lion's file holds one tensor of state, signsgd's none; names that would clash are renamed."""
    for name, states in (("adamw", ["v1", "v2"]), ("lion", ["v1"]), ("signsgd", []), ("discovered", ["v2"])):
        module, _ = load(NAMED[name])
        assert list(module.State._fields) == ["count", *states]
    text = """
def train(w, g, v1, v2, lr):
    jnp = g * 2.0
    jax = jnp * lr
    sum = norm(jax)
    total0 = global_norm(sum)
    u = jax * total0
    return u, v1, v2
"""
    program = SPACE.from_source(text)
    module, _ = load(program)
    np.testing.assert_allclose(exported_weights(module, *inputs(5)), direct(program, *inputs(5)), rtol=1e-5)


def test_remove_dead_keeps_the_interpreters_instructions():
    program = random_walk(12, 60)
    for one, other in zip(SPACE.lower(program), SPACE.lower(remove_dead(program)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_exported_names_stay_apart():
    """`sum` has to be renamed, and must not become the program's own `sum_`."""
    body = "    sum = sign(g)\n    sum_ = square(g)\n    u = sum * sum_\n"
    text = f"def train(w, g, v1, v2, lr):\n{body}    return u, v1, v2\n"
    program = SPACE.from_source(text)
    module, _ = load(program)
    np.testing.assert_allclose(exported_weights(module, *inputs(6)), direct(program, *inputs(6)), rtol=1e-5, atol=1e-6)
