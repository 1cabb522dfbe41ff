"""How sure a mean over detectors is: the bootstrap, seeded."""

from collections.abc import Sequence

import numpy

LEVELS = (0.025, 0.975)
"""Ends of a two-sided 95% interval."""
DRAWN = 1 << 22
"""Numbers drawn at once."""


def mean_interval(values: Sequence[float] | numpy.ndarray, resamples: int, seed: Sequence[int]) -> list[float] | None:
    """The 95% percentile interval of the mean of some values, each resample drawing as many of them with replacement.

    None if there are fewer than two, which say nothing of how they spread.

    Args:
        values: (D,).
        resamples: how many.
        seed: of numpy's PCG64; the same values and seed give the same interval.
    """
    numbers = numpy.asarray(values, dtype=numpy.float64)
    if len(numbers) < 2:
        return None
    draw, means = numpy.random.Generator(numpy.random.PCG64(list(seed))), []
    together = max(1, DRAWN // len(numbers))
    for start in range(0, resamples, together):
        size = min(together, resamples - start), len(numbers)
        means.append(numbers[draw.integers(0, len(numbers), size)].mean(axis=1))
    low, high = numpy.quantile(numpy.concatenate(means), LEVELS)
    return [float(low), float(high)]


def mean_told(values: Sequence[float] | numpy.ndarray, resamples: int, seed: Sequence[int]) -> dict:
    """`mean` (null of no values) and its `interval`."""
    numbers = numpy.asarray(values, dtype=numpy.float64)
    return {"mean": float(numbers.mean()) if len(numbers) else None, "interval": mean_interval(numbers, resamples, seed)}
