"""What tests of feasible sets share: the paper's widths, random logits, enumeration."""

import itertools
import math

import numpy as np

WIDTHS = [8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 384, 512]


def normal(seed, sizes, scale=1.0):
    rng = np.random.default_rng(seed)
    return [scale * rng.normal(size=size) for size in sizes]


def softmax(row):
    powers = np.exp(row - np.max(row))
    return powers / powers.sum()


def enumerated(logits, cost, limit):
    """log P(V), its gradient as conditional minus unconditional expectation, and the most probable feasible choices."""
    p = [softmax(row) for row in logits]
    ways = [way for way in itertools.product(*map(range, map(len, p))) if cost(way) <= limit]
    chances = [math.prod(row[choice] for row, choice in zip(p, way, strict=True)) for way in ways]
    total = math.fsum(chances)
    gradient = [-row for row in p]
    for way, chance in zip(ways, chances, strict=True):
        for row, choice in zip(gradient, way, strict=True):
            row[choice] += chance / total
    return math.log(total), gradient, ways[int(np.argmax(chances))]


def assert_close(found, expected, tolerance=1e-9):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)
