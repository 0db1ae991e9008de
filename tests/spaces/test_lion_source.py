"""Programs as text: lossless both ways, exactly the space's own statements, nothing executed."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.spaces import InvalidCandidate
from isozyme.spaces.lion import NAMED, OPERATIONS, OptimizerPrograms

HEAD = "def train(w, g, v1, v2, lr):\n"
TAIL = "    return u, v1, v2\n"
SPACE = OptimizerPrograms()


@given(seed=st.integers(0, 2**32), steps=st.integers(0, 60))
def test_round_trip(seed, steps):
    """A candidate survives its text, and a text that was written survives its candidate."""
    rng = np.random.default_rng(seed)
    candidate = SPACE.random(rng) if seed % 2 else NAMED["lion"]
    for _ in range(steps):
        candidate = SPACE.mutate(candidate, rng)
    text = SPACE.to_source(candidate)
    assert SPACE.from_source(text) == candidate
    assert SPACE.to_source(SPACE.from_source(text)) == text


@pytest.mark.parametrize("number", [0.0, -0.0, 1e-300, 5e-324, 0.1 + 0.2, -1e10, 1e10, math.pi, 1 / 3])
def test_literals_are_lossless(number):
    text = f"{HEAD}    u = g * {number!r}\n{TAIL}"
    (found,) = (a for a in SPACE.from_source(text).statements[0].arguments if not isinstance(a, str))
    assert (found, math.copysign(1, found)) == (number, math.copysign(1, number))
    assert SPACE.to_source(SPACE.from_source(text)) == text


def test_written_by_hand():
    """Comments, spacing, integers, reused names and returned inputs are fine."""
    body = "    g = g*2   # double\n    g = max(g, -1)\n    return (g, v1, w)\n"
    text = f"# mine\ndef train( w,g, v1, v2,lr ) :\n\n{body}"
    candidate = SPACE.from_source(text)
    assert SPACE.to_source(candidate) == f"{HEAD}    g = g * 2.0\n    g = max(g, -1.0)\n    return g, v1, w\n"
    assert SPACE.from_source(f"{HEAD}    return g, v1, v2\n").statements == ()


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_every_function_can_be_written(name):
    arity = OPERATIONS[name].arity
    arguments = ["w", "0.5"] if name == "clip_by_global_norm" else ["w", "g", "lr"][:arity]
    call = f" {name} ".join(arguments) if name in "+-*/" else f"{name}({', '.join(arguments)})"
    candidate = SPACE.from_source(f"{HEAD}    x = {call}\n    return g, v1, v2\n")
    assert candidate.statements[0].operation == name
    assert SPACE.from_source(SPACE.to_source(candidate)) == candidate


BODY = {
    "a function outside the space": "u = relu(g)",
    "the release's alias": "u = interp(g, v1, 0.9)",
    "another module": "u = np.sign(g)",
    "dunder import": "u = __import__('os').system('true')",
    "eval": "u = eval('g')",
    "undefined name": "u = x * g",
    "used before it is defined": "u = a * g\n    a = g",
    "plain copy": "u = g",
    "plain number": "u = 0.5",
    "nested call": "u = sign(sign(g))",
    "nested infix": "u = g * g + w",
    "unary minus": "u = -g",
    "power operator": "u = g ** 2",
    "too few arguments": "u = max(g)",
    "too many arguments": "u = sign(g, g)",
    "keyword": "u = clip_by_global_norm(g, c=1.0)",
    "star": "u = max(*g)",
    "text literal": "u = g * 'a'",
    "bool literal": "u = g * True",
    "none": "u = g * None",
    "complex": "u = g * 1j",
    "huge": "u = g * 1e11",
    "infinite": "u = g * 1e999",
    "huge integer": f"u = g * 1{'0' * 400}",
    "augmented": "u = sign(g)\n    u += g",
    "annotated": "u: float = sign(g)",
    "two targets": "u = y = sign(g)",
    "tuple target": "u, y = sign(g)",
    "attribute target": "g.x = sign(g)\n    u = sign(g)",
    "shadowed function": "sign = square(g)\n    u = sign(g)",
    "function as a value": "u = g * sign",
    "if": "if lr:\n        u = sign(g)",
    "for": "for u in g:\n        u = sign(g)",
    "import": "import os\n    u = sign(g)",
    "docstring": "'a text'\n    u = sign(g)",
    "early return": "return g, v1, v2\n    u = sign(g)",
    "lambda": "u = (lambda: g)()",
    "walrus": "u = sign((x := g))",
    "scalar update": "u = lr * 2.0",
    "tree of scalars as update": "u = norm(g)",
    "tree as limit": "u = clip_by_global_norm(g, w)",
    "subscript": "u = g[0] * g",
    "a long sum": "u = " + "+".join(["g"] * 900),
    "many signs": "u = sign(" + "-" * 900 + "g)",
    "an integer too long to print": "u = g ** 0x" + "f" * 5000,
    "a text over two lines": "u = g * '''a\nb'''",
    "what nobody may assign": "__debug__ = sign(g)\n    u = g * g",
}


@pytest.mark.parametrize("body", BODY.values(), ids=BODY.keys())
def test_statements_outside_the_space(body):
    with pytest.raises(InvalidCandidate) as error:
        SPACE.from_source(f"{HEAD}    {body}\n{TAIL}")
    assert str(error.value)
    assert "\n" not in str(error.value)


WHOLE = {
    "nothing": "",
    "no function": "u = 1",
    "two functions": f"{HEAD}    return g, v1, v2\n{HEAD}    return g, v1, v2\n",
    "code beside": f"import os\n{HEAD}    return g, v1, v2\n",
    "other name": "def step(w, g, v1, v2, lr):\n    return g, v1, v2\n",
    "other parameters": "def train(w, g, m, v, lr):\n    return g, m, v\n",
    "default value": "def train(w, g, v1, v2, lr=print('x')):\n    return g, v1, v2\n",
    "annotation": "def train(w, g, v1, v2, lr) -> int:\n    return g, v1, v2\n",
    "decorator": f"@print\n{HEAD}    return g, v1, v2\n",
    "async": f"async {HEAD}    return g, v1, v2\n",
    "no return": f"{HEAD}    u = sign(g)\n",
    "returns two": f"{HEAD}    return g, v1\n",
    "returns four": f"{HEAD}    return g, v1, v2, w\n",
    "returns an expression": f"{HEAD}    return sign(g), v1, v2\n",
    "returns a number": f"{HEAD}    return g, v1, 0.0\n",
    "not Python": "def train(w, g",
    "null byte": "def\0train",
    "deep nesting": HEAD + "    u = " + "(" * 5000 + "g" + ")" * 5000 + "\n" + TAIL,
    "indentation": "  def train(w, g, v1, v2, lr):\n return g, v1, v2",
    "enormous": "#" * 2_000_000,
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE.keys())
def test_texts_outside_the_space(text):
    with pytest.raises(InvalidCandidate):
        SPACE.from_source(text)


def test_nothing_is_executed(tmp_path):
    """Reading compiles nothing: no audit event of compiling to code, executing, importing or opening files."""
    seen = []
    watching = True

    def hook(event, arguments):
        if watching and event in ("exec", "import", "open", "os.system", "subprocess.Popen"):
            seen.append((event, arguments))

    sys.addaudithook(hook)
    for text in [*WHOLE.values(), *(f"{HEAD}    {body}\n{TAIL}" for body in BODY.values())]:
        with pytest.raises(InvalidCandidate):
            SPACE.from_source(text)
    watching = False
    assert not [event for event in seen if event[0] != "open"]
