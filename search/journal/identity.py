"""To which search a run folder belongs: its identity is plain JSON, which a later session compares with its own."""

from typing import Any


def difference(known: Any, own: Any, path: str = "") -> str | None:
    """Returns where two identities differ first and what stands there, in a few words; None if they are equal.

    >>> difference({"seed": 3, "space": [1, 2]}, {"seed": 3, "space": [1, 4]})
    'space[1] was 2, now 4'

    Args:
      known: of the folder, plain JSON.
      own: of this session, plain JSON.
      path: where both stand in what they are part of.
    """
    if isinstance(known, dict) and isinstance(own, dict):
        parts = [(f"{path}.{key}".lstrip("."), known.get(key), own.get(key)) for key in {**known, **own}]
    elif isinstance(known, list) and isinstance(own, list) and len(known) == len(own):
        parts = [(f"{path}[{i}]", *pair) for i, pair in enumerate(zip(known, own, strict=True))]
    else:
        return None if known == own else f"{path} was {known!r:.60}, now {own!r:.60}"
    return next((found for place, old, new in parts if (found := difference(old, new, place))), None)
