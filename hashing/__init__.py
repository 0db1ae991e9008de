"""Equivalence of candidates: canonical keys, numeric fingerprints and the cache that spares re-evaluation."""

from isozyme.hashing.cache import Claim, EquivalenceCache
from isozyme.hashing.dataflow import Node, graph_digest
from isozyme.hashing.digest import digest, fingerprint
from isozyme.hashing.keys import behaviour_key, numeric_key, static_key

__all__ = [
    "Claim",
    "EquivalenceCache",
    "Node",
    "behaviour_key",
    "digest",
    "fingerprint",
    "graph_digest",
    "numeric_key",
    "static_key",
]
