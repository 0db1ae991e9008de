"""What images and text become in memory, whatever data set they come from."""

from typing import Any, NamedTuple


class Examples(NamedTuple):
    """Inputs [rows, …] and integer targets [rows] or [rows, context], and the number of classes of a target."""

    inputs: Any
    targets: Any
    classes: int
