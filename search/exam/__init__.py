"""Do algorithms behave? The exam, and the toy search that it is held on.

May import `search/{protocol,objectives,randomness}` and no other wing: the exam sees algorithms, not how runs are made.
"""

from isozyme.search.exam.exam import examine

__all__ = ["examine"]
