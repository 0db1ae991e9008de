"""PyGlove both ways: its algorithms for our controller, ours for `pg.sample`, and the backend 'isozyme'.

Importing this module registers the backend.
"""

from isozyme.search.pyglove_bridge.algorithm import PyGloveAlgorithm
from isozyme.search.pyglove_bridge.backend import IsozymeBackend
from isozyme.search.pyglove_bridge.generator import generator
from isozyme.search.pyglove_bridge.result import StudyResult

__all__ = ["IsozymeBackend", "PyGloveAlgorithm", "StudyResult", "generator"]
