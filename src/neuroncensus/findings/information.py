"""How much a neuron's activity tells of the position, in nats (section 5.1).

With `fr(p)` the share of N full windows in which a neuron is active at position p of T, and `fr` their mean,
`I = 1/T sum_p [fr(p) log(fr(p)/fr) + (1 - fr(p)) log((1 - fr(p))/(1 - fr))]`, with 0 log 0 = 0.
**Choice**: the natural logarithm; windows of all domains together.
"""

from fractions import Fraction

import numba
import numpy

LEAST_WINDOW = 256
"""For shorter windows `mutual_information_text` decides which neurons are positional."""
WINDOWS_OF_A_THRESHOLD = 5


@numba.njit(parallel=True, cache=True)
def _add_terms(active, logs, log_rates, out):
    """N times the sum over positions, for each neuron.

    Args:
        active: windows active at each position, (R, T) int32.
        logs: log(k / N) for k = 0 .. N, (N + 1,); the first is never asked for.
        log_rates: log fr and log (1 - fr), (2, R); 0 stands where fr, or 1 - fr, is 0.
        out: (R,) float64; written.
    """
    windows = len(logs) - 1
    for neuron in numba.prange(len(active)):
        rate, rest, total = log_rates[0, neuron], log_rates[1, neuron], 0.0
        for place in range(active.shape[1]):
            count = active[neuron, place]
            if count > 0:
                total += count * (logs[count] - rate)
            if count < windows:
                total += (windows - count) * (logs[windows - count] - rest)
        out[neuron] = total


def mutual_information(active: numpy.ndarray, windows: int) -> numpy.ndarray:
    """I of each neuron, (R,), in nats.

    Args:
        active: windows in which each neuron is active at each position, (R, T).
        windows: N, at least 1.
    """
    length = active.shape[1]
    possible, found = windows * length, active.sum(axis=1, dtype=numpy.int64)
    # Of equal fractions, so that a neuron that is as active everywhere has just 0.
    logs = numpy.log(numpy.maximum(numpy.arange(windows + 1), 1) / windows)
    rates = numpy.log(numpy.stack([numpy.maximum(found, 1), numpy.maximum(possible - found, 1)]) / possible)
    out = numpy.empty(len(active))
    _add_terms(numpy.ascontiguousarray(active, dtype=numpy.int32), logs, rates, out)
    return out / possible


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
