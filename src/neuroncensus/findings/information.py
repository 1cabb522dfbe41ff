"""How much a neuron's activity tells of the position, in nats (section 5.1).

With `fr(p)` the share of N full windows in which a neuron is active at position p of T, and `fr` their mean,
`I = 1/T sum_p [fr(p) log(fr(p)/fr) + (1 - fr(p)) log((1 - fr(p))/(1 - fr))]`, with 0 log 0 = 0.
**Choice**: the natural logarithm; windows of all domains together.
"""

from fractions import Fraction

import numpy

LEAST_WINDOW = 256
"""For shorter windows `mutual_information_text` decides which neurons are positional."""
WINDOWS_OF_A_THRESHOLD = 5


def _term(share: numpy.ndarray, mean: numpy.ndarray) -> numpy.ndarray:
    """`share log(share / mean)`, 0 where share is."""
    ratio = numpy.divide(share, mean, out=numpy.ones_like(share), where=share > 0)
    return share * numpy.log(ratio)


def mutual_information(active: numpy.ndarray, windows: int) -> numpy.ndarray:
    """I of each neuron, (R,), in nats.

    Args:
        active: windows in which each neuron is active at each position, (R, T).
        windows: N, at least 1.
    """
    shares = active / windows  # (R, T)
    mean = active.sum(axis=1, keepdims=True, dtype=numpy.int64) / (windows * active.shape[1])
    return (_term(shares, mean) + _term(1 - shares, 1 - mean)).mean(axis=1)


def mutual_information_text(active: numpy.ndarray, windows: int) -> numpy.ndarray:
    """I over the text positions 1 .. T-1 alone, (R,): BOS, the same in every window, tells of its position by itself.

    **Choice**: in windows under 256 positions it decides what is positional, since a neuron that is active at BOS only has I over 0.05
    there. NaN where T is 1.
    """
    if active.shape[1] == 1:
        return numpy.full(len(active), numpy.nan)
    return mutual_information(active[:, 1:], windows)


def corrected_information(information: numpy.ndarray, active: numpy.ndarray, windows: int) -> numpy.ndarray:
    """I less its bias from few windows, (R,), by Miller and Madow: `I - (P - m) / (2 N T)`; not cut off at 0.

    P positions have 0 < fr(p) < 1; m is 1 if 0 < fr < 1 and else 0. **Beyond the paper.**
    """
    length = active.shape[1]
    uncertain = ((active > 0) & (active < windows)).sum(axis=1)
    total = active.sum(axis=1, dtype=numpy.int64)
    mixed = (total > 0) & (total < windows * length)
    return information - (uncertain - mixed) / (2 * windows * length)


def unreliable(windows: int, threshold: float) -> bool:
    """Whether there are too few windows for a threshold in nats: fewer than 5 / threshold. **Beyond the paper.**"""
    return windows * Fraction(str(threshold)) < WINDOWS_OF_A_THRESHOLD
