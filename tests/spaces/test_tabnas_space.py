"""Feed-forward networks as a space: counts of the paper, texts, references, the exported file."""

import itertools
import subprocess
import sys

import jax
import numpy as np
import pyglove as pg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.spaces import InvalidCandidate
from isozyme.spaces.tabnas import NAMED, WIDTHS, FeedForward, parameters
from isozyme.spaces.template import TemplateSpace

CRITEO = FeedForward(1027, 1)
GENES = st.tuples(*[st.integers(0, len(WIDTHS) - 1)] * 3)


def test_parameters_of_the_paper():
    """Fact 10: 32-144-24 on 1027 inputs has 41,153 parameters, and 856 of 8,000 networks have no more."""
    reference = CRITEO.references["tabnas"]
    assert CRITEO.to_source(reference) == "32-144-24"
    assert CRITEO.form(reference) == {"parameters": 41_153.0}
    counts = [CRITEO.form(genes)["parameters"] for genes in itertools.product(range(20), repeat=3)]
    assert len(counts) == 8_000
    assert sum(count <= 41_153 for count in counts) == 856
    assert counts.count(41_153) == 1
    assert max(count for count in counts if count <= 41_153) == 41_153


def test_parameters_of_the_toy():
    """Fact 1: the grid of the toy, two layers of {2, 3, 4} units on two inputs."""
    toy = FeedForward(2, 1, layers=2, widths=[2, 3, 4])
    grid = [[toy.form((a, b))["parameters"] for b in range(3)] for a in range(3)]
    assert grid == [[15, 19, 23], [20, 25, 30], [25, 31, 37]]


@given(GENES)
def test_texts_are_read_back(genes):
    """Canonical form, source and lowered widths say the same; equal widths are the same candidate."""
    text = CRITEO.to_source(genes)
    assert CRITEO.from_source(f"{text}\n") == genes
    assert CRITEO.canonical(genes) == text.encode()
    lowered = CRITEO.lower(genes)
    assert (lowered.dtype, lowered.tolist()) == (np.int32, [WIDTHS[gene] for gene in genes])
    assert CRITEO.form(genes)["parameters"] == parameters(lowered.tolist(), 1027, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("32-144", "2 layers instead of 3"),
        ("32-144-24-8", "4 layers instead of 3"),
        ("32-145-24", "145 is not one of the widths 8, 16"),
        ("32--24", "is not widths"),
        ("-32-8-24", "is not widths"),
        ("", "is not widths"),
        ("[3, 10, 2]", "is not widths"),
        ("32-144-²", "is not widths"),
        ("9" * 5000 + "-8-8", "is not widths"),
    ],
)
def test_what_is_not_in_the_space_is_refused(text, told):
    """In one short line."""
    with pytest.raises(InvalidCandidate, match=told) as error:
        CRITEO.from_source(text)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("genes", [(0, 0), (0, 0, 20), (0, -1, 0), [0, 0, 0], (0, 0, 1.0), "000", None])
def test_invalid_candidates_have_a_reason(genes):
    """Whatever they are."""
    assert isinstance(CRITEO.validate(genes), str)


def test_genes_are_those_of_the_template():
    """What works on template spaces works here: candidates, variation, the template itself."""
    template = TemplateSpace(CRITEO.template)
    for seed in range(50):
        rngs = [np.random.default_rng(seed) for _ in range(2)]
        ours, theirs = [[s.random(rng), s.initial(rng)] for s, rng in zip((CRITEO, template), rngs, strict=True)]
        assert ours == theirs
        assert template.validate(ours[0]) is None
        children = [s.mutate(ours[0], rng) for s, rng in zip((CRITEO, template), rngs, strict=True)]
        assert children[0] == children[1]
        assert sum(a != b for a, b in zip(children[0], ours[0], strict=True)) == 1
        crossed = CRITEO.cross(ours[0], ours[1], rngs[0])
        assert all(gene in pair for gene, pair in zip(crossed, zip(*ours, strict=True), strict=True))
    assert template.size == 8_000


def test_configuration():
    """Survives JSON; widths out of order are refused; the version tells other widths and depths, not other tables."""
    small = FeedForward(7, 3, layers=2, widths=[4, 8])
    again = pg.from_json(small.to_json())
    assert pg.eq(again, small)
    assert again.lower((0, 1)).tolist() == [4, 8]
    versions = [FeedForward(7, 3, n, w).version for n, w in ((2, [4, 8]), (3, [4, 8]), (2, [4, 9]))]
    assert len(set(versions)) == 3
    assert FeedForward(9, 1, 2, [4, 8]).version == versions[0]
    for widths in ([8, 4], [4, 4]):
        with pytest.raises(ValueError, match="ascending order"):
            FeedForward(7, 3, widths=widths)


def test_references_where_they_fit():
    """The paper's network needs three layers and its widths."""
    assert set(FeedForward(10, 2).references) == set(NAMED)
    assert FeedForward(10, 2, layers=2).references == {}
    assert FeedForward(10, 2, widths=[8, 16]).references == {}


def exported(space, folder):
    """The text of `network.py`, written to a folder."""
    ((name, text),) = space.export(space.references["tabnas"]).items()
    assert name == "network.py"
    (folder / name).write_text(text)
    return text


@pytest.mark.parametrize(("inputs", "outputs"), [(1027, 1), (13, 5)])
def test_exported_file_computes_the_network(inputs, outputs, tmp_path):
    """Fact 10's number of parameters; dense layers with ReLU."""
    scope: dict = {}
    exec(exported(FeedForward(inputs, outputs), tmp_path), scope)
    params = scope["init"](jax.random.key(1))
    assert sum(a.size for a in jax.tree.leaves(params)) == parameters((32, 144, 24), inputs, outputs)
    x = np.random.default_rng(0).normal(size=(6, inputs)).astype(np.float32)
    expected = x
    for weight, bias in params[:-1]:
        expected = np.maximum(expected @ np.asarray(weight) + bias, 0)
    expected = expected @ np.asarray(params[-1][0]) + params[-1][1]
    found = scope["apply"](params, x)
    assert found.shape == ((6,) if outputs == 1 else (6, outputs))
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=1e-5, atol=1e-5)


def test_exported_file_needs_jax_only(tmp_path):
    """In a process of its own, away from the checkout."""
    exported(CRITEO, tmp_path)
    script = """
import sys, jax, jax.numpy
before = set(sys.modules)
import network
print({name.partition('.')[0] for name in set(sys.modules) - before} - {'jax'}, network.SIZES)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.stdout == "{'network'} (1027, 32, 144, 24, 1)\n", done.stderr
