"""The residual stream between the host, where all of it lies, and the device, which has a batch at a time.

On CUDA the host's memory is pinned, and streams of their own copy the next batch there and the last one back while this one
computes. On the CPU the device's memory is the host's, and nothing is copied that need not be.
"""

import weakref
from collections.abc import Callable

import numpy
import torch

from neuroncensus.collect.batches import Batch
from neuroncensus.errors import CensusError
from neuroncensus.report.units import shown_bytes

ALIGNMENT = 64
"""Bytes: a line of the cache, and the widest numbers that a processor takes at once."""


def host_empty(rows: int, width: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Memory on the host, (rows, width), that the device copies from and to without waiting."""
    # numpy asks for huge pages, torch does not: random rows of gigabytes are found twice as fast. But it begins anywhere.
    memory = numpy.empty(rows * width * dtype.itemsize + ALIGNMENT, dtype=numpy.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    tensor = torch.from_numpy(memory[start : start + rows * width * dtype.itemsize]).view(dtype).view(rows, width)
    if device.type == "cuda" and tensor.nbytes:
        # torch's own pinned memory is rounded up to a power of two: 32 GB for the 18 GB of a 66b model.
        cudart = torch.cuda.cudart()
        told = cudart.cudaHostRegister(tensor.data_ptr(), tensor.nbytes, 0)
        if int(told) != 0:
            raise CensusError(
                f"{shown_bytes(tensor.nbytes)} of host memory cannot be locked for the device (CUDA error {int(told)}): allow more locked "
                "memory (ulimit -l), or lower collect.shard_tokens"
            )
        weakref.finalize(tensor, cudart.cudaHostUnregister, tensor.data_ptr())
    return tensor


class ToHost:
    """Copies from the device to `host_empty`, while the device computes on."""

    def __init__(self, device: torch.device):
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def copy(self, values: torch.Tensor, out: torch.Tensor) -> None:
        """Set out. On CUDA, `out` must not be looked at before `wait`."""
        if self.stream is None:
            out.copy_(values)
            return
        self.stream.wait_stream(torch.cuda.current_stream(values.device))
        with torch.cuda.stream(self.stream):
            out.copy_(values, non_blocking=True)
        values.record_stream(self.stream)

    def wait(self) -> None:
        """Until everything has arrived."""
        if self.stream is not None:
            self.stream.synchronize()


class Carrier:
    """Takes batches of the residual stream to the device and back.

    Args:
        stream: the residual stream, (rows, d), of `host_empty`.
        device: where the blocks compute.
    """

    def __init__(self, stream: torch.Tensor, device: torch.device):
        self.stream, self.device = stream, device
        self.there = torch.cuda.Stream(device) if device.type == "cuda" else None
        self.back = ToHost(device)
        self.ahead: tuple[Batch, torch.Tensor] | None = None
        self.arrived: Callable[[], object] | None = None

    def __enter__(self) -> "Carrier":
        return self

    def __exit__(self, *error: object) -> None:
        # Also after an error: no copy may be under way when the memory that it is to or from is let go.
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _send(self, batch: Batch) -> torch.Tensor:
        if self.there is None:
            return self.stream[batch.rows]
        assert self.back.stream is not None
        self.there.wait_stream(self.back.stream)  # where rows may still be on their way back
        with torch.cuda.stream(self.there):
            return self.stream[batch.rows].to(self.device, non_blocking=True)

    def take(self, batch: Batch, following: Batch | None) -> torch.Tensor:
        """The rows of a batch, (rows, d), on the device; those of the `following` one set out.

        On the CPU they are the stream's own memory, on CUDA a copy.
        """
        x = self.ahead[1] if self.ahead is not None and self.ahead[0] is batch else self._send(batch)
        self.ahead = None
        if self.there is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_stream(self.there)
            x.record_stream(current)
            if following is not None and following is not batch:
                self.ahead = following, self._send(following)
        return x

    def put(self, batch: Batch, x: torch.Tensor, arrived: Callable[[torch.Tensor], object]) -> None:
        """Write the rows of a batch back; `arrived` is given them on the host, in the order of the batches."""
        # Waits for the batch before, so that the device has no more than two to do.
        self.settle()
        rows = self.stream[batch.rows]
        self.back.copy(x, rows)
        self.arrived = lambda: arrived(rows)
        if self.there is None:
            self.settle()

    def settle(self) -> None:
        """Wait until what was put has arrived."""
        self.back.wait()
        if self.arrived is not None:
            arrived, self.arrived = self.arrived, None
            arrived()
