"""Which tokens have the largest and smallest logits, exactly: the kernels under `neuroncensus.models.updates`.

Logits are computed in float32, which is fast, and are out by a slack at most that is known. Only tokens that the slack leaves
in doubt are multiplied again, in float64 and in one order of summation, so that equal rows have equal logits and ties are ties.
"""

import numba
import numpy


@numba.njit(inline="always")
def _product(row, vector):
    """Four running sums: the compiler may not make them of one."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = len(vector) // 4 * 4
    for place in range(0, whole, 4):
        a += row[place] * vector[place]
        b += row[place + 1] * vector[place + 1]
        c += row[place + 2] * vector[place + 2]
        d += row[place + 3] * vector[place + 3]
    for place in range(whole, len(vector)):
        a += row[place] * vector[place]
    return (a + b) + (c + d)


@numba.njit(inline="always")
def _insert(best, size, value):
    """Put a value into a falling list of `size`, behind its equals; the place it has got."""
    place = size
    while place > 0 and best[place - 1] < value:
        if place < len(best):
            best[place] = best[place - 1]
        place -= 1
    if place < len(best):
        best[place] = value
    return place


@numba.njit(parallel=True, cache=True)
def find_extremes(logits, rows, vectors, slack, sign, found, values):
    """The tokens with the largest (sign 1.0) or smallest (-1.0) logits, the most extreme first, ties in the order of the rows.

    Args:
        logits: in float32, (R, V).
        rows: of the embedding, (V, e) float32.
        vectors: (R, e) float64.
        slack: by how much a logit of each vector may be out, (R,).
        found: rows of the embedding, (R, k) with k at most V; written.
        values: their logits in float64, (R, k); written.
    """
    vectors_count, most = found.shape
    for number in numba.prange(vectors_count):
        rough = numpy.full(most, -numpy.inf)
        for token in range(logits.shape[1]):
            value = sign * numpy.float64(logits[number, token])
            if value > rough[most - 1]:
                _insert(rough, most, value)
        # Whoever is among the k is not further below the k-th rough one than it and that one may be out together.
        cut = rough[most - 1] - 2 * slack[number]
        best = numpy.full(most, -numpy.inf)
        size = 0
        for token in range(logits.shape[1]):
            if sign * numpy.float64(logits[number, token]) < cut:
                continue
            value = sign * _product(rows[token], vectors[number])
            if size == most and not value > best[most - 1]:
                continue
            place = _insert(best, size, value)
            size = min(size + 1, most)
            for later in range(size - 1, place, -1):
                found[number, later] = found[number, later - 1]
            found[number, place] = token
        for place in range(most):
            values[number, place] = sign * best[place]


@numba.njit(parallel=True, cache=True)
def find_kurtosis(logits, means, kurtosis):
    """Excess kurtosis of each row of logits, (R, V) float32, around their means, (R,) float64; NaN where they do not differ."""
    rows, tokens = logits.shape
    for number in numba.prange(rows):
        second, fourth = 0.0, 0.0
        for token in range(tokens):
            square = (numpy.float64(logits[number, token]) - means[number]) ** 2
            second += square
            fourth += square * square
        kurtosis[number] = tokens * fourth / (second * second) - 3.0 if second * second > 0 else numpy.nan


@numba.njit(parallel=True, cache=True)
def find_ranks(logits, rows, vectors, slack, offsets, asked, values, ranks):
    """Logits of some tokens of each vector, and how many tokens have smaller ones.

    Args:
        logits, rows, vectors, slack: as `find_extremes` takes them.
        offsets: the tokens of a vector are `asked[offsets[r]:offsets[r + 1]]`, (R + 1,).
        asked: rows of the embedding.
        values: their logits in float64; written.
        ranks: how many are smaller, int64; written.
    """
    for number in numba.prange(len(vectors)):
        for place in range(offsets[number], offsets[number + 1]):
            value = _product(rows[asked[place]], vectors[number])
            smaller = 0
            for token in range(logits.shape[1]):
                rough = numpy.float64(logits[number, token])
                if rough < value - slack[number]:
                    smaller += 1
                elif rough <= value + slack[number]:
                    smaller += _product(rows[token], vectors[number]) < value
            values[place], ranks[place] = value, smaller
