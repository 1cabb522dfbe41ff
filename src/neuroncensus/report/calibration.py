"""How many FLOP this device does a second in a block of a model: a few seconds' measurement with made-up weights."""

import time
from dataclasses import replace

import numpy
import torch

from neuroncensus.collect.batches import Batch
from neuroncensus.collect.devices import Compute
from neuroncensus.collect.observation import Wanted, observe
from neuroncensus.models.architecture import Architecture, expected_tensors
from neuroncensus.models.opt import Block, all_finite, pack
from neuroncensus.report.costs import layer_flops
from neuroncensus.report.jobmemory import block_weights

# Bytes of a block that calibrating may take: a wider one is halved until it fits.
LARGEST = {"cpu": 128_000_000, "cuda": 4_000_000_000}
# Passes of one batch, whose best says what the device can do; a batch grows by this, until a pass takes so many seconds.
PASSES, GROWTH, SECONDS = 3, 4, 0.3
# It also ends where a larger batch is no faster than this: small ones wait for threads most of the time.
GAIN = 1.1


def calibration_shape(architecture: Architecture, itemsize: int, limit: int) -> Architecture:
    """One layer of the model's shape, its width, neurons and heads halved until the block takes at most `limit` bytes."""
    shape = replace(architecture, n_layers=1)
    while block_weights(shape) * itemsize > limit and shape.heads > 1:
        head, heads = shape.d // shape.heads, shape.heads // 2
        shape = replace(shape, d=head * heads, ffn=shape.ffn // 2, heads=heads, embedding_width=head * heads)
    return shape


def _made_block(shape: Architecture, compute: Compute, *, skip: bool) -> Block:
    names = {name.removeprefix("layers.0."): size for name, size in expected_tensors(shape).items() if name.startswith("layers.0.")}

    def made(size: tuple[int, ...]) -> torch.Tensor:
        return torch.randn(size, device=compute.device, dtype=compute.dtype) / size[-1] ** 0.5

    return Block(shape, {name: pack(made(size)) for name, size in names.items()}, skip=skip)


def measure_rate(architecture: Architecture, compute: Compute, window: int, batch_tokens: int, *, skip: bool) -> float:
    """FLOP a second of one block with its counting, `neuroncensus.report.costs.layer_flops` a position.

    Takes a few seconds. The rows of a batch grow until that makes it no faster or they are `batch_tokens`.
    No neuron is left out as silent, so a model with many silent neurons is faster than this says.

    Args:
        architecture: of the model; see `calibration_shape` for a large one.
        compute: device, dtype and threads, as the collect jobs have them.
        window: T.
        batch_tokens: rows of a batch.
        skip: as `neuroncensus.models.opt.Block` takes it.
    """
    shape = calibration_shape(architecture, compute.dtype.itemsize, LARGEST[compute.device.type])
    block = _made_block(shape, compute, skip=skip)

    def measure(rows: int) -> tuple[float, float]:
        length = min(rows, window)
        batch = Batch(numpy.arange(rows // length), numpy.full(rows // length, length), 0)
        x = torch.randn(*batch.shape, shape.d, device=compute.device, dtype=compute.dtype)
        buffer = torch.empty(len(x) * length, shape.ffn, device=compute.device, dtype=compute.dtype)

        def rectify(values: torch.Tensor) -> None:
            observe(values, batch, Wanted())

        start = time.perf_counter()
        bool(all_finite(block(x, rectify, buffer)))  # read back, so that a device has finished
        seconds = time.perf_counter() - start
        return seconds, batch.shape[0] * length * layer_flops(shape, length) / seconds

    with torch.inference_mode():
        rows, before = min(64, batch_tokens), 0.0
        measure(rows)  # compiles the kernel, starts the threads
        while True:
            passes = [measure(rows) for _ in range(PASSES)]
            seconds, rate = min(passes)[0], max(rate for _, rate in passes)
            if rows == batch_tokens or seconds > SECONDS or rate < GAIN * before:
                return max(rate, before)
            rows, before = min(GROWTH * rows, batch_tokens), rate
