"""Do algorithms behave? The exam, and the toy search that it is held on.

May import `search/protocol.py` and `algorithms`.
"""

from isozyme.search.exam.exam import examine

__all__ = ["examine"]
