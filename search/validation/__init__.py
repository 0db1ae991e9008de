"""Is it really better? Held-out assessments, paired tests, the funnel, simplification, meta-validation.

May import `journal`, `executors`, `progress` and `controller`.
"""
