"""What counting n-grams costs: n = 1, 2, 3 together ÷ the forward pass of the layers that are counted, without and with the null.

125m shape, random weights, made text by Zipf's law. The recorder's own time is taken within the collection, so both parts are of one run;
the rest is the forward pass with the other counters. Then what a shard of one million positions writes at 66b shape: bits of one block of
neurons are made up, a third of them dead, rates of the others spread from 1e-5 to 0.2, half of the activations drawn by a few tokens of the
neuron's own; times the blocks of the 32 layers that are counted.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy
import torch

from benchmarks._common import BATCH_TOKENS, NGRAMS, SIZES, THREADS, Options, Row, main
from benchmarks._made import OPT_125M, SPARSE, TINY, Model, Text, make_model, make_text
from neuroncensus.collect.activations import ActivationRecorder
from neuroncensus.collect.batches import Batch, make_batches
from neuroncensus.collect.job import Settings, open_job
from neuroncensus.collect.ngrams import NgramRecorder, NgramSettings
from neuroncensus.collect.observation import Observation
from neuroncensus.collect.shard import run_stage
from neuroncensus.collect.words import WORD, words_of
from neuroncensus.corpora.ngrams import order_shard
from neuroncensus.corpora.shards import read_shard
from neuroncensus.sizes import BLOCK
from neuroncensus.tablefiles import table_writer
from neuroncensus.tables import NGRAM_COUNTERS

LAYERS, POSITIONS, WINDOW = 2, 32_768, 512
BLOCKS_66B, LAYERS_66B, SHARD_66B = 36_864 // BLOCK, 32, 1_000_000
DEAD = 1 / 3


class Timed(NgramRecorder):
    """The recorder with a clock."""

    seconds = 0.0

    def record(self, batch: Batch, seen: Observation) -> None:
        start = time.perf_counter()
        super().record(batch, seen)
        self.seconds += time.perf_counter() - start

    def end(self, layer: int) -> Callable[[], object]:
        work = super().end(layer)

        def timed() -> None:
            start = time.perf_counter()
            work()
            self.seconds += time.perf_counter() - start

        return timed


def _share(model: Model, text: Text, dtype: str, null: bool, out: Path) -> float:
    """Seconds of the recorder ÷ seconds of everything else."""
    where = {"folder": model.folder, "description": model.description, "windows": text.shards[0]}
    settings = Settings("cpu", dtype, THREADS, BATCH_TOKENS, stages=1, skip_silent=True)
    job = open_job(settings, part="core", domain="prose", shard=0, **where)
    layers, order = range(LAYERS), order_shard(job.text, SIZES)
    with table_writer(out, NGRAM_COUNTERS.schema, {}) as write:
        asked = NgramSettings(NGRAMS.share, NGRAMS.most, null)
        counted = Timed(order, job.text, job.batches, model.architecture.ffn, layers, asked, job.compute.device, write)
        others = ActivationRecorder(job.text.document, model.architecture.ffn, torch.device("cpu"), lambda _table: None)
        start = time.perf_counter()
        run_stage(job, layers, [others, counted], "", hidden_before=None, hidden_after=None)
        whole = time.perf_counter() - start
    return counted.seconds / (whole - counted.seconds)


def made_words(tokens: numpy.ndarray, neurons: int) -> numpy.ndarray:
    """Bits of made-up neurons at each text position, (N, words) uint64."""
    generator = numpy.random.default_rng(1)
    bits = numpy.zeros((len(tokens), words_of(neurons)), dtype=numpy.uint64)
    rates = numpy.exp(generator.uniform(*numpy.log(SPARSE), neurons))
    rates[generator.random(neurons) < DEAD] = 0
    order = numpy.argsort(tokens, kind="stable")
    for neuron in numpy.flatnonzero(rates):
        wanted = int(rates[neuron] * len(tokens) / 2)
        starts = generator.integers(0, len(tokens), 5)
        own = numpy.concatenate([order[start : start + wanted // 5] for start in starts])
        places = numpy.unique(numpy.concatenate([own, generator.integers(0, len(tokens), wanted)]))
        bits[places, neuron // WORD] |= numpy.uint64(1) << numpy.uint64(neuron % WORD)
    return bits


def write_blocks(windows: Path, out: Path, metadata: dict, blocks: int = 1) -> float:
    """Counters of blocks of made-up neurons, all alike, over a shard, in layer 0; seconds that counting and writing took."""
    shard = read_shard(windows)
    batches = make_batches(shard.lengths, BATCH_TOKENS)
    with table_writer(out, NGRAM_COUNTERS.schema, metadata) as write:
        recorder = NgramRecorder(order_shard(shard, SIZES), shard, batches, blocks * BLOCK, range(1), NGRAMS, torch.device("cpu"), write)
        recorder.begin(0)
        starts = numpy.concatenate([batch.first_row + numpy.arange(len(batch.windows)) * batch.shape[1] for batch in batches])
        # All windows are full, and batches take them in order.
        text_rows = (starts[:, None] + numpy.arange(1, shard.lengths[0])).ravel()[: len(shard.tokens)]
        recorder.words[text_rows] = torch.from_numpy(numpy.tile(made_words(shard.tokens, BLOCK), blocks).view(numpy.int64))
        start = time.perf_counter()
        recorder.end(0)()
        return time.perf_counter() - start


def _bytes_66b(folder: Path, *, positions: int) -> Row:
    windows = make_text(folder / "text-66b", OPT_125M.vocabulary, window=2048, positions=positions).shards[0]
    out = folder / "66b.parquet"
    seconds = write_blocks(windows, out, {})
    size = out.stat().st_size * BLOCKS_66B * LAYERS_66B / 1e9
    note = f"one block of {BLOCK} neurons, {seconds:.1f} s, times {BLOCKS_66B * LAYERS_66B}; the null included"
    return Row(f"66b shape, {positions:,} positions: written a shard", size, "under 2 GB", unit="GB", note=note)


def rows(options: Options) -> Iterator[Row]:
    """Both dtypes, without and with the null; then the bytes."""
    shape, positions, window = (TINY, 512, 64) if options.quick else (OPT_125M.with_layers(LAYERS), POSITIONS, WINDOW)
    model = make_model(options.folder / "model", shape)
    text = make_text(options.folder / "text", shape.vocabulary, window=window, positions=positions)
    for dtype in ("float32", "bfloat16"):
        for null, target in ((False, "at most 0.10"), (True, "at most 0.20")):
            measure = partial(_share, model, text, dtype, null, options.folder / "counters.parquet")
            measure()
            figure = min(measure() for _ in range(options.repeats))
            yield Row(f"n = 1, 2, 3, {dtype}{', with the null' if null else ''} ÷ the rest of the collection", figure, target)
    yield _bytes_66b(options.folder, positions=20_480 if options.quick else SHARD_66B)


if __name__ == "__main__":
    main(rows)
