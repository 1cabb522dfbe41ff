"""Shares of counts, read as the decimals that they are written as (0.95 is 19 / 20) and never rounded."""

from fractions import Fraction

import numpy


def least(counts: numpy.ndarray, share: float) -> numpy.ndarray:
    """The least whole numbers that are at least `share` of each of `counts`, both int64; exact for any share in (0, 1]."""
    part = Fraction(str(share))
    if part.denominator * int(counts.max(initial=1)) < 1 << 62:
        return -(-counts * part.numerator // part.denominator)
    values, places = numpy.unique(counts, return_inverse=True)
    exact = [-(-int(value) * part.numerator // part.denominator) for value in values]
    return numpy.array(exact, dtype=numpy.int64)[places]
