"""Counters of n-grams of all core shards, read group by group: the same neurons of every shard together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy
import polars

from neuroncensus.corpora.ngramindex import number_ngrams
from neuroncensus.corpora.ngrams import read_ngrams
from neuroncensus.errors import CensusError
from neuroncensus.findings.agree import check_shards, text_digest
from neuroncensus.pairs import NAMES, unpack_pairs
from neuroncensus.tablefiles import corruption_told, read_metadata, read_row_groups
from neuroncensus.tables import NGRAM_COUNTERS, OPEN_NGRAMS

KEYS = OPEN_NGRAMS.names
WHAT = "shard file"


@dataclass(frozen=True)
class ShardFiles:
    """Where the n-gram counters of one shard are.

    Attributes:
        counters: of each stage that has layers covered, in order (`neuroncensus.collect.shard`).
        ngrams: the shard's n-grams (`neuroncensus.corpora.ngrams`).
        again: what was collected again (`neuroncensus.collect.again`); None before that.
    """

    counters: tuple[Path, ...]
    ngrams: Path
    again: Path | None = None


def shard_files(counters: Sequence[Path], ngrams: Sequence[Path], again: Sequence[Path] | None = None) -> list[ShardFiles]:
    """The files of every shard from lists of all of them, shards in one order, stages inside."""
    stages = len(counters) // len(ngrams)
    counted = [tuple(counters[place : place + stages]) for place in range(0, len(counters), stages)]
    second = again if again is not None else [None] * len(ngrams)
    return [ShardFiles(*files) for files in zip(counted, ngrams, second, strict=True)]


def read_pairs(path: Path) -> Iterator[polars.DataFrame]:
    """Group by group the rows of a shard, as `neuroncensus.tables.NGRAM_COUNTERS`, with lists of their pairs (`neuroncensus.pairs`).

    Raises:
        CensusError: as `neuroncensus.tablefiles.read_table`.
    """
    for table in read_row_groups(path, NGRAM_COUNTERS.names, what=WHAT):
        with corruption_told(path, WHAT):
            yield polars.DataFrame(unpack_pairs(table))


class NgramCounts:
    """The counters of all shards of core.

    Args:
        shards: every shard of core.
        index: the n-grams of core (`neuroncensus.corpora.ngramindex.read_index`).

    Raises:
        CensusError: the shards are not of one census, or a shard's n-grams are not its own.
    """

    def __init__(self, shards: Sequence[ShardFiles], index: Mapping[int, polars.DataFrame]):
        self.shards = shards
        files = [[(path, read_metadata(path, what=WHAT)) for path in shard.counters] for shard in shards]
        check_shards(list(chain.from_iterable(files)), "ngrams", "layers_covered")
        first = [of_shard[0][1] for of_shard in files]
        self.metadata: dict[str, Any] = first[0]
        self.positions = sum(metadata["positions"] for metadata in first)
        self.text = text_digest(first)
        read = [read_ngrams(shard.ngrams) for shard in shards]
        for shard, counted, (_, metadata) in zip(shards, first, read, strict=True):
            if metadata["content_sha256"] != counted["content_sha256"]:
                raise CensusError(f"n-gram file {shard.ngrams} is of other windows than {shard.counters[0]}: delete both and run again")
        self.numbers = number_ngrams(index, [runs for runs, _ in read])
        # All of them end to end, and where those of a shard and n begin: what the kernel looks n-grams up in.
        numbers = [of_n for of_shard in self.numbers for of_n in of_shard.values()]
        self.maps = numpy.concatenate(numbers)
        starts = iter(numpy.cumsum([0, *map(len, numbers)]).tolist())
        self.map_starts = [{n: next(starts) for n in of_shard} for of_shard in self.numbers]

    def groups(self, wanted: polars.DataFrame | None = None) -> Iterator[list[polars.DataFrame]]:
        """Group by group of neurons the rows of every shard, as `read_pairs`; keys are the same in all.

        Args:
            wanted: only rows with these `layer`, `neuron`, `n`, `rotated`. What was collected again stands in its place.
        """
        again = [_collected_again(shard.again) for shard in self.shards] if wanted is not None else []
        for stage in range(len(self.shards[0].counters)):
            for frames in map(list, zip(*(read_pairs(shard.counters[stage]) for shard in self.shards), strict=True)):
                if any(not frame[KEYS].equals(frames[0][KEYS]) for frame in frames):
                    raise CensusError(f"shard files {self.shards[0].counters[stage]} and its neighbours differ in their rows: run again")
                if wanted is None:
                    yield frames
                    continue
                rows = frames[0][KEYS].join(wanted, on=KEYS, how="semi", maintain_order="left")
                if len(rows):
                    yield [_patched(frame, rows, other) for frame, other in zip(frames, again, strict=True)]

    def pairs(self, wanted: polars.DataFrame) -> Iterator[polars.DataFrame]:
        """All pairs of some neurons, in pieces: layer, neuron, n, ngram (its number in the index), activations, activations_even.

        Args:
            wanted: `layer`, `neuron`, `n` of neurons whose pairs no shard has dropped, or that were collected again.
        """
        for frames in self.groups(wanted.with_columns(rotated=False)):
            pieces = []
            for frame, numbers in zip(frames, self.numbers, strict=True):
                assert frame["kept"].all(), "pairs of a neuron that is covered were kept or collected again"
                flat = frame.select("layer", "neuron", "n", *NAMES).explode(*NAMES, empty_as_null=False)
                sizes = flat["n"].to_numpy()
                number = numpy.empty(len(flat), dtype=numpy.int32)
                for n, of_shard in numbers.items():
                    number[sizes == n] = of_shard[flat["ngrams"].to_numpy()[sizes == n]]
                pieces.append(flat.with_columns(ngram=number))
            yield (
                polars.concat(pieces)
                .group_by("layer", "neuron", "n", "ngram")
                .agg(
                    activations=polars.col("counts").cast(polars.Int64).sum(),
                    activations_even=polars.col("counts_even").cast(polars.Int64).sum(),
                )
                .sort("layer", "neuron", "n", "ngram")
            )


def _collected_again(path: Path | None) -> polars.DataFrame | None:
    if path is None:
        return None
    none = polars.DataFrame(unpack_pairs(NGRAM_COUNTERS.schema.empty_table()))
    return polars.concat([none, *read_pairs(path)])


def _patched(frame: polars.DataFrame, rows: polars.DataFrame, again: polars.DataFrame | None) -> polars.DataFrame:
    """The wanted rows of a shard, those it dropped as they were collected again."""
    frame = rows.join(frame, on=KEYS, how="left", maintain_order="left")
    if again is None or frame["kept"].all():
        return frame
    dropped = frame.filter(~polars.col("kept"))
    found = dropped[KEYS].join(again, on=KEYS, how="left", maintain_order="left")
    if not found["activations"].equals(dropped["activations"]):
        raise CensusError("n-grams collected again do not have the activations of the first time: delete both collections and run again")
    return polars.concat([frame.filter(polars.col("kept")), found]).sort(KEYS)
