"""Mutual information of activity and position against the formula, term by term."""

import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neuroncensus.findings.information import corrected_information, mutual_information, mutual_information_text, unreliable


@st.composite
def counts(draw):
    """Windows active at each position, some rates exactly 0 and 1, and how many windows there are."""
    windows = draw(st.integers(1, 1000))
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 12)))
    values = st.one_of(st.integers(0, windows), st.sampled_from([0, windows]))
    return draw(arrays.arrays(numpy.int32, shape, elements=values)), windows


def naive(row, windows: int) -> float:
    shares = [count / windows for count in row]
    mean = math.fsum(shares) / len(shares)
    total = 0.0
    for share in shares:
        for part, whole in ((share, mean), (1 - share, 1 - mean)):
            if part > 0:
                total += part * math.log(part / whole)
    return total / len(shares)


@given(counts())
def test_information_is_the_formula(made):
    active, windows = made
    found = mutual_information(active, windows)
    assert found == pytest.approx([naive(row, windows) for row in active.tolist()], abs=1e-12)
    text = mutual_information_text(active, windows)
    if active.shape[1] > 1:
        assert text == pytest.approx([naive(row[1:], windows) for row in active.tolist()], abs=1e-12)
    else:
        assert numpy.isnan(text).all()
    for row, information, corrected in zip(active.tolist(), found, corrected_information(found, active, windows), strict=True):
        uncertain = sum(0 < count < windows for count in row)
        mixed = 0 < sum(row) < windows * len(row)
        assert corrected == pytest.approx(information - (uncertain - mixed) / (2 * windows * len(row)), abs=1e-15)


def test_certain_rates_score_highest_and_constant_ones_nothing():
    half = numpy.repeat([10, 0], 50)
    active = numpy.stack([half, numpy.repeat([9, 1], 50), numpy.full(100, 5), numpy.zeros(100), numpy.full(100, 10)]).astype(numpy.int32)
    found = mutual_information(active, 10)
    assert found[0] == pytest.approx(math.log(2)) and found[0] > found[1] > found[2]
    assert found[2:] == pytest.approx([0, 0, 0], abs=1e-15)


def test_a_neuron_of_bos_alone_is_told_apart_by_the_text():
    active = numpy.zeros((1, 64), dtype=numpy.int32)
    active[0, 0] = 40
    assert mutual_information(active, 40)[0] > 0.05
    assert mutual_information_text(active, 40)[0] == 0


@pytest.mark.parametrize(("windows", "threshold", "told"), [(99, 0.05, True), (100, 0.05, False), (71, 0.07, True), (72, 0.07, False)])
def test_too_few_windows(windows, threshold, told):
    assert unreliable(windows, threshold) is told
