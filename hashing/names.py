"""Names of classes and functions that do not change when the code moves to another file."""

from typing import Any

import pyglove as pg


def stable_name(value: Any) -> str:
    """Names a class or function, or the class of any other object, the same in every process.

    A symbolic class that declares a serialization key, as all of this package do, bears it wherever it stands;
    all else is named by its module and qualified name.
    """
    thing = value if hasattr(value, "__qualname__") else type(value)
    if isinstance(thing, type) and issubclass(thing, pg.Object):
        return str(thing.__serialization_key__)
    return f"{getattr(thing, '__module__', None)}.{thing.__qualname__}"
