"""Tests whether a found candidate is really better: held-out assessment, paired tests, funnel, simplification, looks.

May import `journal`, `executors`, `progress` and `controller`.
"""
