"""What the strong oscillatory neurons of a layer do together (section 5.2, figure 9).

A neuron's *ranges* are the maximal runs of text positions with `s(p) >= 0.5`, s as `neuroncensus.findings.shapes` smooths it (**Choice**).
A layer's neurons *cover* the positions that are in a range of at least one of them; a neuron is *redundant* if the others cover as
many. Two curves are alike up to a shift if the correlation of one with the other, turned in a circle, comes near 1 for some turn.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy

from neuroncensus.findings.shapes import smooth


@dataclass(frozen=True)
class Oscillation:
    """Some neurons of one layer, R of them.

    Attributes:
        ranges: of each neuron, first and last position, from 1 to T-1.
        covered: share of the text positions that are in a range of any.
        redundant: which neurons cover nothing that the others do not.
        shift_correlations: for each pair the best Pearson correlation over all circular shifts, (R (R - 1) / 2,).
    """

    ranges: list[list[tuple[int, int]]]
    covered: float
    redundant: list[int]
    shift_correlations: numpy.ndarray


def _runs(inside: numpy.ndarray) -> list[tuple[int, int]]:
    """First and last position of every run of true values; the first value is position 1."""
    edges = numpy.flatnonzero(numpy.diff(inside, prepend=False, append=False))
    return [(int(start) + 1, int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def best_shift_correlations(curves: numpy.ndarray) -> numpy.ndarray:
    """For each pair of curves, (R, L), the highest Pearson correlation between one and the other shifted in a circle.

    Args:
        curves: none of them constant.
    """
    centred = curves - curves.mean(axis=1, keepdims=True)
    centred /= numpy.linalg.norm(centred, axis=1, keepdims=True)
    turned = numpy.fft.rfft(centred, axis=1)
    pairs = combinations(range(len(curves)), 2)
    return numpy.array([numpy.fft.irfft(turned[a].conj() * turned[b], curves.shape[1]).max() for a, b in pairs])


def describe_oscillation(active: numpy.ndarray, windows: int, half: int) -> Oscillation:
    """Ranges of neurons, what they cover together, who is redundant, and how alike their curves are.

    Args:
        active: windows in which each neuron is active at each position, (R, T), BOS in front; R and T at least 1 and 2, no neuron
            active at all text positions alike.
        windows: N.
        half: h of the smoothing.
    """
    curves = smooth(active, windows, half)  # (R, T - 1)
    inside = curves >= 0.5
    by_position = inside.sum(axis=0)
    redundant = [neuron for neuron, mine in enumerate(inside) if not (by_position[mine] == 1).any()]
    return Oscillation([_runs(mine) for mine in inside], float((by_position > 0).mean()), redundant, best_shift_correlations(curves))
