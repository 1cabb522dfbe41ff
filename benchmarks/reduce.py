"""Reducing, classifying and plotting a model of 66b size: 64 layers of 36,864 neurons, 20 shards of made-up counts.

Dead neurons are done in full, in a process of their own. N-grams are done for FEW blocks of neurons of one layer over ten core
shards of a million positions: what is done once is timed apart, and what a block takes is multiplied to the 32 layers that are
counted; memory is not, since blocks pass one after the other. Positions are done for one layer and multiplied to all 64. Making
up the counts is in no figure.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy
import polars
import pyarrow

from benchmarks._common import NGRAMS, SIZES, Options, Row, main
from benchmarks._made import OPT_125M, make_text
from benchmarks._memory import watched
from benchmarks.ngrams import BLOCKS_66B, LAYERS_66B, write_blocks
from neuroncensus.collect.shard import KIND, KIND_NGRAMS, KIND_POSITIONS
from neuroncensus.corpora.ngramindex import index_ngrams
from neuroncensus.corpora.ngrams import write_order
from neuroncensus.corpora.shards import read_shard
from neuroncensus.figures.dead import plot_dead
from neuroncensus.findings import ngrams as ngrams_reduced
from neuroncensus.findings.dead import classify_dead
from neuroncensus.findings.frequency import reduce_frequency, reduce_stage
from neuroncensus.findings.ngramcounts import NgramCounts, ShardFiles
from neuroncensus.findings.ngrams import reduce_ngrams
from neuroncensus.findings.positional import classify_positional
from neuroncensus.findings.positioncounts import reduce_positions
from neuroncensus.jsonfiles import write_json
from neuroncensus.models.architecture import read_architecture
from neuroncensus.models.description import Description
from neuroncensus.models.origin import record_source
from neuroncensus.tablefiles import packed, read_metadata, write_table
from neuroncensus.tables import BOUNDS, COUNTERS, POSITION_COUNTERS

LAYERS, NEURONS, SHARDS, CORE_SHARDS, STAGES = 64, 36_864, 20, 10, 2
POSITIONS = 1_000_000
FEW = 9
"""Blocks of neurons, of 72 in a layer."""
POSITION_SHARDS, WINDOW, FULL_WINDOWS = 10, 2048, 450
"""Shards that count by position, and the full windows of each."""


def _describe(folder: Path, layers: int, neurons: int) -> tuple[Path, Path, str]:
    """`model.json`, `source.json` and digest of a model that has no weights."""
    config = {"model_type": "opt", "hidden_size": neurons // 4, "ffn_dim": neurons, "num_hidden_layers": layers, "num_attention_heads": 1}
    config |= {"vocab_size": OPT_125M.vocabulary, "max_position_embeddings": 2048, "activation_function": "relu", "bos_token_id": 2}
    about = Description("made", read_architecture(config, "made"), ("float16",), ())
    description, source = folder / "model.json", folder / "source.json"
    write_json(asdict(about), description)
    record_source(description, folder, source="made", checksums=None, out=source)
    return description, source, about.digest


def _shared(digest: str) -> dict:
    """What every shard of the made-up census says of it."""
    machine = {"dtype": "float16", "device": "cpu", "threads": 2, "batch_tokens": 16384, "stages": STAGES, "skip_silent": True}
    return machine | {"model": "made", "model_digest": digest, "corpus": "made", "window": WINDOW, "part": "core", "domain": "prose"}


def _write_counters(folder: Path, digest: str, layers: int, neurons: int, shards: int) -> list[list[Path]]:
    """Counters of activations of every shard, stages outside."""
    generator, size = numpy.random.default_rng(1), layers // STAGES * neurons
    keys = [numpy.repeat(numpy.arange(layers), neurons), numpy.tile(numpy.arange(neurons), layers)]
    files = []
    for stage in range(STAGES):
        rows = slice(stage * size, (stage + 1) * size)
        ends = {"first_layer": stage * layers // STAGES, "end_layer": (stage + 1) * layers // STAGES}
        paths = [folder / f"{stage}-{shard}.parquet" for shard in range(shards)]
        for shard, path in enumerate(paths):
            counts = generator.integers(0, POSITIONS // 10, size) * (generator.random(size) > 0.3)
            documents = numpy.minimum(counts, 500)
            columns = [*(key[rows] for key in keys), counts, counts * 0, documents, counts > 10, counts > 20]
            text = {"kind": KIND, "shard": shard, "positions": POSITIONS, "documents": 502, "windows": 600, "content_sha256": str(shard)}
            told = _shared(digest) | text | ends | {"first_document": shard * 502, "last_document": shard * 502 + 501}
            write_table(pyarrow.table([pyarrow.array(column) for column in columns], schema=COUNTERS.schema), path, told)
        files.append(paths)
    return files


def _write_bounds(frequency: Path, out: Path, layers: int, neurons: int) -> None:
    size = layers * neurons
    columns = [numpy.repeat(numpy.arange(layers), neurons), numpy.tile(numpy.arange(neurons), layers), numpy.ones(size), numpy.ones(size)]
    arrays = [pyarrow.array(column) for column in (*columns, numpy.zeros(size, dtype=bool))]
    told = {key: read_metadata(frequency)[key] for key in ("model", "model_digest", "dtype")}
    write_table(pyarrow.table(arrays, schema=BOUNDS.schema), out, told)


def _dead(folder: Path, files: list[list[Path]], layers: int, neurons: int) -> float:
    """Seconds from counters to figure."""
    description, source, frequency, bounds, dead = (
        folder / name for name in ("model.json", "source.json", "frequency.parquet", "bounds.parquet", "dead.parquet")
    )
    start = time.perf_counter()
    stages = [folder / f"stage-{stage}.parquet" for stage in range(STAGES)]
    for paths, out in zip(files, stages, strict=True):
        reduce_stage(paths, description, out)
    reduce_frequency(stages, source, frequency)
    seconds = time.perf_counter() - start
    _write_bounds(frequency, bounds, layers, neurons)
    start = time.perf_counter()
    classify_dead(frequency, bounds, dead)
    plot_dead(dead, folder / "dead.pdf", columns=2, dpi=200)
    return seconds + time.perf_counter() - start


def _write_shards(folder: Path, digest: str, shards: int, positions: int) -> tuple[list[ShardFiles], Path]:
    """N-gram counters of FEW blocks of neurons for every core shard, and the index of the n-grams."""
    text = make_text(folder / "text", OPT_125M.vocabulary, window=2048, positions=positions * shards, shards=shards)
    files = []
    for shard, windows in enumerate(text.shards):
        ngrams = folder / f"ngrams-{shard}.parquet"
        write_order(windows, SIZES, folder / "order.parquet", ngrams)
        told = {"kind": KIND_NGRAMS, "shard": shard, "positions": positions, "layers_covered": 1, "ngrams": asdict(NGRAMS)}
        told |= _shared(digest) | {"content_sha256": read_shard(windows).metadata["content_sha256"]}
        counters = folder / f"blocks-{shard}.parquet"
        write_blocks(windows, counters, told, FEW)
        files.append(ShardFiles((counters,), ngrams))
    index = folder / "index.parquet"
    index_ngrams([of_shard.ngrams for of_shard in files], index)
    return files, index


class Clocked(NgramCounts):
    """The counters with a clock: when the first block was asked for."""

    begun = 0.0

    def groups(self, wanted: polars.DataFrame | None = None) -> Iterator[list[polars.DataFrame]]:
        Clocked.begun = time.perf_counter()
        return super().groups(wanted)


def _ngrams(folder: Path, files: list[ShardFiles], index: Path) -> tuple[float, float]:
    """Seconds of the reduction: before the first block, and of a block."""
    ngrams_reduced.NgramCounts = Clocked  # ty: ignore[invalid-assignment]
    start = time.perf_counter()
    counters, ngrams = [path for of_shard in files for path in of_shard.counters], [of_shard.ngrams for of_shard in files]
    reduce_ngrams(counters, ngrams, index, folder / "model.json", folder / "covering.parquet", folder / "open.parquet")
    return Clocked.begun - start, (time.perf_counter() - Clocked.begun) / FEW


def _write_positions(folder: Path, digest: str, neurons: int, shards: int) -> list[Path]:
    """Position counters of one layer in every shard: rates from 1e-5 to 0.2, a third of the neurons dead, one in fifty positional."""
    generator, files = numpy.random.default_rng(2), []
    rates = numpy.exp(generator.uniform(numpy.log(1e-5), numpy.log(0.2), (neurons, 1)))
    rates = (rates * (generator.random((neurons, 1)) > 1 / 3)).astype(numpy.float32) * numpy.ones((1, WINDOW), dtype=numpy.float32)
    wave = 0.5 + 0.5 * numpy.sin(numpy.linspace(0, 18, WINDOW, dtype=numpy.float32))
    rates[generator.choice(neurons, neurons // 50, replace=False)] = wave
    keys = [pyarrow.array(numpy.zeros(neurons, dtype=int)), pyarrow.array(numpy.arange(neurons))]
    for shard in range(shards):
        path = folder / f"positions-{shard}.parquet"
        told = _shared(digest) | {"kind": KIND_POSITIONS, "shard": shard, "positions": POSITIONS, "full_windows": FULL_WINDOWS}
        told |= {"content_sha256": str(shard), "first_layer": 0, "end_layer": 1}
        counts = generator.binomial(FULL_WINDOWS, rates)
        write_table(pyarrow.table([*keys, packed(counts)], schema=POSITION_COUNTERS.schema), path, told)
        files.append(path)
    return files


def _positions(folder: Path, files: list[Path]) -> float:
    """Seconds from one layer's counters to its rows."""
    start = time.perf_counter()
    total = folder / "positions.parquet"
    reduce_positions(files, folder / "model.json", total)
    shapes = {"half_width": 1 / 512, "interval": 1 / 128, "weak": 0.10, "strong": 0.01, "explained": 0.90}
    classify_positional([total], folder / "source.json", 0.05, shapes, folder / "positional.parquet", folder / "profiles.parquet")
    return time.perf_counter() - start


