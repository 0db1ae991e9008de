"""The exam for spaces, and what the exam for evaluators shares with it: rounds of checks, and another process.

It imports from `spaces/` and `hashing/` only.
"""

from isozyme.spaces.exam.exam import examine

__all__ = ["examine"]
