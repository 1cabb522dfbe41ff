"""Windows of a shard put into batches, from the shard alone: the same batches however often a job runs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy

from neuroncensus.corpora.shards import Shard

# A window joins a batch only if it is at least this share of the batch's longest: what padding may cost.
SHORTEST, OF = 7, 8


@dataclass(frozen=True)
class Batch:
    """Windows that go through a block together, longest first, padded on the right to the longest."""

    windows: numpy.ndarray
    """Which windows of the shard, (w,) int64."""
    lengths: numpy.ndarray
    """Their positions, BOS included, (w,) int64."""
    first_row: int
    """Where its rows begin in the shard's residual stream."""

    @property
    def shape(self) -> tuple[int, int]:
        """(windows, positions of the longest)."""
        return len(self.windows), int(self.lengths[0])

    @property
    def rows(self) -> slice:
        """Its rows in the shard's residual stream, padding included."""
        windows, length = self.shape
        return slice(self.first_row, self.first_row + windows * length)

    @property
    def padded(self) -> bool:
        """Whether any window is shorter than the longest."""
        return bool(self.lengths[-1] < self.lengths[0])

    def real(self) -> numpy.ndarray:
        """Which positions are not padding, (w, T) bool."""
        return numpy.arange(self.shape[1])[None, :] < self.lengths[:, None]

    def ids(self, shard: Shard, bos: int) -> numpy.ndarray:
        """Token ids with BOS in front, (w, T) int64; padding repeats BOS and is never counted."""
        ids = numpy.full(self.shape, bos, dtype=numpy.int64)
        for row, window in enumerate(self.windows):
            tokens = shard.tokens[shard.offsets[window] : shard.offsets[window + 1]]
            ids[row, 1 : 1 + len(tokens)] = tokens
        return ids


def make_batches(lengths: numpy.ndarray, batch_tokens: int) -> list[Batch]:
    """Sort windows by length and cut them into batches of at most `batch_tokens` rows, one window at least.

    Args:
        lengths: positions of each window of the shard, BOS included, (W,).
        batch_tokens: rows of a batch, padding included.
    """
    order = numpy.lexsort((numpy.arange(len(lengths)), -lengths))

    def cuts() -> Iterator[tuple[int, int]]:
        start = 0
        for end in range(1, len(order) + 1):
            longest = lengths[order[start]]
            full = end == len(order) or (end - start + 1) * longest > batch_tokens
            if full or lengths[order[end]] * OF < longest * SHORTEST:
                yield start, end
                start = end

    batches, row = [], 0
    for start, end in cuts():
        windows = order[start:end]
        batches.append(Batch(windows, lengths[windows], row))
        row = batches[-1].rows.stop
    return batches
