"""The metrics of the MagBridge-Battery benchmark as an `evaluate` module, one configuration per task."""

import datasets
import evaluate

from .scores import TASKS, checked, numbers, score

DESCRIPTION = """\
Scores of the MagBridge-Battery tasks: t1, SOH regression (R2, MAE); t2, second-life class (balanced accuracy, F1 and
ROC AUC of reuse); t3, anomaly detection in three classes (balanced accuracy, recalls, ROC AUC of Regime-B against
grounded rows, which is a sanity check and never the headline); t4, anomaly subtype (balanced accuracy, recalls). On
v3: t5, defect class (balanced accuracy, recalls, ROC AUC of healthy cells); t6, place of a defect (median error in mm,
share within 10 mm); t7, gradient of resistance through the stack; t8 and t9, SOH at unknown and known charge (R2, MAE).
"""

CITATION = """\
@article{magbridge2026,
  title = {MagBridge-Battery},
  journal = {arXiv preprint arXiv:2605.20240},
  year = {2026}
}
"""

INPUTS = """
Args:
    predictions: numbers (t1, t7 to t9), label strings (t2 to t5) or pairs of x and y in mm (t6), one per row.
    references: values of the same kind.
    scores: optional, for t2, t3 and t5: one number per row; higher means more likely `reuse` (t2),
        `bridge_extrapolation` (t3) or `none` (t5); adds the ROC AUC.
Returns:
    Metric name to unrounded value.
Example:
    >>> metric = evaluate.load("magbridge_metric", "t1")
    >>> metric.compute(predictions=[0.9, 0.8], references=[0.9, 0.8])
    {'r2': 1.0, 'mae': 0.0}
"""


class MagbridgeMetric(evaluate.Metric):
    """Metrics of one task; the configuration name is the task id."""

    _scores = None
    """Scores of the batches added; `evaluate` stores only the declared features, and scores are optional."""

    def _info(self):
        if self.config_name not in TASKS:
            raise ValueError(
                f"unknown task {self.config_name!r}: expected one of {', '.join(TASKS)}, "
                'as in evaluate.load("magbridge_metric", "t1")'
            )
        spec = TASKS[self.config_name]
        value = datasets.Value("string" if spec.labels else "float64")
        if spec.second is not None:
            value = datasets.List(value, length=2)
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": value, "references": value}),
            reference_urls=["https://arxiv.org/abs/2605.20240"],
        )

    def add_batch(self, *, predictions=None, references=None, scores=None, **kwargs):
        """Check and add rows; the cast to the features would silently turn numbers into labels or text."""
        spec = TASKS[self.config_name]
        rows = {
            name: checked(spec, values, name).tolist()
            for name, values in (("predictions", predictions), ("references", references))
        }
        if len(rows["predictions"]) != len(rows["references"]):
            raise ValueError(
                f"{len(rows['predictions'])} predictions for {len(rows['references'])} references: "
                "expected one prediction per reference"
            )
        if scores is not None:
            self._scores = [*(self._scores or ()), *numbers(scores, "scores")]
        return super().add_batch(**rows, **kwargs)

    def add(self, *, prediction=None, reference=None, **kwargs):
        """Add one row; `evaluate.combine` names its values as `add_batch` does."""
        row = {"predictions": prediction, "references": reference, **kwargs}
        return self.add_batch(**{name: [value] for name, value in row.items()})

    def _compute(self, predictions, references, scores=None):
        added, self._scores = self._scores, None
        return score(TASKS[self.config_name], references, predictions, added if scores is None else scores)
