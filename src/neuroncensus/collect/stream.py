"""The layer-major engine: one block in memory, the whole shard's residual stream passing through it.

A batch-major loop loads every weight once a batch; here each is read once a shard. The stream lies in one
buffer, rows in the order of the batches, and every block updates it in place.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch

from neuroncensus.collect.batches import Batch
from neuroncensus.collect.devices import Compute
from neuroncensus.collect.observation import Wanted, observe
from neuroncensus.collect.recorder import Recorder
from neuroncensus.corpora.shards import Shard
from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import Architecture
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.opt import Block, Embedding, all_finite, load_block


def embed(checkpoint: Checkpoint, architecture: Architecture, shard: Shard, batches: Sequence[Batch], compute: Compute) -> torch.Tensor:
    """The residual stream before the first block, (rows, d), on the host."""
    embedding = Embedding(checkpoint, architecture, compute.dtype, compute.device)
    stream = torch.empty(batches[-1].rows.stop, architecture.d, dtype=compute.dtype)
    for batch in batches:
        ids = torch.from_numpy(batch.ids(shard, architecture.bos)).to(compute.device)
        stream[batch.rows] = embedding(ids).flatten(0, 1).cpu()
    return stream


def _check_finite(x: torch.Tensor, layer: int, compute: Compute) -> None:
    if not all_finite(x):
        advice = "set dtype to bfloat16 or float32" if compute.dtype == torch.float16 else "check the checkpoint, or set dtype to float32"
        name = str(compute.dtype).removeprefix("torch.")
        raise CensusError(f"NaN or infinity in the residual stream after layer {layer}, computed in {name}: {advice}")


def _blocks(checkpoint: Checkpoint, architecture: Architecture, layers: range, compute: Compute) -> Iterator[tuple[int, Block]]:
    """Each layer and its block; the next one is read while this one computes, so two are in memory."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        read = [reader.submit(load_block, checkpoint, architecture, layer, compute.dtype, compute.device) for layer in layers[:1]]
        for layer in layers:
            block = read.pop().result()
            if layer + 1 in layers:
                read.append(reader.submit(load_block, checkpoint, architecture, layer + 1, compute.dtype, compute.device))
            yield layer, block


@torch.inference_mode()
def run_layers(
    checkpoint: Checkpoint,
    architecture: Architecture,
    stream: torch.Tensor,
    batches: Sequence[Batch],
    layers: range,
    recorders: Sequence[Recorder],
    compute: Compute,
    *,
    skip_silent: bool,
    finished: Callable[[torch.Tensor], object],
    advance: Callable[[int], object],
) -> None:
    """Push the stream through `layers`, in place; each recorder sees every batch and writes each layer as it is done.

    Args:
        stream: the residual stream, (rows, d), rows in the order of `batches`; changed.
        skip_silent: leave neurons that no position of a batch activates out of the second product of its FFN.
        finished: given the rows of each batch, in order, once they have passed the last layer.
        advance: told how many positions a batch had, for progress.

    Raises:
        CensusError: a weight or the residual stream is not finite (names tensor or layer).
    """

    def rectify(values: torch.Tensor, batch: Batch) -> torch.Tensor | None:
        seen = observe(values, batch, wanted)
        for recorder in recorders:
            recorder.record(batch, seen)
        # Padding may be active where no position is: what it gets is wrong then, and nobody looks.
        return seen.activations > 0 if skip_silent else None

    buffer = torch.empty(
        max(batch.rows.stop - batch.rows.start for batch in batches), architecture.ffn, dtype=compute.dtype, device=compute.device
    )
    for layer, block in _blocks(checkpoint, architecture, layers, compute):
        wanted = Wanted.all(recorder.begin(layer) for recorder in recorders)
        for batch in batches:
            x = stream[batch.rows].to(compute.device).view(*batch.shape, architecture.d)  # (w, T, d)
            x = block(x, partial(rectify, batch=batch), buffer)
            if batch.padded:
                # Attention weighs what lies behind a position with zero, and zero times NaN would be NaN.
                x.masked_fill_(torch.from_numpy(~batch.real()).to(compute.device)[:, :, None], 0.0)
            _check_finite(x, layer, compute)
            stream[batch.rows] = x.flatten(0, 1)
            if layer == layers[-1]:
                finished(stream[batch.rows])
            advance(int(batch.lengths.sum()))
        for recorder in recorders:
            recorder.end(layer)
    if not layers:
        for batch in batches:
            finished(stream[batch.rows])
