"""Predictions files: reading the common formats, scoring, and writing entries of the board."""

from benchmark.predictions.entry import save_entry
from benchmark.predictions.scored import score_predictions, write_predictions

__all__ = ["save_entry", "score_predictions", "write_predictions"]
