"""The metrics of the MagBridge-Battery benchmark as an `evaluate` module, one configuration a task."""

import datasets
import evaluate

from .scores import TASKS, classes, numbers, score

DESCRIPTION = """\
Scores of the MagBridge-Battery tasks: t1, SOH regression (R2, MAE); t2, second-life class (balanced accuracy, F1 and
ROC AUC of reuse); t3, anomaly detection in three classes (balanced accuracy, recalls, ROC AUC of Regime-B against
grounded rows, which is a sanity check and never the headline); t4, anomaly subtype (balanced accuracy, recalls).
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
    predictions: numbers (t1) or label strings (t2 to t4), one a row.
    references: the same kind.
    scores: optional, t2 and t3: one number a row, higher meaning more likely `reuse` (t2) or
        `bridge_extrapolation` (t3); adds the ROC AUC.
Returns:
    Metric name to unrounded value.
Example:
    >>> metric = evaluate.load("magbridge_metric", "t1")
    >>> metric.compute(predictions=[0.9, 0.8], references=[0.9, 0.8])
    {'r2': 1.0, 'mae': 0.0}
"""


class MagbridgeMetric(evaluate.Metric):
    """Metrics of one task; the configuration name is the task id."""

    def _info(self):
        if self.config_name not in TASKS:
            raise ValueError(
                f"unknown task {self.config_name!r}: expected one of {', '.join(TASKS)}, "
                'as in evaluate.load("magbridge_metric", "t1")'
            )
        value = datasets.Value("string" if TASKS[self.config_name].labels else "float64")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": value, "references": value}),
            reference_urls=["https://arxiv.org/abs/2605.20240"],
        )

    def add_batch(self, *, predictions=None, references=None, **kwargs):
        """Adds rows after checking them: the cast to the features would turn numbers into labels or text in silence."""
        spec = TASKS[self.config_name]
        checked = {}
        for name, values in (("predictions", predictions), ("references", references)):
            checked[name] = (classes(values, name, spec.labels) if spec.labels else numbers(values, name)).tolist()
        if len(checked["predictions"]) != len(checked["references"]):
            raise ValueError(
                f"{len(checked['predictions'])} predictions for {len(checked['references'])} references: "
                "expected one prediction a reference"
            )
        return super().add_batch(**checked, **kwargs)

    def add(self, *, prediction=None, reference=None, **kwargs):
        """Adds one row."""
        return self.add_batch(predictions=[prediction], references=[reference], **kwargs)

    def _compute(self, predictions, references, scores=None):
        return score(TASKS[self.config_name], references, predictions, scores)
