"""The reduction of n-gram counters: how many n-grams cover each neuron (sections 4, 4.1, A.1), without exception exact.

*covering(n)* is the smallest number of n-grams whose activations add up to at least the share (0.95) of the neuron's
activations A: they are taken in falling order. It is asked for up to K n-grams; a shard may have dropped the pairs of a
neuron. Then `sum M` over the shards, which is the most that any K n-grams have, must be less than the share of A, and
proves that K do not suffice. Where that fails the neuron stays *open*, its pairs are collected again, and it is counted.
"""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numba
import numpy
import polars
import pyarrow

from neuroncensus.corpora.ngramindex import read_index
from neuroncensus.errors import CensusError
from neuroncensus.findings.covering import NONE, OPEN, OVER, cover_rows
from neuroncensus.findings.ngramcounts import KEYS, NgramCounts, shard_files
from neuroncensus.findings.shares import least
from neuroncensus.models.description import read_description
from neuroncensus.models.origin import read_source
from neuroncensus.pairs import NAMES
from neuroncensus.tablefiles import read_metadata, read_table, table_writer
from neuroncensus.tables import COVERING, OPEN_NGRAMS

log = logging.getLogger(__name__)

KIND, KIND_OPEN = "n-grams that cover a neuron", "neurons whose n-grams are collected again"


def _cover(counts: NgramCounts, frames: Sequence[polars.DataFrame], sums: numpy.ndarray) -> polars.DataFrame:
    """The keys of a group with A, its even part, and covering or NONE, OVER, OPEN."""
    settings = counts.metadata["ngrams"]
    keys, rows = frames[0][KEYS], len(frames[0])
    lists = [[frame[name].to_arrow() for frame in frames] for name in NAMES]
    offsets = numpy.zeros((len(frames), rows + 1), dtype=numpy.int64)
    start = 0
    for place, frame in enumerate(frames):
        numpy.cumsum(frame["ngrams"].list.len().to_numpy(), out=offsets[place, 1:])
        offsets[place] += start
        start = offsets[place, -1]
    flat = [numpy.concatenate([part.flatten().to_numpy(zero_copy_only=False) for part in parts]) for parts in lists]
    starts = numpy.zeros((len(frames), rows), dtype=numpy.int64)
    sizes = keys["n"].to_numpy()
    for place, of_shard in enumerate(counts.map_starts):
        for n, start in of_shard.items():
            starts[place, sizes == n] = start
    activations, at_most = (numpy.sum([frame[name].to_numpy() for frame in frames], axis=0) for name in ("activations", "covered"))
    kept = numpy.stack([frame["kept"].to_numpy() for frame in frames])
    covering, even = numpy.zeros((2, rows), dtype=numpy.int64)
    needs = least(activations, settings["share"])
    cover_rows(offsets, *flat, counts.maps, starts, kept, at_most, needs, settings["most"], sums, covering, even)
    return keys.with_columns(activations=activations, activations_even=even, covering=covering)


def _table(covered: polars.DataFrame) -> pyarrow.Table:
    """Rows of `COVERING`: each neuron and n, its null beside it."""
    found = polars.col("covering") > 0
    told = covered.with_columns(
        activations_even=polars.when(found).then("activations_even"),
        covering=polars.when(found).then("covering"),
    )
    null = told.filter("rotated").select(*KEYS[:3], null_activations="activations", null_covering="covering")
    table = told.filter(~polars.col("rotated")).drop("rotated").join(null, on=KEYS[:3], how="left", maintain_order="left")
    return table.select(COVERING.names).to_arrow().cast(COVERING.schema)


def _sums(index: dict[int, polars.DataFrame]) -> numpy.ndarray:
    return numpy.zeros((numba.get_num_threads(), max(len(ngrams) for ngrams in index.values())), dtype=numpy.int64)


def _metadata(counts: NgramCounts, description: Path) -> dict:
    about, first = read_description(description), counts.metadata
    if first["model_digest"] != about.digest:
        raise CensusError(f"shard file {counts.shards[0].counters[0]} is of other weights than {description}: delete it and run again")
    shared = {key: first[key] for key in ("model", "model_digest", "corpus", "window", "dtype", "device", "threads")}
    asked = {key: first["ngrams"][key] for key in ("share", "most", "rotation_null")}
    text = {"tokens_core": counts.positions, "n": sorted(counts.numbers[0]), "layers_covered": first["layers_covered"]}
    return shared | asked | text | {"version": version("neuroncensus")}


