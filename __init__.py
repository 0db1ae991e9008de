"""Isozyme: AutoML by evolutionary program search that pays for each behaviour once."""

__version__ = "0.1.0"
