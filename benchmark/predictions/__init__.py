"""Predictions as files: read as people make them, scored, and written as an entry of the board."""

from benchmark.predictions.entry import save_entry
from benchmark.predictions.scored import score_predictions, write_predictions

__all__ = ["save_entry", "score_predictions", "write_predictions"]
