"""Shares of counts are those of exact fractions."""

from fractions import Fraction

import numpy
from hypothesis import given
from hypothesis import strategies as st

from neuroncensus.findings.shares import least


@given(
    counts=st.lists(st.one_of(st.integers(0, 200), st.integers(0, 2**62)), max_size=6),
    share=st.one_of(st.sampled_from([0.95, 0.5, 1.0, 1 / 3, 1e-7, 0.9999999999999999]), st.floats(0, 1, exclude_min=True)),
)
def test_least_number_that_is_at_least_the_share(counts: list[int], share: float):
    found = least(numpy.array(counts, dtype=numpy.int64), share).tolist()
    for count, number in zip(counts, found, strict=True):
        wanted = Fraction(str(share)) * count
        assert wanted <= number < wanted + 1
