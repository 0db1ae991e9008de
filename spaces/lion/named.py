"""Published optimizers as points of the space (lion.md, sections 4, 9 and 10); `lr` is a schedule that peaks at 1."""

from isozyme.spaces.lion.program import Program
from isozyme.spaces.lion.source import from_source

_ADAMW = """
def train(w, g, v1, v2, lr):
    g2 = square(g)
    m = interpolate(g, v1, {beta1!r})
    v = interpolate(g2, v2, {beta2!r})
    s = sqrt(v)
    u = m / s
    wd = w * {decay!r}
    u = u + wd
    lr = lr * {rate!r}
    u = u * lr
    return u, m, v
"""


def adamw(rate: float, decay: float, beta1: float = 0.9, beta2: float = 0.999) -> str:
    """AdamW's source with these constants, for a start that is tuned for the tasks of a search."""
    return _ADAMW.format(rate=rate, decay=decay, beta1=beta1, beta2=beta2)


_SOURCES = {
    # Where the paper's search starts. Bias correction needs a step counter, which the space does not have.
    "adamw": adamw(0.001, 0.01),
    # Against AdamW: a rate three times smaller and a decay three times larger (section 10: 3 to 10 times).
    "lion": """
def train(w, g, v1, v2, lr):
    c = interpolate(g, v1, 0.9)
    u = sign(c)
    wd = w * 0.03
    u = u + wd
    m = interpolate(g, v1, 0.99)
    lr = lr * 0.0003
    u = u * lr
    return u, m, v2
""",
    "sgd_momentum": """
def train(w, g, v1, v2, lr):
    d = v1 * 0.9
    m = g + d
    lr = lr * 0.1
    u = m * lr
    return u, m, v2
""",
    "signsgd": """
def train(w, g, v1, v2, lr):
    s = sign(g)
    lr = lr * 0.001
    u = s * lr
    return u, v1, v2
""",
    "rmsprop": """
def train(w, g, v1, v2, lr):
    g2 = square(g)
    v = interpolate(g2, v1, 0.9)
    s = sqrt(v)
    u = g / s
    lr = lr * 0.001
    u = u * lr
    return u, v, v2
""",
    # The program evolution found, before its authors simplified it to Lion: 12 statements, the 11th dead in effect.
    "discovered": """
def train(w, g, v1, v2, lr):
    g = clip_by_global_norm(g, lr)
    g = arcsin(g)
    m = interpolate(g, v2, 0.899)
    m2 = m * m
    v = interpolate(g, m, 1.109)
    a = sqrt(m2)
    u = m / a
    wd = w * 0.4602
    u = u + wd
    lr = lr * 0.0002
    m = cosh(u)
    u = u * lr
    return u, m, v
""",
}

NAMED: dict[str, Program] = {name: from_source(text) for name, text in _SOURCES.items()}
