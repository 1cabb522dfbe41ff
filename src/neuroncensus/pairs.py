"""Pairs of neurons and n-grams as bytes: what a shard's n-gram counters are made of, small and quick to write.

The n-grams of a neuron rise, most follow the one before closely, and most have one activation, so that most pairs are a
number of one byte or two. As columns of integers, which parquet goes through several times, they took longer to write than
to count.

A number has 7 bits a byte, the lowest first, and a byte's highest bit says that more follow. A pair is 4 g + t, where g
n-grams lie between it and the one before, or before the first one, and t says which kind it is. t = 0 or 1: one activation,
and t of them in documents of even number; t = 2: more, and two numbers follow, activations - 2 and how many of them are in
documents of even number. So n-gram 3, once, in an even document, and n-gram 5, seven times, three in even documents, are
4 * 3 + 1, and 4 * 1 + 2, 5, 3.
"""

import numba
import numpy
import pyarrow

from neuroncensus.errors import CensusError
from neuroncensus.report.units import shown_bytes

NAMES = ("ngrams", "counts", "counts_even")
"""Of the lists: n-grams, ascending; activations on each; those in documents of even number."""
LISTS = pyarrow.list_(pyarrow.int32())
# t of an n-gram with more than one activation; bytes of a column, whose offsets have 32 bits; the largest number in a list.
_MORE, _MOST, _LARGEST = 2, 2**31 - 1, 2**31 - 1


@numba.njit(inline="always")
def _put(out, at, number):
    """Write a number at `at`, or only pass its bytes where `out` is empty; returns where the next one begins."""
    while number >= 128:
        if len(out):
            out[at] = (number & 127) | 128
        number >>= 7
        at += 1
    if len(out):
        out[at] = number
    return at + 1


@numba.njit(inline="always")
def _take(packed, at, end):
    """Returns a number and where the next one begins, beyond `end` if the bytes end first."""
    number, shift = numpy.int64(0), 0
    while at < end and shift < 63:
        byte = numpy.int64(packed[at])
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    return number, end + 1


@numba.njit(parallel=True, cache=True, nogil=True)
def _pack(offsets, ngrams, counts, counts_even, starts, out, ends):
    """Write each row's pairs from `starts` on, (R,), and say where they end, (R,). With an empty `out` it only says that."""
    for row in numba.prange(len(starts)):
        at, following = starts[row], numpy.int64(0)
        for pair in range(offsets[row], offsets[row + 1]):
            gap = (ngrams[pair] - following) << 2
            following = numpy.int64(ngrams[pair]) + 1
            if counts[pair] == 1:
                at = _put(out, at, gap | counts_even[pair])
            else:
                at = _put(out, at, gap | _MORE)
                at = _put(out, at, numpy.int64(counts[pair]) - 2)
                at = _put(out, at, numpy.int64(counts_even[pair]))
        ends[row] = at


@numba.njit(parallel=True, cache=True, nogil=True)
def _unpack(bounds, packed, offsets, ngrams, counts, counts_even, whole):
    """Read each row's pairs, between two of `bounds`, (R + 1,), to between two of `offsets`; `whole`: whether they are just its bytes."""
    for row in numba.prange(len(whole)):
        at, end, following = numpy.int64(bounds[row]), numpy.int64(bounds[row + 1]), numpy.int64(0)
        fit = True
        for pair in range(offsets[row], offsets[row + 1]):
            number, at = _take(packed, at, end)
            ngram, count, even = following + (number >> 2), numpy.int64(1), number & 3
            if even >= _MORE:
                count, at = _take(packed, at, end)
                count += 2
                even, at = _take(packed, at, end)
            fit = fit and (number & 3) <= _MORE and ngram <= _LARGEST and even <= count <= _LARGEST
            # Every step is checked, so that nothing overflows on the way.
            following = ngram + 1 if fit else numpy.int64(0)
            ngrams[pair], counts[pair], counts_even[pair] = ngram, count, even
        whole[row] = fit and at == end


def pack_pairs(offsets: numpy.ndarray, ngrams: numpy.ndarray, counts: numpy.ndarray, counts_even: numpy.ndarray) -> pyarrow.Array:
    """The pairs of R neurons as a column of bytes.

    Args:
        offsets: where each row's pairs begin and end in the three below, (R + 1,) int64.
        ngrams: strictly ascending in a row, (pairs,) int32.
        counts: at least 1, (pairs,) int32.
        counts_even: at most `counts`, (pairs,) int32.

    Raises:
        CensusError: they are more bytes than a column can hold.
    """
    rows = len(offsets) - 1
    lengths = numpy.empty(rows, dtype=numpy.int64)
    nowhere = numpy.empty(0, dtype=numpy.uint8)
    _pack(offsets, ngrams, counts, counts_even, numpy.zeros(rows, dtype=numpy.int64), nowhere, lengths)
    bounds = numpy.concatenate([[0], numpy.cumsum(lengths)])
    if bounds[-1] > _MOST:
        size = shown_bytes(int(bounds[-1]))
        raise CensusError(f"the n-grams of {rows:,} rows take {size}, more than a file holds at a time: lower collect.shard_tokens")
    out = numpy.empty(bounds[-1], dtype=numpy.uint8)
    if len(out):
        _pack(offsets, ngrams, counts, counts_even, bounds[:-1], out, lengths)
    return pyarrow.Array.from_buffers(pyarrow.binary(), rows, [None, pyarrow.py_buffer(bounds.astype(numpy.int32)), pyarrow.py_buffer(out)])


def unpack_pairs(table: pyarrow.Table) -> pyarrow.Table:
    """The table with its columns `pairs`, how many a row has, and `packed` put into lists, columns of int32 called NAMES.

    Raises:
        ValueError: a row's bytes are not so many pairs.
    """
    column, sizes = table["packed"].combine_chunks(), table["pairs"].to_numpy()
    _, places, data = column.buffers()
    bounds = numpy.frombuffer(places, numpy.int32)[column.offset : column.offset + len(column) + 1]
    # A pair is a byte at least. Before anything is written: the kernel looks at no bounds.
    if table["pairs"].null_count or ((sizes < 0) | (sizes > numpy.diff(bounds))).any():
        raise ValueError("its pairs are not as many as it says")
    offsets = numpy.concatenate([[0], numpy.cumsum(sizes)])
    lists = numpy.empty((len(NAMES), offsets[-1]), dtype=numpy.int32)
    whole = numpy.empty(len(column), dtype=bool)
    _unpack(bounds, numpy.frombuffer(data or b"", numpy.uint8), offsets, *lists, whole)
    if not whole.all():
        raise ValueError("its pairs are not as many as it says")
    for name, flat in zip(NAMES, lists, strict=True):
        table = table.append_column(name, pyarrow.ListArray.from_arrays(offsets.astype(numpy.int32), pyarrow.array(flat), type=LISTS))
    return table.drop_columns(["pairs", "packed"])
