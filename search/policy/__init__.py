"""Policy gradients: a factorised policy over choices, rewards, baselines, estimators and a memory.

Nothing is imported here, so that jax is imported only with the files that need it: `policy`, `baselines`, `estimators`,
`schedules`.
"""
