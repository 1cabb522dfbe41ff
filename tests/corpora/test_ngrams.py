"""The order of a shard's positions by n-gram against dictionaries of tuples."""

import itertools
from collections import defaultdict
from pathlib import Path

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from neuroncensus.corpora.ngrams import NONE, Order, order_shard, read_ngrams, read_order, write_order
from neuroncensus.corpora.shards import Shard
from neuroncensus.errors import CensusError
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from shards_made import LAST, made_shard, texts, write_made_shard

SIZES = ([1], [1, 2, 3], [2, 4], [5])
Text = tuple[list[list[int]], list[int]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("order")


def reference(text: Text, n: int) -> dict[tuple[int, ...], list[tuple[int, int]]]:
    """For each n-gram, the place in the shard's text of every position that ends it, and its document."""
    found = defaultdict(list)
    place = 0
    for window, document in zip(*text, strict=True):
        for k in range(len(window)):
            if k >= n - 1:
                found[tuple(window[k - n + 1 : k + 1])].append((place, document))
            place += 1
    return dict(found)


def assert_order(order: Order, text: Text, sizes: list[int]) -> None:
    slots = sum(map(len, text[0]))
    assert sorted(order.place) == sorted(order.rotated) == list(range(slots))
    assert [runs.n for runs in order.runs] == sizes
    for runs in order.runs:
        asked = reference(text, runs.n)
        found = [tuple(ngram) for ngram in runs.ngrams.tolist()]
        assert runs.ngrams.shape == (len(asked), runs.n)
        assert len(found) == len(set(found)) and set(found) == set(asked)
        assert (numpy.diff(runs.first) > 0).all()
        of_slots = [NONE] * slots
        for run, ngram in enumerate(found):
            begin = runs.first[run]
            places, documents = zip(*asked[ngram], strict=True)
            assert runs.occurrences[run] == len(places)
            assert runs.occurrences_even[run] == sum(document % 2 == 0 for document in documents)
            assert sorted(order.place[begin : begin + len(places)]) == list(places)
            of_slots[begin : begin + len(places)] = [run] * len(places)
        assert runs.of_slots(slots).tolist() == of_slots


@settings(max_examples=150)
@given(text=texts(), sizes=st.sampled_from(SIZES))
@example(text=([[]], [0]), sizes=[1, 2, 3])
@example(text=([[], [], []], [0, 0, 1]), sizes=[5])
@example(text=([[3, 3, 3, 3, 3, 3], [3, 3, 3]], [1, 2]), sizes=[1, 2, 3])
@example(text=([[0, LAST], [LAST, 0], [LAST]], [0, 0, 3]), sizes=[2, 4])
# The end of one window and the beginning of the next are no n-gram, nor are the two ends of one window.
@example(text=([[1, 2], [3, 1], [2, 3]], [0, 0, 0]), sizes=[1, 2, 3])
def test_runs_are_the_ngrams_of_the_text(text: Text, sizes: list[int]):
    assert_order(order_shard(made_shard(*text), sizes), text, sizes)


@settings(max_examples=30)
@given(text=texts(windows=5), sizes=st.sampled_from(SIZES))
def test_files_hold_the_order_and_the_same_bytes_again(folder: Path, text: Text, sizes: list[int]):
    shard, windows, order, ngrams = made_shard(*text), folder / "windows", folder / "order", folder / "ngrams"
    write_made_shard(windows, shard)
    write_order(windows, sizes[::-1], order, ngrams)
    once = order.read_bytes(), ngrams.read_bytes()
    write_order(windows, sizes, order, ngrams)
    assert (order.read_bytes(), ngrams.read_bytes()) == once
    found, made = read_order(order, ngrams, shard), order_shard(shard, sizes)
    assert_order(found, text, sizes)
    assert (found.place == made.place).all() and (found.rotated == made.rotated).all()
    metadata = read_ngrams(ngrams)[1]
    assert metadata["n"] == sizes and metadata["content_sha256"] == shard.metadata["content_sha256"]
    rows = list(zip(*(read_table(ngrams)[name].to_pylist() for name in ("n", "first")), strict=True))
    assert rows == sorted(rows)


def offsets_of(shard: Shard, order: Order) -> list[int]:
    """By how much each window's activations are rotated, all of its positions by the same."""
    rotated_of = numpy.empty(len(order.place), dtype=int)
    rotated_of[order.place] = order.rotated
    offsets = []
    for start, end in itertools.pairwise(shard.offsets.tolist()):
        length = end - start
        found = {(int(rotated_of[place]) - place) % length for place in range(start, end)}
        assert all(start <= rotated_of[place] < end for place in range(start, end))
        assert len(found) == min(length, 1)
        offsets += found or {0}
    return offsets


@given(text=texts(), sizes=st.sampled_from(SIZES))
def test_each_window_is_rotated_by_one_offset(text: Text, sizes: list[int]):
    shard = made_shard(*text)
    offsets = offsets_of(shard, order_shard(shard, sizes))
    for window, offset in zip(text[0], offsets, strict=True):
        assert 1 <= offset < len(window) or (len(window) < 2 and offset == 0)
    assert offsets == offsets_of(shard, order_shard(made_shard(*text), [1]))  # the content alone decides


def test_offsets_are_all_there_are_and_the_contents_own():
    windows = [[1, 2, 3, 4, 5]] * 400
    offsets = offsets_of(made_shard(windows), order_shard(made_shard(windows), [1]))
    counts = numpy.bincount(offsets)
    assert counts[0] == 0 and (counts[1:] > 60).all() and len(counts) == 5
    windows[0] = [1, 2, 3, 4, 6]
    assert offsets != offsets_of(made_shard(windows), order_shard(made_shard(windows), [1]))


def test_files_of_other_windows_are_refused(tmp_path: Path):
    shards = {"one": made_shard([[1, 2, 3], [4, 5]]), "other": made_shard([[1, 2, 3], [4, 6]])}
    for name, shard in shards.items():
        write_made_shard(tmp_path / name, shard)
        write_order(tmp_path / name, [1, 2], tmp_path / f"{name}.order", tmp_path / f"{name}.ngrams")
    read_order(tmp_path / "one.order", tmp_path / "one.ngrams", shards["one"])
    with pytest.raises(CensusError, match=r"other\.order is of other windows than the shard"):
        read_order(tmp_path / "other.order", tmp_path / "one.ngrams", shards["one"])
    with pytest.raises(CensusError, match=r"other\.ngrams is of other windows than the shard"):
        read_order(tmp_path / "one.order", tmp_path / "other.ngrams", shards["one"])
    write_order(tmp_path / "one", [1], tmp_path / "n1.order", tmp_path / "n1.ngrams")
    with pytest.raises(CensusError, match="is of other windows"):
        read_order(tmp_path / "one.order", tmp_path / "n1.ngrams", shards["one"])
    with pytest.raises(CensusError, match="is a file of order of text positions"):
        read_ngrams(tmp_path / "one.order")
    with pytest.raises(CensusError, match=r"n-gram file .*gone is missing"):
        read_order(tmp_path / "gone", tmp_path / "one.ngrams", shards["one"])
    content = (tmp_path / "one.ngrams").read_bytes()
    (tmp_path / "one.ngrams").write_bytes(content[:-7])
    with pytest.raises(CensusError, match=r"n-gram file .*one.ngrams is corrupt"):
        read_order(tmp_path / "one.order", tmp_path / "one.ngrams", shards["one"])


def test_a_corrupt_shard_is_not_ordered(tmp_path: Path):
    shard = made_shard([[1, 2, 3]])
    write_made_shard(tmp_path / "windows", shard)
    write_table(read_table(tmp_path / "windows"), tmp_path / "windows", read_metadata(tmp_path / "windows") | {"content_sha256": "0" * 64})
    with pytest.raises(CensusError, match="do not match their checksum"):
        write_order(tmp_path / "windows", [1], tmp_path / "order", tmp_path / "ngrams")
    assert not (tmp_path / "order").exists() and not (tmp_path / "ngrams").exists()
