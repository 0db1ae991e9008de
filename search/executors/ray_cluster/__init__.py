"""Evaluates on Ray: the executor, its workers and their evaluation processes.

This room and the command line's check of `--address` are all that knows Ray. May import `search/executors`.
"""
