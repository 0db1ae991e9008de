"""The one path that a trial takes, from proposal to feedback.

May import `journal`, `executors`, `progress` and `accounting`, and knows algorithms by their protocol only.
"""
