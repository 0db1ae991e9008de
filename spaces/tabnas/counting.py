"""How large a feed-forward network is."""

from collections.abc import Sequence
from itertools import pairwise


def parameters(widths: Sequence[int], inputs: int, outputs: int) -> int:
    """Weights and biases: Σ (h_i + 1) h_{i+1} from inputs over widths to outputs (tabnas.md, section 2)."""
    sizes = (inputs, *widths, outputs)
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))
