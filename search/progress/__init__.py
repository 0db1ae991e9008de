"""What displays read: counts, the Pareto front, and what each operator is worth.

May import `search/protocol.py` and `search/objectives.py`.
"""