def rows(options: Options) -> Iterator[Row]:
    """Dead neurons in full, positions of one layer, n-grams of few blocks."""
    layers, neurons, shards, core = (4, 256, 3, 2) if options.quick else (LAYERS, NEURONS, SHARDS, CORE_SHARDS)
    _, _, digest = _describe(options.folder, layers, neurons)
    dead = watched(_dead, options.folder, _write_counters(options.folder, digest, layers, neurons, shards), layers, neurons)
    note = f"peak {dead.peak / 1e9:.1f} GB; {layers} layers of {neurons} neurons, {shards} shards"
    yield Row("frequency, dead and figure", dead.result, "the three together at most 600 s, 8 GB", unit="s", note=note)
    counted = _write_positions(options.folder, digest, neurons, 2 if options.quick else POSITION_SHARDS)
    found = [watched(_positions, options.folder, counted) for _ in range(options.repeats)]
    seconds, peak = min(run.result for run in found), max(run.peak for run in found)
    note = f"{seconds:.1f} s a layer of {len(counted)} shards, times {layers}; peak {peak / 1e9:.1f} GB"
    yield Row("positions, extrapolated", seconds * layers, "the three together at most 600 s, 8 GB", unit="s", note=note)
    files, index = _write_shards(options.folder, digest, core, 20_480 if options.quick else POSITIONS)
    runs = [watched(_ngrams, options.folder, files, index) for _ in range(options.repeats)]
    once, each = (min(run.result[place] for run in runs) for place in range(2))
    blocks, peak = BLOCKS_66B * LAYERS_66B, max(run.peak for run in runs)
    note = f"{once:.1f} s once, {each:.2f} s a block of neurons, {blocks} blocks; peak {peak / 1e9:.1f} GB"
    yield Row("n-grams, extrapolated", once + each * blocks, "the three together at most 600 s, 8 GB", unit="s", note=note)


if __name__ == "__main__":
    main(rows)
