"""Runs evaluations: what an executor is asked and answers, and three executors: this process, simulated, Ray.

Only `ray_cluster/` knows Ray. May import `search/rules.py` and `search/objectives.py`.
"""
