"""What one pass over the FFN's values of a batch sees: the ReLU is applied, and what is active is counted.

Two ways to the same numbers: a compiled kernel on the CPU, and torch operations, which CUDA uses and tests
hold the kernel against. Recorders add observations up.
"""

from dataclasses import dataclass

import numpy
import torch

from neuroncensus.collect.batches import Batch
from neuroncensus.collect.kernel import rectify_and_count

# The integers that a dtype's bits are looked at as, and the bits of its infinity.
INTEGERS = {torch.float32: (torch.int32, 0x7F80_0000), torch.float16: (torch.int16, 0x7C00), torch.bfloat16: (torch.int16, 0x7F80)}


@dataclass(frozen=True)
class Observation:
    """Counts of one batch in one layer; padding is in none of them."""

    activations: torch.Tensor
    """Positions at which each neuron is active, (F,) int64."""
    at_bos: torch.Tensor
    """Those at BOS, (F,) int64."""
    in_text: torch.Tensor
    """Whether it is active at a text position of each window, (w, F) bool."""


def observe_with_torch(values: torch.Tensor, batch: Batch) -> Observation:
    """Apply the ReLU in place and count, on any device. `values`: pre-activations, (w, T, F)."""
    active = torch.relu_(values) > 0
    if batch.padded:
        active &= torch.from_numpy(batch.real()).to(values.device)[:, :, None]
    at_bos = active[:, 0].sum(dim=0)
    # Bytes are summed several times faster than truth values.
    in_window = active.view(torch.uint8)[:, 1:].sum(dim=1, dtype=torch.int32)  # (w, F)
    return Observation(at_bos + in_window.sum(dim=0), at_bos, in_window > 0)


def observe_compiled(values: torch.Tensor, batch: Batch) -> Observation:
    """The same in one pass over memory, on the CPU; values of padding may stay negative."""
    windows, length, neurons = values.shape
    integer, infinity = INTEGERS[values.dtype]
    bits = values.view(integer).numpy().reshape(windows * length, neurons)
    kind = bits.dtype.type
    negative_infinity = kind(infinity - (1 << (8 * bits.itemsize - 1)))
    activations, at_bos = numpy.zeros((2, neurons), dtype=numpy.int64)
    in_text = numpy.empty((windows, neurons), dtype=bool)
    rectify_and_count(bits, length, batch.lengths, kind(infinity), negative_infinity, activations, at_bos, in_text)
    return Observation(*(torch.from_numpy(array) for array in (activations, at_bos, in_text)))


def observe(values: torch.Tensor, batch: Batch) -> Observation:
    """Apply the ReLU to `values`, pre-activations (w, T, F), in place, and count what is active."""
    compiled = values.device.type == "cpu" and values.dtype in INTEGERS and values.is_contiguous()
    return observe_compiled(values, batch) if compiled else observe_with_torch(values, batch)
