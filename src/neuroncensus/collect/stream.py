"""The layer-major engine: one block in memory, the whole shard's residual stream passing through it.

A batch-major loop loads every weight once a batch; here each is read once a shard. The stream lies in one
buffer, rows in the order of the batches, and every block updates it in place.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numba
import torch

from neuroncensus.collect.batches import Batch
from neuroncensus.collect.devices import Compute
from neuroncensus.collect.observation import Wanted, observe
from neuroncensus.collect.recorder import Recorder
from neuroncensus.collect.transfer import Carrier, host_empty
from neuroncensus.corpora.shards import Shard
from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import Architecture
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.opt import Block, Embedding, all_finite, load_block


def embed(checkpoint: Checkpoint, architecture: Architecture, shard: Shard, batches: Sequence[Batch], compute: Compute) -> torch.Tensor:
    """The residual stream before the first block, (rows, d), on the host."""
    embedding = Embedding(checkpoint, architecture, compute.dtype, compute.device)
    stream = host_empty(batches[-1].rows.stop, architecture.d, compute.dtype, compute.device)
    for batch in batches:
        stream[batch.rows] = embedding(torch.from_numpy(batch.ids(shard, architecture.bos))).flatten(0, 1)
    return stream


def check_finite(finite: Sequence[torch.Tensor], layer: int, compute: Compute) -> None:
    """Stop if the residual stream of a batch is not finite behind a layer; `finite`: of each batch, () bool.

    Raises:
        CensusError: one is not; names the layer, with advice on dtype.
    """
    if not torch.stack(list(finite)).all():
        advice = "set dtype to bfloat16 or float32" if compute.dtype == torch.float16 else "check the checkpoint, or set dtype to float32"
        name = str(compute.dtype).removeprefix("torch.")
        raise CensusError(f"NaN or infinity in the residual stream after layer {layer}, computed in {name}: {advice}")


def blocks(
    checkpoint: Checkpoint, architecture: Architecture, layers: range, compute: Compute, *, skip: bool
) -> Iterator[tuple[int, Block]]:
    """Each layer and its block; the next one is read while this one computes, so two are in memory."""
    copies = torch.cuda.Stream(compute.device) if compute.device.type == "cuda" else None

    def load(layer: int) -> Block:
        # A stream of its own, or the block would wait for what the device has been given to compute. It takes the memory of the
        # block before the last, which `run_layers` has seen the device finish with.
        with torch.cuda.stream(copies):
            return load_block(checkpoint, architecture, layer, compute.dtype, compute.device, skip=skip)

    with ThreadPoolExecutor(max_workers=1) as reader:
        read = [reader.submit(load, layer) for layer in layers[:1]]
        for layer in layers:
            block = read.pop().result()  # has been checked by the reader, so nothing of it is still on its way
            if layer + 1 in layers:
                read.append(reader.submit(load, layer + 1))
            yield layer, block


@contextmanager
def _behind(compute: Compute) -> Generator[Callable[[int, Callable[[], object]], object]]:
    """Does what a layer leaves to the host: on the CPU at once, beside CUDA while the device computes the next layer.

    Yields a function that takes a recorder's number and its work; a recorder has one layer's under way at most.
    """
    if compute.device.type == "cpu":
        yield lambda _recorder, work: work()
        return
    with ThreadPoolExecutor(initializer=numba.set_num_threads, initargs=(numba.get_num_threads(),)) as host:
        waiting: dict[int, Future] = {}

        def give(recorder: int, work: Callable[[], object]) -> None:
            if recorder in waiting:
                waiting[recorder].result()
            waiting[recorder] = host.submit(work)

        yield give
        for work in waiting.values():
            work.result()


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
        stream: the residual stream, (rows, d), rows in the order of `batches`, of `neuroncensus.collect.transfer.host_empty`;
            changed.
        skip_silent: leave out what adds exactly nothing, as `neuroncensus.models.opt.Block` says.
        finished: given the rows of each batch, in order, once they have passed the last layer.
        advance: told how many positions a batch had, for progress.

    Raises:
        CensusError: a weight or the residual stream is not finite (names tensor or layer).
    """

    def rectify(values: torch.Tensor, batch: Batch) -> torch.Tensor:
        seen = observe(values, batch, wanted)
        for recorder in recorders:
            recorder.record(batch, seen)
        # Padding may be active where no position is: what it gets is wrong then, and nobody looks.
        return seen.activations > 0

    if not layers:
        for batch in batches:
            finished(stream[batch.rows])
        return
    widest = max(batch.rows.stop - batch.rows.start for batch in batches)
    buffer = torch.empty(widest, architecture.ffn, dtype=compute.dtype, device=compute.device)
    with _behind(compute) as behind, Carrier(stream, compute.device) as carrier:
        for layer, block in blocks(checkpoint, architecture, layers, compute, skip=skip_silent):
            wanted = Wanted.all(recorder.begin(layer) for recorder in recorders)
            finite = []
            # The first batch of the next layer follows the last of this one, if there is one.
            then = None if layer == layers[-1] else batches[0]
            for batch, following in zip(batches, [*batches[1:], then], strict=True):
                x = carrier.take(batch, following).view(*batch.shape, architecture.d)  # (w, T, d)
                x = block(x, partial(rectify, batch=batch), buffer)
                if batch.padded:
                    # Attention weighs what lies behind a position with zero, and zero times NaN would be NaN.
                    x.masked_fill_(torch.from_numpy(~batch.real()).to(compute.device)[:, :, None], 0.0)
                finite.append(all_finite(x))
                carrier.put(batch, x.flatten(0, 1), finished if layer == layers[-1] else lambda _rows: None)
                advance(int(batch.lengths.sum()))
            check_finite(finite, layer, compute)
            for number, recorder in enumerate(recorders):
                behind(number, recorder.end(layer))
        carrier.settle()
