"""The n-grams of the whole core, over all shards: which there are and how often each occurs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy
import polars
import pyarrow

from neuroncensus.corpora.ngrams import Runs, read_ngrams
from neuroncensus.errors import CensusError
from neuroncensus.tablefiles import lists, read_metadata, read_table, table_writer
from neuroncensus.tables import NGRAM_INDEX

KIND = "n-grams of core"
WHAT = "n-gram file"


def _frame(ngrams: numpy.ndarray, **columns: numpy.ndarray) -> polars.DataFrame:
    """N-grams, (G, n), as a column a token, so that they sort and join as tuples do."""
    return polars.DataFrame({f"t{place}": ngrams[:, place] for place in range(ngrams.shape[1])} | columns)


def _tokens(n: int) -> list[str]:
    return [f"t{place}" for place in range(n)]


def _add_up(shards: Sequence[Runs]) -> pyarrow.Table:
    """The distinct n-grams of one n, sorted as tuples, with their occurrences added up."""
    n = shards[0].n
    parts = [_frame(runs.ngrams, occurrences=runs.occurrences, occurrences_even=runs.occurrences_even) for runs in shards]
    total = polars.concat(parts).group_by(_tokens(n)).agg(polars.col("occurrences", "occurrences_even").sum()).sort(_tokens(n))
    ngrams = lists(total.select(_tokens(n)).to_numpy(), NGRAM_INDEX.schema.field("ngram"))
    counts = [pyarrow.array(total[name].to_numpy()) for name in ("occurrences", "occurrences_even")]
    return pyarrow.table([pyarrow.array(numpy.full(len(total), n)), ngrams, *counts], schema=NGRAM_INDEX.schema)


def index_ngrams(shards: Sequence[Path], out: Path) -> None:
    """Add up the n-grams of all core shards of a corpus.

    Args:
        shards: n-gram files (`neuroncensus.corpora.ngrams.write_order`), every shard of core, in order.
        out: parquet of `neuroncensus.tables.NGRAM_INDEX`, sorted by n and n-gram; a row group for each n.

    Raises:
        CensusError: a file is corrupt, or the shards were made for different n.
    """
    read = [read_ngrams(path) for path in shards]
    metadata = read[0][1]
    for path, (_, other) in zip(shards, read, strict=True):
        if any(other[key] != metadata[key] for key in ("corpus", "window", "n")):
            raise CensusError(f"{WHAT}s {shards[0]} and {path} are not of one corpus: delete both and run again")
    told = {key: metadata[key] for key in ("corpus", "window", "n")} | {"kind": KIND, "shards": [m["content_sha256"] for _, m in read]}
    with table_writer(out, NGRAM_INDEX.schema, told) as write:
        for runs in zip(*(of_shard for of_shard, _ in read), strict=True):
            write(_add_up(runs))


def read_index(path: Path) -> dict[int, polars.DataFrame]:
    """For each n the n-grams of core: columns `ngram`, `occurrences`, `occurrences_even`; a row's number is the n-gram's.

    Raises:
        CensusError: the file is corrupt or another kind of file.
    """
    metadata = read_metadata(path, what=WHAT)
    if metadata.get("kind") != KIND:
        raise CensusError(f"{WHAT} {path} is a file of {metadata.get('kind')}: delete it and run again")
    table = polars.DataFrame(read_table(path, NGRAM_INDEX.names, what=WHAT))
    return {n: table.filter(polars.col("n") == n).drop("n") for n in metadata["n"]}


def number_ngrams(index: Mapping[int, polars.DataFrame], shards: Sequence[Sequence[Runs]]) -> list[dict[int, numpy.ndarray]]:
    """For each shard and n the number in the index of each n-gram, (G,) int32.

    Raises:
        CensusError: a shard has an n-gram that is not in the index.
    """
    numbered = {}
    for n, entries in index.items():
        flat = entries["ngram"].explode(empty_as_null=False).to_numpy().reshape(-1, n)
        numbered[n] = _frame(flat, number=numpy.arange(len(flat), dtype=numpy.int32))

    def find(runs: Runs) -> numpy.ndarray:
        found = _frame(runs.ngrams).join(numbered[runs.n], on=_tokens(runs.n), how="left", maintain_order="left")["number"]
        if found.null_count():
            raise CensusError(f"the n-grams of core lack one of {runs.n} tokens that a shard has: delete the n-gram files and run again")
        return found.to_numpy()

    return [{runs.n: find(runs) for runs in shard} for shard in shards]