def reduce_ngrams(counters: Sequence[Path], ngrams: Sequence[Path], index: Path, description: Path, out: Path, out_open: Path) -> None:
    """Add up the n-gram counters of all shards of core.

    Args:
        counters: n-gram counters of every shard of core, in order, stages inside (`neuroncensus.collect.shard`).
        ngrams: the n-grams of every shard (`neuroncensus.corpora.ngrams`).
        index: the n-grams of core (`neuroncensus.corpora.ngramindex.index_ngrams`).
        description: the model's `model.json`.
        out: parquet of `neuroncensus.tables.COVERING`; `covering` of open neurons is null as yet.
        out_open: parquet of `neuroncensus.tables.OPEN_NGRAMS`: the neurons that some shard dropped without proof.

    Raises:
        CensusError: a file is corrupt, or the shards are not of one census (names both files and the setting).
    """
    entries = read_index(index)
    counts, sums = NgramCounts(shard_files(counters, ngrams), entries), _sums(entries)
    metadata = _metadata(counts, description)
    told = dict.fromkeys(("kept", "proved", "open", "silent"), 0)
    with (
        # Not in `out_open`: other text in one domain is no reason to collect another's n-grams again.
        table_writer(out, COVERING.schema, metadata | {"kind": KIND, "text_core_sha256": counts.text}) as write,
        table_writer(out_open, OPEN_NGRAMS.schema, metadata | {"kind": KIND_OPEN}) as write_open,
    ):
        for frames in counts.groups():
            covered = _cover(counts, frames, sums)
            write(_table(covered))
            left = covered.filter(polars.col("covering") == OPEN).select(KEYS)
            if len(left):
                write_open(left.to_arrow().cast(OPEN_NGRAMS.schema))
            everywhere = numpy.all([frame["kept"].to_numpy() for frame in frames], axis=0)
            told["silent"] += int((covered["covering"] == NONE).sum())
            told["open"] += len(left)
            told["proved"] += int(((covered["covering"] == OVER).to_numpy() & ~everywhere).sum())
            told["kept"] += int((everywhere & (covered["covering"] != NONE).to_numpy()).sum())
    log.info("of neurons by n, the null counted: %(silent)d never active, %(kept)d counted, %(proved)d proved over, %(open)d open", told)


def complete_ngrams(
    counters: Sequence[Path],
    ngrams: Sequence[Path],
    again: Sequence[Path],
    index: Path,
    reduced: Path,
    still_open: Path,
    source: Path,
    out: Path,
) -> None:
    """Put the neurons that were collected again into the table.

    Args:
        counters, ngrams: as for `reduce_ngrams`.
        again: what was collected again of every shard (`neuroncensus.collect.again`).
        index: as for `reduce_ngrams`.
        reduced, still_open: what `reduce_ngrams` wrote.
        source: the model's `source.json`.
        out: parquet of `neuroncensus.tables.COVERING`, whole.

    Raises:
        CensusError: a file is corrupt, or what was collected again is not what was asked for.
    """
    table, wanted = polars.DataFrame(read_table(reduced, COVERING.names)), polars.DataFrame(read_table(still_open, OPEN_NGRAMS.names))
    if len(wanted):
        entries = read_index(index)
        counts, sums = NgramCounts(shard_files(counters, ngrams, again), entries), _sums(entries)
        found = polars.concat([_cover_whole(counts, frames, sums) for frames in counts.groups(wanted)])
        for rotated, prefix in ((False, ""), (True, "null_")):
            columns = {f"{prefix}covering": "covering"} | ({} if rotated else {"activations_even": "activations_even"})
            covered = found.filter((polars.col("rotated") == rotated) & (polars.col("covering") > 0))
            patch = covered.select(*KEYS[:3], **{to: polars.col(name) for to, name in columns.items()})
            table = table.update(patch, on=KEYS[:3], how="left")
    metadata = read_metadata(reduced)
    with table_writer(out, COVERING.schema, metadata | read_source(source, metadata["model_digest"])) as write:
        write(table.select(COVERING.names).to_arrow().cast(COVERING.schema))


def _cover_whole(counts: NgramCounts, frames: Sequence[polars.DataFrame], sums: numpy.ndarray) -> polars.DataFrame:
    covered = _cover(counts, frames, sums)
    assert (covered["covering"] != OPEN).all(), "what was open was collected again"
    return covered
