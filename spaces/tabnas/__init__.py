"""Widths of feed-forward networks on tables (TabNAS, arXiv 2204.07615)."""

from isozyme.spaces.tabnas.lowering import feed_forward, parameters
from isozyme.spaces.tabnas.named import NAMED, WIDTHS
from isozyme.spaces.tabnas.space import FeedForward

__all__ = ["NAMED", "WIDTHS", "FeedForward", "feed_forward", "parameters"]
