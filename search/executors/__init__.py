"""Where jobs run: what an executor is asked and answers, and three of them: this process, simulated, Ray.

May import `search/objectives.py`.
"""
