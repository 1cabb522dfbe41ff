"""What counting by position costs: the time that it adds to a layer ÷ the layer's forward pass with the other counters.

125m shape, random weights, a batch of full windows, pre-activations as the block gives them. What is added is taken apart, since it
is less than what one run differs from another: the pass over the values with counts by position less the pass without (each the
least of many), adding them up, and turning and writing a layer, of which a shard has one for all its batches.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import torch

from benchmarks._common import THREADS, Options, Row, main
from benchmarks._made import OPT_125M, TINY, Model, make_model
from neuroncensus.collect.batches import Batch
from neuroncensus.collect.devices import resolve_compute
from neuroncensus.collect.observation import Observation, Wanted, observe
from neuroncensus.collect.positions import PositionRecorder
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.opt import load_block
from neuroncensus.tablefiles import table_writer
from neuroncensus.tables import POSITION_COUNTERS

WINDOWS, PASSES = (512, 2048), 10
SHARD, BATCH = 1_000_000, 16_384
"""Positions of a shard and of a batch, as the configuration has them."""


def _least(work: Callable[[], object], passes: int) -> float:
    """Seconds of the fastest of several."""
    found = []
    for _ in range(passes):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


@torch.inference_mode()
def _row(model: Model, window: int, dtype: str, passes: int, out: Path) -> Row:
    compute = resolve_compute("cpu", dtype, THREADS)
    neurons, d = model.architecture.ffn, model.architecture.d
    windows = max(BATCH // window, 1)
    batch = Batch(numpy.arange(windows), numpy.full(windows, window), 0)
    with Checkpoint(model.folder) as checkpoint:
        block = load_block(checkpoint, model.architecture, 0, compute.dtype, compute.device, skip=True)
    x, buffer = torch.randn(windows, window, d).to(compute.dtype), torch.empty(windows * window, neurons, dtype=compute.dtype)
    seen: list[Observation] = []
    kept = torch.empty_like(buffer)

    def plain(values: torch.Tensor) -> None:
        kept.copy_(values.flatten(0, 1))
        observe(values, batch, Wanted())

    layer = _least(lambda: block(x, plain, buffer), passes)
    observed = {}
    for positions in (0, window):
        times = []
        for _ in range(3 * passes):
            buffer.copy_(kept)
            times.append(_least(lambda: seen.append(observe(buffer.view(windows, window, -1), batch, Wanted(positions=positions))), 1))  # noqa: B023
        observed[positions] = min(times)
    with table_writer(out, POSITION_COUNTERS.schema, {}) as write:
        recorder = PositionRecorder(window, neurons, compute.device, write)
        recorder.begin(0)
        adding = _least(lambda: recorder.record(batch, seen[-1]), passes)
        for _ in range(SHARD // (windows * window)):
            recorder.record(batch, seen[-1])
        writing = _least(recorder.end(0), 3)
    batches = SHARD / (windows * window)
    share = (observed[window] - observed[0] + adding + writing / batches) / layer
    note = f"a batch {1e3 * layer:.0f} ms, counting {1e3 * (observed[window] - observed[0]):.2f} ms, adding {1e3 * adding:.2f} ms; "
    return Row(f"T = {window}, {dtype}", share, "at most 0.02", note=note + f"a layer is written in {1e3 * writing:.0f} ms")


def rows(options: Options) -> Iterator[Row]:
    """Both T in both dtypes."""
    shape, windows = (TINY, (32,)) if options.quick else (OPT_125M.with_layers(2), WINDOWS)
    model = make_model(options.folder / "model", shape)
    for dtype in ("float32", "bfloat16"):
        for window in windows:
            yield _row(model, window, dtype, 1 if options.quick else PASSES, options.folder / "counters.parquet")


if __name__ == "__main__":
    main(rows)
