"""On CUDA: the engine's rate ÷ the device's own rate for matrix products of the same shapes, and the device memory it takes.

66b shape, float16, random weights. The device's own rate is that of the six products of a block (q, k, v, out, fc1, fc2) on a
batch, one after the other, with nothing between them. Rates are FLOP a second with `neuroncensus.report.costs.layer_flops` a
position. Measured three ways: blocks alone, as plan.md's calibration does; whole collect jobs of LAYERS layers, reading of the
weights and writing of the counters included, first with activations alone, then with every counter. A real job of 64 layers
waits for its first block once in 64, these once in LAYERS. Without CUDA there is nothing to measure.
"""

import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from benchmarks._common import Options, Row, collect, main, paired
from benchmarks._made import TINY, Shape, make_model, make_text
from neuroncensus.collect.devices import resolve_compute
from neuroncensus.models.architecture import Architecture
from neuroncensus.report.calibration import measure_rate
from neuroncensus.report.costs import layer_flops

LAYERS = 2
OPT_66B = Shape(LAYERS, 9216, 36864, 72, 4096)
POSITIONS, WINDOW, BATCH_TOKENS = 524288, 2048, 16384
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


def rows_on(device: str, options: Options) -> Iterator[Row]:
    """Every figure, on a device."""
    shape, window, positions = (TINY, 32, 512) if options.quick else (OPT_66B, WINDOW, POSITIONS)
    model = make_model(options.folder / "model", shape, files=3)
    text = make_text(options.folder / "text", shape.vocabulary, window=window, positions=positions)
    own = product_rate(model.architecture, min(BATCH_TOKENS, positions), device, options.repeats)
    blocks = measure_rate(model.architecture, resolve_compute(device, DTYPE, THREADS), window, BATCH_TOKENS)
    note = f"products {own / 1e12:.3g} TFLOP/s"
    yield Row("66b shape: rate of blocks ÷ of products", blocks / own, "over 0.70", note=f"{note}, blocks {blocks / 1e12:.3g} TFLOP/s")
    job = partial(collect, model, text, options.folder / "out", dtype=DTYPE, device=device, threads=THREADS, batch_tokens=BATCH_TOKENS)
    counters = {"activations": partial(job, everything=False), "every counter": job}
    flops = positions * shape.layers * layer_flops(model.architecture, window)
    for name, run in counters.items():
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        seconds = paired(options, {name: run})
        case = f"66b shape, {shape.layers} layers, {positions} positions, T = {window}, {name}"
        yield Row(f"{case}: rate of a job ÷ of products", flops / min(seconds[name]) / own, "over 0.70", seconds, note)
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
