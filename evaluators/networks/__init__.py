"""Networks as `spaces/networks/` describes them, made trainable: pure functions of weights, alone or masked.

Needs jax. An evaluator imports it once its process is set up (`evaluators/process.py`).
"""

from isozyme.evaluators.networks.functions import Weights, apply, initial, narrowed

__all__ = ["Weights", "apply", "initial", "narrowed"]
