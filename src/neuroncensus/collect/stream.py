"""The layer-major engine: one block in memory, the whole shard's residual stream passing through it.

A batch-major loop loads every weight once a batch; here each is read once a shard. The stream lies in one
buffer, rows in the order of the batches, and every block updates it in place.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy
import torch

from neuroncensus.collect.activations import ActivationRecorder
from neuroncensus.collect.batches import Batch
from neuroncensus.collect.devices import Compute
from neuroncensus.corpora.shards import Shard
from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import Architecture
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.opt import Embedding, load_block


def stage_layers(n_layers: int, stages: int) -> list[range]:
    """The layers of each stage: the first ends with the first half, the others split the rest evenly.

    One stage takes all layers. Where there are more stages than layers, some are empty.
    """
    if stages == 1:
        return [range(n_layers)]
    half, rest = n_layers // 2, n_layers - n_layers // 2
    cuts = [half + rest * k // (stages - 1) for k in range(stages)]
    return [range(half), *(range(start, end) for start, end in itertools.pairwise(cuts))]


def embed(checkpoint: Checkpoint, architecture: Architecture, shard: Shard, batches: Sequence[Batch], compute: Compute) -> torch.Tensor:
    """The residual stream before the first block, (rows, d), on the host."""
    embedding = Embedding(checkpoint, architecture, compute.dtype, compute.device)
    stream = torch.empty(batches[-1].rows.stop, architecture.d, dtype=compute.dtype)
    for batch in batches:
        ids = torch.from_numpy(batch.ids(shard, architecture.bos)).to(compute.device)
        stream[batch.rows] = embedding(ids).flatten(0, 1).cpu()
    return stream


def _check_finite(x: torch.Tensor, batch: Batch, layer: int, compute: Compute) -> None:
    finite = x.isfinite().all(dim=-1)  # (w, T)
    if batch.padded:
        finite |= ~torch.from_numpy(batch.real()).to(finite.device)
    if not finite.all():
        advice = "set dtype to bfloat16 or float32" if compute.dtype == torch.float16 else "check the checkpoint, or set dtype to float32"
        name = str(compute.dtype).removeprefix("torch.")
        raise CensusError(f"NaN or infinity in the residual stream after layer {layer}, computed in {name}: {advice}")


@torch.inference_mode()
def run_layers(
    checkpoint: Checkpoint,
    architecture: Architecture,
    stream: torch.Tensor,
    batches: Sequence[Batch],
    layers: range,
    recorder: ActivationRecorder,
    compute: Compute,
    advance: Callable[[int], object],
) -> Iterator[tuple[int, dict[str, numpy.ndarray]]]:
    """Push the stream through `layers`, in place; yields (layer, counters of its neurons) as each is done.

    Args:
        stream: the residual stream, (rows, d), rows in the order of `batches`; changed.
        advance: told how many positions a batch had, for progress.

    Raises:
        CensusError: a weight or the residual stream is not finite (names tensor or layer).
    """
    for layer in layers:
        block = load_block(checkpoint, architecture, layer, compute.dtype, compute.device)
        recorder.begin()
        for batch in batches:
            x = stream[batch.rows].to(compute.device).view(*batch.shape, architecture.d)  # (w, T, d)
            x = block(x, lambda values, batch=batch: recorder.record(batch, values))
            _check_finite(x, batch, layer, compute)
            stream[batch.rows] = x.flatten(0, 1)
            advance(int(batch.lengths.sum()))
        yield layer, recorder.end()
