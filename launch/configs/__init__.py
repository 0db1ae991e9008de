"""Experiments. Each file's docstring names the paper, the command, the time it takes and the number it reaches.

A file registers the patches that only its family understands.
"""
