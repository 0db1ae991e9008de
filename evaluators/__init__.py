"""What a candidate is worth: real data, training, measurement."""

from isozyme.evaluators.protocol import DataUnavailable, Evaluator, Job, Outcome, Status

__all__ = ["DataUnavailable", "Evaluator", "Job", "Outcome", "Status"]
