"""What one pass over the FFN's values of a batch sees: the ReLU is applied, and what is active is counted.

Two ways to the same numbers: a compiled kernel on the CPU, and torch operations, which CUDA uses and tests
hold the kernel against. Recorders add observations up. Active is what the ReLU does not make zero, NaN too: the engine
stops on NaN, and does not leave out what could bring it there.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy
import torch

from neuroncensus.collect.batches import Batch
from neuroncensus.collect.kernel import rectify_and_count
from neuroncensus.collect.words import WORD, words_of
from neuroncensus.sizes import BYTE

# The integers that a dtype's bits are looked at as, and the bits of its infinity.
INTEGERS = {torch.float32: (torch.int32, 0x7F80_0000), torch.float16: (torch.int16, 0x7C00), torch.bfloat16: (torch.int16, 0x7F80)}


@dataclass(frozen=True)
class Wanted:
    """What is observed beside the counts that every job keeps."""

    bits: bool = False
    positions: int = 0
    """T: windows of exactly this length are counted position by position; 0 for none."""

    @classmethod
    def all(cls, wants: Iterable["Wanted"]) -> "Wanted":
        """What is wanted by any."""
        wants = list(wants)
        return cls(any(wanted.bits for wanted in wants), max(wanted.positions for wanted in wants))

    def whole(self, batch: Batch) -> int:
        """How many windows of the batch, whose longest come first, are counted position by position."""
        return int((batch.lengths == self.positions).sum())


@dataclass(frozen=True)
class Observation:
    """Counts of one batch in one layer; padding is in none of them."""

    activations: torch.Tensor
    """Positions at which each neuron is active, (F,) int64."""
    at_bos: torch.Tensor
    """Those at BOS, (F,) int64."""
    in_text: torch.Tensor
    """Whether it is active at a text position of each window, (w, F) bool."""
    words: torch.Tensor | None = None
    """Bit i of word j says whether neuron 64 j + i is active in a row of the batch, (w * T, ceil(F / 64)) int64; rows of
    padding mean nothing."""
    at_position: torch.Tensor | None = None
    """Full windows with the neuron active at each position, (T, F), uint8 where the batch has at most BYTE of them, else int32;
    None also where it has none."""


# Times eight truth values as the bytes of a word: the highest byte has their bits, the first one's the lowest.
TO_BITS = 0x0102_0408_1020_4080


def _pack(active: torch.Tensor) -> torch.Tensor:
    """Truth values, (rows, F), as words, (rows, ceil(F / 64))."""
    rows, neurons = active.shape
    padded = torch.nn.functional.pad(active.view(torch.uint8), (0, words_of(neurons) * WORD - neurons))
    octets = (padded.view(torch.int64) * TO_BITS).bitwise_right_shift_(56).to(torch.uint8)  # (rows, 8 words)
    return octets.view(rows, -1).view(torch.int64)


def _sum(truths: torch.Tensor, dim: int) -> torch.Tensor:
    """Truth values, as bytes, added up: in bytes where they cannot overflow, which CUDA does several times faster."""
    return truths.sum(dim=dim, dtype=torch.uint8 if truths.shape[dim] <= BYTE else torch.int32)


def observe_with_torch(values: torch.Tensor, batch: Batch, wanted: Wanted) -> Observation:
    """Apply the ReLU in place and count, on any device. `values`: pre-activations, (w, T, F)."""
    windows, length, neurons = values.shape
    active = torch.relu_(values) != 0
    if batch.padded:
        active &= torch.from_numpy(batch.real()).to(values.device)[:, :, None]
    # Long windows in parts, each short enough for a sum in bytes; of short ones parts would be as large as what they sum.
    truths, parts = active.view(torch.uint8), math.gcd(length, 16) if length > BYTE else 1
    in_window = _sum(truths.view(windows, parts, length // parts, neurons), 2).sum(dim=1, dtype=torch.int32)  # (w, F)
    words = _pack(active.flatten(0, 1)) if wanted.bits else None
    full = wanted.whole(batch)
    at_position = _sum(truths[:full], 0) if full else None
    return Observation(in_window.sum(dim=0), active[:, 0].sum(dim=0), in_window > active[:, 0], words, at_position)


def observe_compiled(values: torch.Tensor, batch: Batch, wanted: Wanted) -> Observation:
    """The same in one pass over memory, on the CPU; values of padding may stay negative."""
    windows, length, neurons = values.shape
    integer, infinity = INTEGERS[values.dtype]
    bits = values.view(integer).numpy().reshape(windows * length, neurons)
    kind = bits.dtype.type
    negative_infinity = kind(infinity - (1 << (8 * bits.itemsize - 1)))
    activations, at_bos = numpy.zeros((2, neurons), dtype=numpy.int64)
    in_text = numpy.empty((windows, neurons), dtype=bool)
    words = numpy.empty((windows * length, words_of(neurons)) if wanted.bits else (0, 0), dtype=numpy.uint64)
    whole = wanted.whole(batch)
    at_position = numpy.zeros((length, neurons) if whole else (0, 0), dtype=numpy.uint8 if whole <= BYTE else numpy.int32)
    rectify_and_count(bits, length, batch.lengths, negative_infinity, activations, at_bos, in_text, words, at_position)
    counted = (torch.from_numpy(array) for array in (activations, at_bos, in_text))
    packed = torch.from_numpy(words.view(numpy.int64)) if len(words) else None
    return Observation(*counted, packed, torch.from_numpy(at_position) if len(at_position) else None)


def observe(values: torch.Tensor, batch: Batch, wanted: Wanted) -> Observation:
    """Apply the ReLU to `values`, pre-activations (w, T, F), in place, and count what is active."""
    compiled = values.device.type == "cpu" and values.dtype in INTEGERS and values.is_contiguous()
    return observe_compiled(values, batch, wanted) if compiled else observe_with_torch(values, batch, wanted)
