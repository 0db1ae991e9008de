"""What can be searched. One folder per family, with the same file names in each."""

from isozyme.spaces.protocol import InvalidCandidate, Space

__all__ = ["InvalidCandidate", "Space"]
