"""Pairs of neurons and n-grams as bytes, and back."""

import numpy
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroncensus.errors import CensusError
from neuroncensus.pairs import NAMES, pack_pairs, unpack_pairs

LARGEST = 2**31 - 1
NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, LARGEST))


@st.composite
def rows(draw):
    """Of each neuron (n-gram, activations, those in even documents), n-grams ascending."""
    found = []
    for _ in range(draw(st.integers(0, 5))):
        ngrams = sorted(draw(st.sets(NUMBERS, max_size=8)))
        counts = [draw(st.one_of(st.just(1), st.integers(1, 200), st.integers(1, LARGEST))) for _ in ngrams]
        found.append([(ngram, count, draw(st.integers(0, count))) for ngram, count in zip(ngrams, counts, strict=True)])
    return found


def packed(rows: list[list[tuple[int, int, int]]]) -> pyarrow.Table:
    offsets = numpy.cumsum([0, *map(len, rows)])
    flat = numpy.array([pair for row in rows for pair in row], dtype=numpy.int32).reshape(-1, 3).T
    column = pack_pairs(offsets, *map(numpy.ascontiguousarray, flat))
    return pyarrow.table({"neuron": range(len(rows)), "pairs": numpy.diff(offsets), "packed": column})


def unpacked(table: pyarrow.Table) -> list[list[tuple[int, int, int]]]:
    return [list(zip(*lists, strict=True)) for lists in zip(*(table[name].to_pylist() for name in NAMES), strict=True)]


@given(rows())
def test_pairs_come_back(rows):
    table = unpack_pairs(packed(rows))
    assert table.column_names == ["neuron", *NAMES]
    assert unpacked(table) == rows


@given(rows(), st.data())
def test_a_part_of_a_table_has_its_own_pairs(rows, data):
    first = data.draw(st.integers(0, len(rows)))
    length = data.draw(st.integers(0, len(rows)))
    table = packed(rows)
    assert unpacked(unpack_pairs(table.slice(first, length))) == rows[first : first + length]
    assert unpacked(unpack_pairs(pyarrow.concat_tables([table, table]))) == [*rows, *rows]


def test_the_bytes_are_those_of_the_description():
    assert packed([[(3, 1, 1), (5, 7, 3)]])["packed"][0].as_py() == bytes([4 * 3 + 1, 4 * 1 + 2, 5, 3])


def test_a_usual_pair_is_a_byte():
    """One activation, near the n-gram before: which is what makes a shard's counters small."""
    row = [(ngram, 1, ngram % 2) for ngram in range(3, 600, 30)]
    column = packed([row])["packed"]
    assert len(column[0].as_py()) == len(row)


@pytest.mark.parametrize("sizes", [[2, 0], [2, 2], [1, 1], [-5, 10], [10**6, 2 - 10**6], [2, 2**45], [2, None]], ids=str)
def test_another_number_of_pairs_than_bytes_is_refused(sizes):
    table = packed([[(0, 1, 0), (5, 7, 3)], [(2, 1, 1)]])
    with pytest.raises(ValueError, match="not as many as it says"):
        unpack_pairs(table.set_column(1, "pairs", pyarrow.array(sizes)))


@pytest.mark.parametrize(
    "content", [b"\x80", b"\xff" * 20, b"\x02\x80", b"", b"\x03\0\0", b"\x02\0\x03", b"\xfc\xff\xff\xff\xff\x0f"], ids=repr
)
def test_bytes_that_are_no_pair_are_refused(content):
    """Cut off, of a kind that there is not, more in even documents than in all, an n-gram beyond 32 bits."""
    table = pyarrow.table({"pairs": [1], "packed": pyarrow.array([content], pyarrow.binary())})
    with pytest.raises(ValueError, match="not as many as it says"):
        unpack_pairs(table)


def test_more_than_a_column_holds_is_told(monkeypatch):
    monkeypatch.setattr("neuroncensus.pairs._MOST", 3)
    assert unpacked(unpack_pairs(packed([[(0, 1, 0), (1, 1, 0), (2, 1, 0)]]))) == [[(0, 1, 0), (1, 1, 0), (2, 1, 0)]]
    with pytest.raises(CensusError, match=r"the n-grams of 1 rows take .*: lower collect\.shard_tokens"):
        packed([[(0, 1, 0), (1, 1, 0), (2, 1, 0), (4, 1, 0)]])
