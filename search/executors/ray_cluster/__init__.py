"""Evaluation on Ray: with the command line's probe of an address, all that knows it."""
