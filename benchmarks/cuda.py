"""On CUDA: the engine's rate ÷ the device's own rate for matrix products of the same shapes, and the device memory it takes.

66b shape, float16, random weights, a third of the neurons silent, rates of the others from 1e-5 to 0.2. The device's own rate
is that of the six products of a block (q, k, v, out, fc1, fc2) on a batch, one after the other, with nothing between them.
Rates are FLOP a second with `neuroncensus.report.costs.layer_flops` a position. Measured: blocks alone, as plan.md's calibration
does; then collect jobs of LAYERS layers with activations alone, with every counter, and with the null of n-grams too. Their rate
is that of the layers between the first and the last, from beginning to beginning: the counters of the one before are counted and
written meanwhile. What a stage does once, reading the embedding, pinning memory and counting the last layer, a job of 32 layers
does once in 32; how long the whole job took is in the note. Without CUDA there is nothing to measure.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks._common import NGRAMS, SIZES, Options, Row, main
from benchmarks._made import PART, PROSE, SPARSE, TINY, Model, Shape, Text, make_model, make_text
from neuroncensus.collect.activations import ActivationRecorder
from neuroncensus.collect.batches import Batch
from neuroncensus.collect.devices import resolve_compute
from neuroncensus.collect.job import Settings, open_job
from neuroncensus.collect.ngrams import NgramRecorder
from neuroncensus.collect.observation import Observation, Wanted
from neuroncensus.collect.positions import PositionRecorder
from neuroncensus.collect.recorder import Recorder
from neuroncensus.collect.shard import run_stage
from neuroncensus.corpora.ngrams import order_shard
from neuroncensus.models.architecture import Architecture
from neuroncensus.report.calibration import measure_rate
from neuroncensus.report.costs import layer_flops
from neuroncensus.tablefiles import table_writer
from neuroncensus.tables import COUNTERS, NGRAM_COUNTERS, POSITION_COUNTERS

LAYERS, SILENT = 4, 1 / 3
OPT_66B = Shape(LAYERS, 9216, 36864, 72, 4096)
POSITIONS, WINDOW, BATCH_TOKENS = 1_048_576, 2048, 16384
DTYPE = "float16"
PASSES = 10
THREADS = len(os.sched_getaffinity(0))
"""All cores: n-grams of a layer are counted on the host while the device computes the next."""


@torch.inference_mode()
def product_rate(architecture: Architecture, rows: int, device: str, repeats: int) -> float:
    """FLOP a second of a block's products on `rows` positions, the best of `repeats` times PASSES."""
    d, ffn = architecture.d, architecture.ffn
    kind: dict[str, Any] = {"device": device, "dtype": getattr(torch, DTYPE)}
    weights = [torch.randn(shape, **kind) for shape in (*[(d, d)] * 4, (ffn, d), (d, ffn))]
    inputs = {width: torch.randn(rows, width, **kind) for width in (d, ffn)}
    flops = sum(2 * rows * weight.numel() for weight in weights)

    def seconds() -> float:
        start = time.perf_counter()
        for _ in range(PASSES):
            for weight in weights:
                torch.nn.functional.linear(inputs[weight.shape[1]], weight)
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    seconds()
    return PASSES * flops / min(seconds() for _ in range(repeats))


class Clock:
    """A recorder that notes when each layer begins."""

    def __init__(self) -> None:
        self.begun: list[float] = []

    def begin(self, layer: int) -> Wanted:
        self.begun.append(time.perf_counter())
        return Wanted()

    def record(self, batch: Batch, seen: Observation) -> None:
        pass

    def end(self, layer: int) -> Any:
        return lambda: None


def run_job(model: Model, text: Text, out: Path, device: str, *, everything: bool, null: bool) -> tuple[float, float]:
    """Seconds from the second layer's beginning to the last's, and of the whole job."""
    start, architecture = time.perf_counter(), model.architecture
    where = {"folder": model.folder, "description": model.description, "windows": text.shards[0]}
    settings = Settings(device, DTYPE, THREADS, BATCH_TOKENS, stages=1, skip_silent=True)
    job = open_job(settings, part=PART, domain=PROSE, shard=0, **where)
    clock, on = Clock(), job.compute.device
    with ExitStack() as files:

        def writer(name: str, schema: Any) -> Any:
            return files.enter_context(table_writer(out / name, schema, {}))

        counters: list[Recorder] = [clock, ActivationRecorder(job.text.document, architecture.ffn, on, writer("a", COUNTERS.schema))]
        if everything:
            order, layers = order_shard(job.text, SIZES), range(architecture.n_layers)
            write = writer("n", NGRAM_COUNTERS.schema)
            counters.append(
                NgramRecorder(order, job.text, job.batches, architecture.ffn, layers, replace(NGRAMS, rotation_null=null), on, write)
            )
            counters.append(PositionRecorder(text.window, architecture.ffn, on, writer("p", POSITION_COUNTERS.schema)))
        run_stage(job, range(architecture.n_layers), counters, "", hidden_before=None, hidden_after=None)
    return clock.begun[-1] - clock.begun[1], time.perf_counter() - start


def rows_on(device: str, options: Options) -> Iterator[Row]:
    """Every figure, on a device."""
    shape, window, positions = (TINY, 32, 512) if options.quick else (OPT_66B, WINDOW, POSITIONS)
    model = make_model(options.folder / "model", shape, silent=SILENT, rates=SPARSE, files=3)
    text = make_text(options.folder / "text", shape.vocabulary, window=window, positions=positions)
    own = product_rate(model.architecture, min(BATCH_TOKENS, positions), device, options.repeats)
    blocks = measure_rate(model.architecture, resolve_compute(device, DTYPE, THREADS), window, BATCH_TOKENS, skip=True)
    note = f"products {own / 1e12:.3g} TFLOP/s"
    yield Row("66b shape: rate of blocks ÷ of products", blocks / own, "over 0.70", note=f"{note}, blocks {blocks / 1e12:.3g} TFLOP/s")
    flops = positions * (shape.layers - 2) * layer_flops(model.architecture, window)
    asked = {"activations": (False, False), "every counter": (True, False), "every counter, null": (True, True)}
    for name, (everything, null) in asked.items():
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        runs = [run_job(model, text, options.folder, device, everything=everything, null=null) for _ in range(options.repeats + 1)]
        layers, whole = (min(seconds) for seconds in zip(*runs[1:], strict=True))
        case = f"66b shape, {shape.layers} layers, {positions} positions, T = {window}, {name}"
        told = f"{shape.layers - 2} layers {layers:.3g} s, whole job {whole:.3g} s; {note}"
        yield Row(f"{case}: rate of a job ÷ of products", flops / layers / own, "over 0.70", note=told)
        if device == "cuda":
            yield Row(f"{case}: device memory", torch.cuda.max_memory_reserved() / 1e9, "under 24 GB", unit="GB")


def rows(options: Options) -> Iterator[Row]:
    """With CUDA, all of them."""
    if torch.cuda.is_available():
        yield from rows_on("cuda", options)
    else:
        yield Row("all", None, "", note="torch finds no CUDA device here: nothing to measure")


if __name__ == "__main__":
    main(rows)
