"""The one path that a trial takes, from proposal to feedback.

May import `journal`, `executors`, `progress`, `accounting` and the files beside the wings (`rules`, `hurdles`, …), and
knows algorithms by their protocol only.
"""
