"""Ranges, coverage, redundancy and shifts of oscillatory neurons, against loops over positions."""

import itertools

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neuroncensus.findings.oscillation import best_shift_correlations, describe_oscillation

T, WINDOWS = 12, 4


def naive_smooth(counts: list[int], half: int) -> list[float]:
    text = counts[1:]
    near = [text[max(0, p - half) : p + half + 1] for p in range(len(text))]
    return [sum(part) / (WINDOWS * len(part)) for part in near]


counts = arrays.arrays(numpy.int32, st.tuples(st.integers(1, 5), st.just(T)), elements=st.integers(0, WINDOWS))


@settings(max_examples=150, deadline=None)
@given(counts, st.integers(0, 2))
def test_against_loops(active, half):
    smoothed = [naive_smooth(row, half) for row in active.tolist()]
    if any(max(row) == min(row) for row in smoothed):
        return
    found = describe_oscillation(active, WINDOWS, half)
    inside = [{p for p in range(1, T) if row[p - 1] >= 0.5} for row in smoothed]
    for mine, ranges in zip(inside, found.ranges, strict=True):
        told = [p for start, end in ranges for p in range(start, end + 1)]
        assert told == sorted(mine)
        assert all(later[0] > earlier[1] + 1 for earlier, later in itertools.pairwise(ranges))
    together = set().union(*inside)
    assert found.covered == pytest.approx(len(together) / (T - 1))
    without = [set().union(*inside[:place], *inside[place + 1 :]) for place in range(len(inside))]
    assert found.redundant == [place for place, others in enumerate(without) if others == together]
    expected = [
        max(numpy.corrcoef(a, numpy.roll(b, shift))[0, 1] for shift in range(T - 1)) for a, b in itertools.combinations(smoothed, 2)
    ]
    assert found.shift_correlations == pytest.approx(expected, abs=1e-9)


def test_curves_alike_up_to_a_shift_and_opposite_ones():
    p = numpy.arange(64)
    curves = numpy.stack([numpy.sin(p / 32 * numpy.pi), numpy.sin((p + 13) / 32 * numpy.pi), (p == 5) * 1.0])
    same, spike, other = best_shift_correlations(curves)
    assert same == pytest.approx(1) and spike == pytest.approx(other) and spike < 0.3


def test_planted_ranges_without_a_redundant_neuron():
    active = numpy.zeros((3, 31), dtype=numpy.int32)
    active[0, 1:11] = active[1, 11:21] = active[2, 21:31] = WINDOWS
    found = describe_oscillation(active, WINDOWS, 0)
    assert found.ranges == [[(1, 10)], [(11, 20)], [(21, 30)]] and found.covered == 1 and found.redundant == []
    assert found.shift_correlations == pytest.approx([1, 1, 1])
    active[2, 11:21] = WINDOWS
    assert describe_oscillation(active, WINDOWS, 0).redundant == [1]
