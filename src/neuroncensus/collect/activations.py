"""The recorder of activations: how often each neuron is active, at BOS, and in how many documents.

METHOD: a neuron is active where its value after ReLU is non-zero (section 3). Documents count where it is
active at a text position. A document may lie in several shards, so those at a shard's two ends, which may go
on in the neighbours, are not counted here but written as they are; the reduction joins them.
"""

from collections.abc import Callable
from functools import partial

import numpy
import pyarrow
import torch

from neuroncensus.collect.batches import Batch
from neuroncensus.collect.observation import Observation, Wanted
from neuroncensus.collect.splitbos import warn_split_bos
from neuroncensus.tables import COUNTERS


class ActivationRecorder:
    """Counters of one layer after the other.

    Args:
        documents: the document of each window of the shard, (W,) int64, in the order of the text.
        neurons: F.
        device: where the values are.
        write: given the rows of each layer, as `neuroncensus.tables.COUNTERS`.
    """

    def __init__(self, documents: numpy.ndarray, neurons: int, device: torch.device, write: Callable[[pyarrow.Table], object]):
        _, window_slot, windows_of = numpy.unique(documents, return_inverse=True, return_counts=True)
        self.ends = (window_slot[0], window_slot[-1])
        # Documents of one window are counted at once; the others, few as each but one fills a window, wait for all of theirs.
        waits = windows_of > 1
        waits[list(self.ends)] = True
        place = numpy.cumsum(waits) - 1
        self.slots = torch.from_numpy(numpy.where(waits, place, -1)[window_slot]).to(device)  # (W,)
        self.waiting = int(waits.sum())
        self.end_places = [int(place[slot]) for slot in self.ends]
        self.windows = len(documents)
        self.neurons, self.device, self.write = neurons, device, write

    def begin(self, layer: int) -> Wanted:
        """A new layer."""
        self.activations, self.activations_bos, self.documents = torch.zeros(3, self.neurons, dtype=torch.int64, device=self.device)
        self.active_windows = torch.zeros(self.waiting, self.neurons, dtype=torch.int32, device=self.device)
        return Wanted()

    def record(self, batch: Batch, seen: Observation) -> None:
        """Add one batch."""
        self.activations += seen.activations
        self.activations_bos += seen.at_bos
        slots = self.slots[torch.from_numpy(batch.windows).to(self.device)]
        self.documents += seen.in_text[slots < 0].sum(dim=0)
        self.active_windows.index_add_(0, slots[slots >= 0], seen.in_text[slots >= 0].int())

    def end(self, layer: int) -> Callable[[], object]:
        """What writes the layer: counts, and for the documents at the two ends whether each neuron was active there."""
        active = self.active_windows > 0  # (waiting documents, F)
        first, last = (active[place] for place in self.end_places)
        inner = torch.ones(self.waiting, dtype=torch.bool, device=self.device)
        inner[self.end_places] = False
        counters = (self.activations, self.activations_bos, self.documents + active[inner].sum(dim=0), first, last)
        columns = [numpy.full(self.neurons, layer), numpy.arange(self.neurons), *(counter.cpu().numpy() for counter in counters)]
        warn_split_bos(columns[COUNTERS.names.index("activations_bos")], columns[0], columns[1], self.windows, "the shard")
        return partial(self.write, pyarrow.table([pyarrow.array(column) for column in columns], schema=COUNTERS.schema))
