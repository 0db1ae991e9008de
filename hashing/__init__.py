"""Equivalence of candidates: canonical keys, numeric fingerprints and the cache that spares re-evaluation.

Two functions that compute the same share a key, however they are written:

>>> import numpy as np
>>> from isozyme import hashing
>>> def leaky(x, y):
...     return np.maximum(x, 0.1 * x) + y
>>> def branched(x, y):
...     return y + np.where(x > 0, x, x / 10)
>>> shapes = [(4,), (4,)]
>>> hashing.callable_key(leaky, shapes) == hashing.callable_key(branched, shapes)
True

A static key is found without computing anything. It is blind to names, to the order of statements and of commutative
operands and to dead code, and no more. A computation graph has the key of the function that it computes:

>>> add = hashing.static_callable_key(lambda x, y: x + 2 * y, 2)
>>> add == hashing.static_callable_key(lambda a, b: b * 2.0 + a, 2), add == hashing.static_callable_key(leaky, 2)
(True, False)
>>> nodes = [hashing.input_node(0), hashing.input_node(1), hashing.constant_node(2.0)]
>>> nodes += [hashing.Node("mul", (1, 2), commutative=True), hashing.Node("add", (0, 3), commutative=True)]
>>> operations = {"add": np.add, "mul": np.multiply}
>>> hashing.graph_key(nodes, [4], operations, shapes) == hashing.callable_key(lambda x, y: x + y + y, shapes)
True

A program carries a state from step to step, here an average of the gradient:

>>> def momentum(inputs, state):
...     average = 0.9 * state[0] + 0.1 * inputs[0]
...     return average, [average]
>>> def rescaled(inputs, state):
...     total = state[0] + inputs[0]
...     return total / 10, [0.9 * total]
>>> hashing.program_key(momentum, [(4,)], [(4,)]) == hashing.program_key(rescaled, [(4,)], [(4,)])
True

Anything else that runs has `probe_key`: pass what runs it on inputs of your own. All keys are made of `digest` and
`fingerprint`; `unified_hash` is the hash of the paper's release (arXiv 2302.05433).
"""

from isozyme.hashing.behaviour import behaviour, probe_key
from isozyme.hashing.cache import Claim, EquivalenceCache
from isozyme.hashing.callables import callable_key
from isozyme.hashing.dataflow import Node, constant_node, graph_digest, input_node
from isozyme.hashing.digest import digest, fingerprint
from isozyme.hashing.graphs import evaluate, graph_key
from isozyme.hashing.inputs import hard_inputs
from isozyme.hashing.isomorphism import isomorphism_digest
from isozyme.hashing.keys import behaviour_key, numeric_key, static_key
from isozyme.hashing.mixer import unified_hash
from isozyme.hashing.programs import program_key
from isozyme.hashing.tracing import static_callable_key, trace

__all__ = [
    "Claim",
    "EquivalenceCache",
    "Node",
    "behaviour",
    "behaviour_key",
    "callable_key",
    "constant_node",
    "digest",
    "evaluate",
    "fingerprint",
    "graph_digest",
    "graph_key",
    "hard_inputs",
    "input_node",
    "isomorphism_digest",
    "numeric_key",
    "probe_key",
    "program_key",
    "static_callable_key",
    "static_key",
    "trace",
    "unified_hash",
]
