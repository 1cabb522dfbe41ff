"""The recorder of activations per position, for positional neurons: full windows alone (section 5)."""

from collections.abc import Callable
from functools import partial

import numpy
import pyarrow
import torch

from neuroncensus.collect.batches import Batch
from neuroncensus.collect.observation import Observation, Wanted
from neuroncensus.sizes import BYTE
from neuroncensus.tablefiles import packed
from neuroncensus.tables import POSITION_COUNTERS

PART = 64
"""Positions that are added up at a time."""


class PositionRecorder:
    """Windows with each neuron active at each position, of one layer after the other.

    Args:
        window: T, the length of a full window.
        neurons: F.
        device: where the values are.
        write: given the rows of each layer, as `neuroncensus.tables.POSITION_COUNTERS`.
    """

    def __init__(self, window: int, neurons: int, device: torch.device, write: Callable[[pyarrow.Table], object]):
        self.window, self.neurons, self.device, self.write = window, neurons, device, write
        # Batches are added up in bytes as long as these cannot overflow: a batch of few long windows has as many counts as a large one.
        self.few, self.in_few = torch.zeros(window, neurons, dtype=torch.uint8, device=device), 0

    def begin(self, layer: int) -> Wanted:
        """A new layer."""
        self.active = torch.zeros(self.window, self.neurons, dtype=torch.int32, device=self.device)  # (T, F)
        return Wanted(positions=self.window)

    def record(self, batch: Batch, seen: Observation) -> None:
        """Add one batch."""
        if seen.at_position is None:
            return
        windows = int((batch.lengths == self.window).sum())
        if windows > BYTE:
            self.active += seen.at_position
            return
        if self.in_few + windows > BYTE:
            self._empty()
        self.few += seen.at_position
        self.in_few += windows

    def _empty(self) -> None:
        # In parts: torch makes a copy of what it adds in another type.
        for active, few in zip(self.active.split(PART), self.few.split(PART), strict=True):
            active.add_(few)
        self.few.zero_()
        self.in_few = 0

    def end(self, layer: int) -> Callable[[], object]:
        """What writes the layer."""
        self._empty()
        return partial(self._write, layer, self.active)

    def _write(self, layer: int, active: torch.Tensor) -> None:
        counts = active.T.contiguous().cpu().numpy()  # (F, T)
        columns = [pyarrow.array(numpy.full(self.neurons, layer)), pyarrow.array(numpy.arange(self.neurons)), packed(counts)]
        self.write(pyarrow.table(columns, schema=POSITION_COUNTERS.schema))
