"""The n-grams of a shard, from its tokens alone: made once, for all layers and all models of a tokenizer.

A neuron active at position k is triggered by the n-gram `(x[k-n+1], .., x[k])`; a position counts for n only if
all n tokens are text tokens of its window (section 4; **Choice**: BOS is left out of covering as of detectors).
Positions sorted by their token, then by the token before it, and so on, have every n-gram's positions side by side,
for all n at once: an n-gram is a *run* of this one order.

**Beyond the paper**, the null: the n-grams of a window rotated against its activations, over its text positions,
by one offset, the same for all neurons. N-gram counts, a neuron's rate and its runs stay, only the alignment goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import pyarrow

from neuroncensus.corpora.shards import Shard, read_shard
from neuroncensus.errors import CensusError
from neuroncensus.tablefiles import lists, read_metadata, read_table, write_table

KIND_ORDER, KIND_NGRAMS = "order of text positions by n-gram", "n-grams of a shard"
NONE = -1
"""Run of a slot whose position has no n-gram: fewer than n text tokens of its window end there."""


def _column(name: str, kind: pyarrow.DataType) -> pyarrow.Field:
    return pyarrow.field(name, kind, nullable=False)


ORDER = pyarrow.schema([_column("place", pyarrow.int32()), _column("rotated", pyarrow.int32())])
NGRAMS = pyarrow.schema(
    [
        _column("n", pyarrow.int64()),
        _column("ngram", pyarrow.list_(_column("element", pyarrow.int32()))),
        _column("first", pyarrow.int32()),
        _column("occurrences", pyarrow.int64()),
        _column("occurrences_even", pyarrow.int64()),
    ]
)


@dataclass(frozen=True)
class Runs:
    """The n-grams of a shard for one n: G of them, in the order of their runs.

    Attributes:
        n: tokens of each.
        ngrams: their tokens, (G, n) int32.
        first: slot at which each one's run begins; (G,) int32.
        occurrences: its length; (G,) int64.
        occurrences_even: how many of them in documents of even number; (G,) int64.
    """

    n: int
    ngrams: numpy.ndarray
    first: numpy.ndarray
    occurrences: numpy.ndarray
    occurrences_even: numpy.ndarray

    def of_slots(self, slots: int) -> numpy.ndarray:
        """The run of each slot, NONE where there is none; (slots,) int32."""
        runs = numpy.full(slots, NONE, dtype=numpy.int32)
        starts = numpy.repeat(self.first.astype(numpy.int64), self.occurrences)
        within = numpy.arange(len(starts)) - numpy.repeat(numpy.cumsum(self.occurrences) - self.occurrences, self.occurrences)
        runs[starts + within] = numpy.repeat(numpy.arange(len(self.first), dtype=numpy.int32), self.occurrences)
        return runs


@dataclass(frozen=True)
class Order:
    """A shard's text positions sorted by n-gram: N slots.

    Attributes:
        place: which of the shard's text tokens each slot is; (N,) int32.
        rotated: the text token whose activations the null puts in its place; (N,) int32.
        runs: the n-grams, for each n ascending.
    """

    place: numpy.ndarray
    rotated: numpy.ndarray
    runs: tuple[Runs, ...]


def _rotate(shard: Shard) -> numpy.ndarray:
    """For each text token the one of the same window whose activations the null gives it; (N,) int64.

    The offset of a window of L text tokens is one of 1 .. L-1, all of them as likely, from the content of the shard.
    """
    lengths = shard.lengths - 1  # (W,)
    generator = numpy.random.PCG64(int(shard.metadata["content_sha256"], 16))
    offsets = generator.random_raw(len(lengths)) % numpy.maximum(lengths - 1, 1).astype(numpy.uint64)
    offsets = numpy.where(lengths > 1, offsets.astype(numpy.int64) + 1, 0)
    starts, sizes = (numpy.repeat(array, lengths) for array in (shard.offsets[:-1], lengths))
    return starts + (numpy.arange(len(shard.tokens)) - starts + numpy.repeat(offsets, lengths)) % sizes


def order_shard(shard: Shard, sizes: Sequence[int]) -> Order:
    """Sort a shard's text positions by n-gram.

    Args:
        shard: its windows.
        sizes: each n, ascending.
    """
    tokens, lengths = shard.tokens, shard.lengths - 1
    before = numpy.arange(len(tokens)) - numpy.repeat(shard.offsets[:-1], lengths)  # text tokens before each in its window
    back = [numpy.where(before >= k, numpy.roll(tokens, k), NONE) for k in range(sizes[-1])]  # back[k]: the token k before
    place = numpy.lexsort(back[::-1])
    even = numpy.repeat(shard.document % 2 == 0, lengths)[place]
    keys = [key[place] for key in back]  # (N,) each
    runs = []
    changed = numpy.zeros(len(tokens), dtype=bool)
    changed[:1] = True
    done = 0
    for n in sizes:
        for key in keys[done:n]:
            changed[1:] |= key[1:] != key[:-1]
        done = n
        first = numpy.flatnonzero(changed)
        occurrences = numpy.diff(numpy.append(first, len(tokens)))
        evens = numpy.add.reduceat(even, first, dtype=numpy.int64) if len(first) else numpy.empty(0, dtype=numpy.int64)
        whole = keys[n - 1][first] != NONE
        first = first[whole]
        ngrams = numpy.stack([key[first] for key in keys[n - 1 :: -1]], axis=1)
        runs.append(Runs(n, ngrams, first.astype(numpy.int32), occurrences[whole], evens[whole]))
    return Order(place.astype(numpy.int32), _rotate(shard)[place].astype(numpy.int32), tuple(runs))


def write_order(windows: Path, sizes: Sequence[int], out_order: Path, out_ngrams: Path) -> None:
    """Sort a shard's text positions by n-gram and write the order and the distinct n-grams.

    Args:
        windows: shard of windows (`neuroncensus.corpora.shards`).
        sizes: each n; any order.
        out_order: parquet with a row a text position, sorted: `place` and `rotated` of `Order`.
        out_ngrams: parquet with a row a distinct n-gram, sorted by n, then as their runs are: `n`, `ngram`, `first`,
            `occurrences`, `occurrences_even` of `Runs`.

    Raises:
        CensusError: the shard is corrupt.
    """
    shard = read_shard(windows)
    order = order_shard(shard, sorted(sizes))
    told = ("corpus", "part", "domain", "shard", "window", "content_sha256")
    metadata = {key: shard.metadata[key] for key in told} | {"n": sorted(sizes)}
    columns = [pyarrow.array(order.place), pyarrow.array(order.rotated)]
    write_table(pyarrow.table(columns, schema=ORDER), out_order, metadata | {"kind": KIND_ORDER})
    tables = [
        pyarrow.table(
            [
                pyarrow.array(numpy.full(len(runs.first), runs.n)),
                lists(runs.ngrams, NGRAMS.field("ngram")),
                *(pyarrow.array(array) for array in (runs.first, runs.occurrences, runs.occurrences_even)),
            ],
            schema=NGRAMS,
        )
        for runs in order.runs
    ]
    write_table(pyarrow.concat_tables(tables).combine_chunks(), out_ngrams, metadata | {"kind": KIND_NGRAMS})


def read_ngrams(path: Path) -> tuple[tuple[Runs, ...], dict]:
    """The distinct n-grams of a shard for each n, ascending, and the file's metadata.

    Raises:
        CensusError: the file is missing, corrupt or another kind of file.
    """
    metadata = read_metadata(path, what="n-gram file")
    if metadata.get("kind") != KIND_NGRAMS:
        raise CensusError(f"n-gram file {path} is a file of {metadata.get('kind')}: delete it and run again")
    table = read_table(path, NGRAMS.names, what="n-gram file")
    sizes = table["n"].to_numpy()
    runs = []
    for n in metadata["n"]:
        part = table.slice(numpy.searchsorted(sizes, n), numpy.searchsorted(sizes, n, side="right") - numpy.searchsorted(sizes, n))
        ngrams = part["ngram"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, n)
        runs.append(Runs(n, ngrams, *(part[name].to_numpy() for name in ("first", "occurrences", "occurrences_even"))))
    return tuple(runs), metadata


def read_order(path: Path, ngrams: Path, shard: Shard) -> Order:
    """The order that `write_order` made of `shard`.

    Raises:
        CensusError: a file is missing, corrupt, or of other windows.
    """
    metadata, (runs, of_runs) = read_metadata(path, what="n-gram file"), read_ngrams(ngrams)
    for file, found in ((path, metadata), (ngrams, of_runs)):
        if found.get("content_sha256") != shard.metadata["content_sha256"] or found.get("n") != metadata.get("n"):
            raise CensusError(f"n-gram file {file} is of other windows than the shard it belongs to: delete it and run again")
    table = read_table(path, ORDER.names, what="n-gram file")
    return Order(table["place"].to_numpy(), table["rotated"].to_numpy(), runs)
