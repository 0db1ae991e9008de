"""PyGlove both ways: its algorithms for our controller, ours for `pg.sample`, and the backend 'isozyme'.

Importing this module registers the backend.
"""

from isozyme.search.tuning.algorithm import PyGloveAlgorithm
from isozyme.search.tuning.backend import IsozymeBackend
from isozyme.search.tuning.generator import generator
from isozyme.search.tuning.result import StudyResult

__all__ = ["IsozymeBackend", "PyGloveAlgorithm", "StudyResult", "generator"]
