"""Ridge regression (Hoerl and Kennard, 1970) in closed form: the read-out of both small families."""

import numpy as np

STRENGTH = 1e-3  # of the penalty on the weights, as a multiple of the number of rows
_CONSTANT = 1e-12  # A column that varies by no more than this share of it is constant, and left out.


def predict(inputs: np.ndarray, targets: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Fits inputs that are scaled to unit variance, with a penalty on the weights, though not on the intercept.

    Args:
      inputs: float64 [rows, columns]; constant columns are left out.
      targets: float64 [rows] or [rows, outputs].
      others: inputs whose targets are wanted, float64 [other rows, columns].

    Returns:
      Predictions, float64 [other rows] or [other rows, outputs].
    """
    means, mean = inputs.mean(axis=0), targets.mean(axis=0)
    centred = inputs - means
    scale = np.sqrt(np.square(centred).mean(axis=0))
    scale = np.where(scale > _CONSTANT * np.abs(inputs).max(axis=0), scale, np.inf)
    centred = centred / scale
    gram = centred.T @ centred
    gram[np.diag_indices_from(gram)] += STRENGTH * len(inputs)
    weights = np.linalg.solve(gram, centred.T @ (targets - mean))
    return (others - means) / scale @ weights + mean
