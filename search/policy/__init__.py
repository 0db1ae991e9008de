"""Policy gradients: the policy over choices, its step, rewards, limits and memory, and learners that take the step.

May import `spaces/` {`protocol`, `abilities`, `choices`, `costs`, `limits`} and `evaluators/protocol.py`, and nothing
else of the search. Nothing is imported here: jax comes only with the files that need it.
"""
