"""The tab *Pareto* of TensorBoard: a plugin that reads the run folders below the log folder (docs/pareto.md)."""
