"""Features of six-channel signals: the static descriptor of 57 statistics, and cosine coefficients."""

import numpy as np

from dataset_card.contract.schema import CHANNELS, T

STATISTICS = ("mean", "std", "min", "max", "range", "median", "energy", "slope", "drift")
"""Statistics of each channel, in this order. `std` is the population std, `energy` is dot(x, x), `slope` is
(x[-1] - x[0]) / T, and `drift` is the mean of the last quarter minus that of the first."""

CORRELATED = ((0, 1), (2, 3), (0, 2))
"""Channel pairs whose correlation is a feature: (s1Y, s1Z), (s2Y, s2Z), (s1Y, s2Y)."""

FEATURE_NAMES = (
    *(f"{channel}_{statistic}" for channel in CHANNELS for statistic in STATISTICS),
    *(f"corr_{CHANNELS[a]}_{CHANNELS[b]}" for a, b in CORRELATED),
)

BLOCK = 256
"""Rows processed at a time: a block of 256 x 100 x 6 float64 and its temporaries fit in the processor's cache."""


def cosine_coefficients(signals: np.ndarray, count: int) -> np.ndarray:
    """Compute the first orthonormal cosine coefficients (DCT-II) of each channel: (n, T, C) to (n, count * C), nT."""
    from scipy.fft import dct

    return dct(signals, axis=1, norm="ortho")[:, :count].reshape(len(signals), -1)


def channels_first(signals: np.ndarray) -> np.ndarray:
    """Return signals with time last, (n, 6, 100), as aeon and most convolutions expect; v3's become one channel."""
    return signals.swapaxes(1, 2) if signals.ndim == 3 else signals[:, None]


def static_features(signals: np.ndarray) -> np.ndarray:
    """Compute the static descriptor of every row (specification: benchmark, static descriptor).

    Args:
        signals: Shape (n, 100, 6), in nT; v3's (n, 681) are returned unchanged.

    Returns:
        Shape (n, 57), float64, columns as in `FEATURE_NAMES`; a correlation with a constant channel is 0.

    Examples:
        >>> static_features(np.zeros((2, 100, 6))).shape
        (2, 57)
    """
    if signals.ndim == 2:
        return signals
    out = np.empty((len(signals), len(FEATURE_NAMES)))
    for start in range(0, len(signals), BLOCK):
        rows = slice(start, start + BLOCK)
        _block(np.ascontiguousarray(signals[rows].transpose(0, 2, 1), dtype=np.float64), out[rows])
    return out


def _block(x: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` (n, 57) from signals (n, 6, 100)."""
    n, channels, _ = x.shape
    quarter = T // 4
    table = out[:, : channels * len(STATISTICS)].reshape(n, channels, len(STATISTICS))
    mean = x.mean(axis=2)
    centred = x - mean[:, :, None]
    squares = np.einsum("nct,nct->nc", centred, centred)
    low, high = x.min(axis=2), x.max(axis=2)
    values = (
        mean,
        np.sqrt(squares / T),
        low,
        high,
        high - low,
        _median(x),
        np.einsum("nct,nct->nc", x, x),
        (x[:, :, -1] - x[:, :, 0]) / T,
        x[:, :, -quarter:].mean(axis=2) - x[:, :, :quarter].mean(axis=2),
    )
    for i, value in enumerate(values):
        table[:, :, i] = value
    # Subtracting the mean of a constant channel leaves rounding noise: its correlation is undefined, so it is set to 0.
    constant = low == high
    for i, (a, b) in enumerate(CORRELATED):
        scale = np.sqrt(squares[:, a] * squares[:, b])
        defined = ~(constant[:, a] | constant[:, b]) & (scale > 0)
        product = np.einsum("nt,nt->n", centred[:, a], centred[:, b])
        out[:, channels * len(STATISTICS) + i] = np.divide(product, scale, out=np.zeros(n), where=defined)


def _median(x: np.ndarray) -> np.ndarray:
    middle = T // 2
    part = np.partition(x, (middle - 1, middle), axis=2)
    return (part[:, :, middle - 1] + part[:, :, middle]) / 2
