"""The shape of a neuron's activity over positions, by which positional neurons are told apart (section 5.2, figures 7, 8, 16).

BOS, p = 0, is left out. `s(p)` is the mean of fr over the positions within `h = floor(T half_width)` of p. An extreme interval is
a maximal run of at least `max(4, floor(T interval))` positions with `s <= e`, low, or `s >= 1 - e`, high; `changes` is how many
neighbours in the sequence of intervals are of different kind. At least three make a neuron *oscillatory*, one or two *both*,
none *one* if it has an interval, and *other* if not. All widths and thresholds are **choices**.
"""

from dataclasses import dataclass
from fractions import Fraction

import numba
import numpy

TYPES = OSCILLATORY, BOTH, ONE, OTHER = "oscillatory", "both", "one", "other"
LEAST_INTERVAL = 4
OSCILLATES = 3


@dataclass(frozen=True)
class ShapeSettings:
    """What is an extreme interval, as the configuration writes it.

    Attributes:
        half_width: of the smoothing, as a share of T.
        interval: least length of an extreme interval, as a share of T.
        weak, strong: e, for the type and for *strong*.
        explained: from which share explained by its neighbours on an *other* neuron is strong.
    """

    half_width: float
    interval: float
    weak: float
    strong: float
    explained: float

    def half(self, window: int) -> int:
        """h, in positions."""
        return int(window * Fraction(str(self.half_width)))

    def least(self, window: int) -> int:
        """Least length of an extreme interval, in positions."""
        return max(LEAST_INTERVAL, int(window * Fraction(str(self.interval))))


@numba.njit(inline="always")
def _smoothed(running, place, half):
    """Activations within `half` of a text position, and of how many positions; `running` has sums before each."""
    start, end = max(0, place - half), min(len(running) - 1, place + half + 1)
    return running[end] - running[start], end - start


@numba.njit(parallel=True, cache=True)
def _count_changes(active, windows, half, least, extreme, intervals, changes):
    """For each neuron how many extreme intervals, and changes between them.

    Args:
        active: windows active at each text position, (R, T - 1) int32.
        windows: N.
        half, least: in positions.
        extreme: at most how many activations are a share of e of those possible at k positions, (T,) by k.
        intervals, changes: (R,) int64; written.
    """
    neurons, length = active.shape
    for neuron in numba.prange(neurons):
        running = numpy.zeros(length + 1, numpy.int64)
        for place in range(length):
            running[place + 1] = running[place] + active[neuron, place]
        kind, long, before = 0, 0, 0
        for place in range(length + 1):
            now = 0
            if place < length:
                total, positions = _smoothed(running, place, half)
                if total <= extreme[positions]:
                    now = -1
                elif windows * positions - total <= extreme[positions]:
                    now = 1
            if now == kind:
                long += 1
                continue
            if kind != 0 and long >= least:
                intervals[neuron] += 1
                changes[neuron] += before == -kind
                before = kind
            kind, long = now, 1


def count_changes(active: numpy.ndarray, windows: int, settings: ShapeSettings, extreme: float) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Extreme intervals of each neuron, and changes between low and high among them; (R,) int64 each.

    Args:
        active: windows in which each neuron is active at each position, (R, T) int32, BOS in front.
        windows: N.
        settings: widths.
        extreme: e.
    """
    window, share = active.shape[1], Fraction(str(extreme))
    intervals, changes = numpy.zeros((2, len(active)), dtype=numpy.int64)
    text = numpy.ascontiguousarray(active[:, 1:])
    # Whole numbers are compared, so that a share of just e counts.
    most = numpy.array([windows * positions * share.numerator // share.denominator for positions in range(window)], dtype=numpy.int64)
    _count_changes(text, windows, settings.half(window), settings.least(window), most, intervals, changes)
    return intervals, changes


def type_of(intervals: numpy.ndarray, changes: numpy.ndarray, oscillates: int = OSCILLATES) -> numpy.ndarray:
    """The type of each neuron, (R,) of str, from how many changes on it oscillates."""
    kinds = [changes >= oscillates, changes >= 1, intervals >= 1]
    return numpy.select(kinds, [OSCILLATORY, BOTH, ONE], OTHER)


def smooth(active: numpy.ndarray, windows: int, half: int) -> numpy.ndarray:
    """s(p) at the text positions, (R, T - 1)."""
    length = active.shape[1] - 1
    running = numpy.concatenate([numpy.zeros((len(active), 1), numpy.int64), active[:, 1:].cumsum(axis=1, dtype=numpy.int64)], axis=1)
    places = numpy.arange(length)
    start, end = numpy.maximum(places - half, 0), numpy.minimum(places + half + 1, length)
    return (running[:, end] - running[:, start]) / (windows * (end - start))


def explained(active: numpy.ndarray, windows: int, half: int) -> numpy.ndarray:
    """How much of a curve its own neighbourhood explains, (R,); NaN where its variance is not above that of drawing N windows.

    `1 - max(0, mse - v) / (variance - v)` over the text positions, where mse is the mean squared error of predicting fr(p) by the mean
    of the other positions within `max(1, h)` of it, and `v = mean(fr(p) (1 - fr(p))) / N`. NaN too where fewer than two text positions are.
    """
    text = active[:, 1:]
    length = text.shape[1]
    if length < 2:
        return numpy.full(len(active), numpy.nan)
    shares = text / windows
    places, near = numpy.arange(length), max(1, half)
    others = numpy.minimum(places + near + 1, length) - numpy.maximum(places - near, 0) - 1
    around = smooth(active, windows, near) * (others + 1)  # sums
    error = ((shares - (around - shares) / others) ** 2).mean(axis=1)
    drawn = (shares * (1 - shares)).mean(axis=1) / windows
    beyond = shares.var(axis=1) - drawn
    beyond[beyond <= 0] = numpy.nan
    return 1 - numpy.maximum(0, error - drawn) / beyond


def classify_shapes(active: numpy.ndarray, windows: int, settings: ShapeSettings) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Type (R,) of str, and whether it is strong (R,) bool, of each neuron.

    Strong is a type that the strong e gives as well; of *other* one whose curve its neighbourhood explains, a thin one.

    Args:
        active: windows in which each neuron is active at each position, (R, T) int32.
        windows: N, at least 1.
        settings: widths and thresholds.
    """
    kinds, strict = (type_of(*count_changes(active, windows, settings, extreme)) for extreme in (settings.weak, settings.strong))
    thin = explained(active, windows, settings.half(active.shape[1])) >= settings.explained
    return kinds, numpy.where(kinds == OTHER, thin, kinds == strict)
