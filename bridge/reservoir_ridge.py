"""MagBridge-Embed, the 171 features of the quantum reservoir, with a linear readout: a ranked model.

    magbridge benchmark run --model reservoir-ridge

The embedding belongs to the bridge, which the benchmark never imports, so the bridge supplies the model.
"""

import numpy as np

from benchmark import Model
from benchmark.tasks import Task
from bridge import upstream
from bridge.v1 import reservoir


def readout(seed: int, task: Task):
    """Return a ridge regressor or classifier whose penalty is chosen on the training rows."""
    from sklearn.linear_model import RidgeClassifierCV, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    penalties = np.logspace(-1, 4, 11)
    ridge = RidgeCV(penalties) if task.is_regression else RidgeClassifierCV(penalties, class_weight="balanced")
    return make_pipeline(StandardScaler(), ridge)


def reservoir_ridge() -> Model:
    """Return the model, which embeds each row once, however many fits see it.

    Angles are scaled as those of the upstream that `bridge.upstream.resolve` finds.
    """
    scaler = upstream.resolve().angle_scaler
    embedded: dict[bytes, np.ndarray] = {}

    def embedding(signals):
        new = [i for i, x in enumerate(signals) if x.tobytes() not in embedded]
        if new:
            features = reservoir.embed(signals[new], scaler.mean, scaler.std)
            embedded.update(zip((signals[i].tobytes() for i in new), features))
        return np.stack([embedded[x.tobytes()] for x in signals])

    return Model(
        "reservoir-ridge",
        ("t1", "t2", "t3", "t4"),
        readout,
        "Ridge on the 171 features of the quantum reservoir, penalty chosen by leave-one-out on the training rows.",
        embedding,
    )
