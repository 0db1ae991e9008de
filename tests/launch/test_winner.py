"""The winner leaves as something usable: best/optimizer.py needs jax and optax, and nothing of ours."""

import ast
import json
import subprocess
import sys
from pathlib import Path

from launch_helpers import Finished, environment

# An ordinary optax training loop on scikit-learn's digits; isozyme cannot be imported.
_LOOP = """
import sys
sys.modules["isozyme"] = None
try:
    import isozyme
except ImportError:
    pass
else:
    raise SystemExit("isozyme is here")

import importlib.util
import json
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

spec = importlib.util.spec_from_file_location("found_optimizer", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

digits = load_digits()
inputs, targets = digits.images.reshape(-1, 64) / 16, digits.target
rng = np.random.default_rng(0)
params = {
    "hidden": {"w": jnp.asarray(rng.normal(size=(64, 32)) / 8, jnp.float32), "b": jnp.zeros(32)},
    "out": {"w": jnp.asarray(rng.normal(size=(32, 10)) / 6, jnp.float32), "b": jnp.zeros(10)},
}

def loss(params, x, y):
    hidden = jax.nn.relu(x @ params["hidden"]["w"] + params["hidden"]["b"])
    logits = hidden @ params["out"]["w"] + params["out"]["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

STEPS = 50
rate = {"schedule": optax.warmup_cosine_decay_schedule(0.0, 1.0, 5, STEPS), "number": 0.5}[sys.argv[2]]
optimizer = module.optimizer(rate)
assert isinstance(optimizer, optax.GradientTransformation)
optimizer = optax.chain(optax.identity(), optimizer)  # It composes.
state = optimizer.init(params)

@jax.jit
def step(params, state, x, y):
    gradients = jax.grad(loss)(params, x, y)
    updates, state = optimizer.update(gradients, state, params)
    return optax.apply_updates(params, updates), state

before = float(loss(params, inputs, targets))
for _ in range(STEPS):
    rows = rng.integers(len(inputs), size=64)
    params, state = step(params, state, inputs[rows], targets[rows])
print(json.dumps([before, float(loss(params, inputs, targets))]))
"""


def test_it_imports_jax_optax_and_typing_only(finished: Finished) -> None:
    """Whoever copies the file needs nothing else."""
    tree = ast.parse((finished.folder / "best" / "optimizer.py").read_text())
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            roots.add((node.module or "").split(".")[0])
    assert roots == {"jax", "optax", "typing"}
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert [argument.arg for argument in functions["optimizer"].args.args] == ["learning_rate"]


def test_it_tells_which_program_it_is(finished: Finished) -> None:
    """The searched program stands in its docstring."""
    card = json.loads((finished.folder / "best" / "card.json").read_text())
    docstring = ast.get_docstring(ast.parse((finished.folder / "best" / "optimizer.py").read_text()), clean=False)
    assert docstring is not None
    assert card["candidate"] in docstring


def test_it_trains_in_an_ordinary_loop(finished: Finished, tmp_path: Path) -> None:
    """jit, nested parameters, optax.chain, a schedule or a number as learning rate: the loss goes down."""
    for rate in ("schedule", "number"):
        done = subprocess.run(
            [sys.executable, "-I", "-c", _LOOP, str(finished.folder / "best" / "optimizer.py"), rate],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        before, after = json.loads(done.stdout)
        assert after < 0.9 * before, (rate, before, after)
