"""What a counter of the collection is to the engine that feeds it."""

from collections.abc import Callable
from typing import Protocol

from neuroncensus.collect.batches import Batch
from neuroncensus.collect.observation import Observation, Wanted


class Recorder(Protocol):
    """One counter: sees every batch of a layer, then writes what the layer gave; one layer after the other."""

    def begin(self, layer: int) -> Wanted:
        """A new layer; says what has to be observed for it."""
        ...

    def record(self, batch: Batch, seen: Observation) -> None:
        """Add one batch."""
        ...

    def end(self, layer: int) -> Callable[[], object]:
        """Every batch was seen: what is left to do, count and write, which may be done while the next layer is recorded."""
        ...
