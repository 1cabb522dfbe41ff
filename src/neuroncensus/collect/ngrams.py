"""The recorder of n-grams: on which n-grams each neuron of a layer is active, and how often (section 4).

Counts of every (n-gram, neuron) pair cannot be kept: a 66b model has 3.5e12. For each neuron and n, this shard always
writes `A`, its activations, and `M`, how many of them its own best K n-grams have at most; K is the largest number of
n-grams that any finding asks about. No choice of K n-grams has more than `sum M` of all shards, so for a share p/q of
all activations, `q * sum(A - M) > (q - p) * sum A` proves that K n-grams cannot cover the neuron. A shard drops the
pairs of a neuron that looks hopeless by that measure; the reduction checks the proof for each dropped neuron, and where
it does not hold the pairs are collected again. Nothing is estimated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy
import pyarrow
import torch

from neuroncensus.collect.batches import Batch
from neuroncensus.collect.observation import Observation, Wanted
from neuroncensus.collect.runs import LINE, count_runs, gather_neurons, list_runs
from neuroncensus.collect.transfer import ToHost, host_empty
from neuroncensus.collect.words import WORD, words_of
from neuroncensus.corpora.ngrams import Order, Runs
from neuroncensus.corpora.shards import Shard
from neuroncensus.pairs import pack_pairs
from neuroncensus.sizes import BLOCK
from neuroncensus.tables import NGRAM_COUNTERS

assert BLOCK == LINE * WORD, "a block is one line of each position's bits"


@dataclass(frozen=True)
class NgramSettings:
    """What decides which pairs are kept.

    Attributes:
        share: p / q, the share of a neuron's activations to be covered, as the configuration writes it.
        most: K.
        rotation_null: count the rotated activations too.
        times: a neuron may be dropped if more than `times` the share that may stay uncovered (half way from that to all, where
            that is less) lies beyond its K best n-grams ...
        least: ... and more activations than this.
    """

    share: float
    most: int
    rotation_null: bool
    times: int = 4
    least: int | None = None

    @property
    def hopeless(self) -> tuple[int, int]:
        """(p, q) of the share of activations beyond the K best above which a neuron may be dropped."""
        # Which pairs are dropped may be rounded, the proof may not; so no product is too large for 64 bits.
        uncovered = 1 - Fraction(str(self.share))
        share = min(self.times * uncovered, (1 + uncovered) / 2).limit_denominator(1_000_000)
        return share.numerator, share.denominator

    @property
    def dropped_above(self) -> int:
        """Activations beyond the K best that a neuron must at least pass to be dropped."""
        return self.most if self.least is None else self.least


Open = Mapping[int, frozenset[tuple[int, int, bool]]]
"""For each layer the (neuron, n, rotated) whose pairs are collected again, all of them."""


def _bit_words(truths: numpy.ndarray) -> numpy.ndarray:
    """Truth values of the slots, (N,), as words, (ceil(N / 64),) uint64."""
    octets = numpy.zeros(8 * words_of(len(truths)), dtype=numpy.uint8)
    packed = numpy.packbits(truths, bitorder="little")
    octets[: len(packed)] = packed
    return octets.view("<u8")


class _Series:
    """One n, with activations as they are or rotated: what the kernels need to know of its n-grams."""

    def __init__(self, runs: Runs, rotated: bool, slots: int, most: int):
        self.n, self.rotated = runs.n, rotated
        self.runs = runs.of_slots(slots)
        self.counted = _bit_words(self.runs >= 0)
        alone = numpy.zeros(slots, dtype=bool)
        alone[runs.first[runs.occurrences == 1]] = True
        self.alone = _bit_words(alone)
        self.longest = int(runs.occurrences.max(initial=0))
        self.bound = int(numpy.sort(runs.occurrences)[::-1][:most].sum())


class NgramRecorder:
    """Pairs of one layer after the other.

    Args:
        order: the shard's positions by n-gram.
        shard: its windows.
        batches: as they go through the model.
        neurons: F.
        layers: those that are counted; the others pass unseen.
        settings: which pairs are kept.
        device: where the values are.
        write: given the rows of a block of neurons, as `neuroncensus.tables.NGRAM_COUNTERS`.
        again: collect these pairs alone and drop none; None for the first collection.
    """

    def __init__(
        self,
        order: Order,
        shard: Shard,
        batches: Sequence[Batch],
        neurons: int,
        layers: range,
        settings: NgramSettings,
        device: torch.device,
        write: Callable[[pyarrow.Table], object],
        again: Open | None = None,
    ):
        self.settings, self.neurons, self.layers, self.write, self.again = settings, neurons, layers, write, again
        slots = len(order.place)
        row_of = numpy.empty(slots, dtype=numpy.int32)  # where each text token lies in the residual stream
        for batch in batches:
            starts = batch.first_row + numpy.arange(len(batch.windows)) * batch.shape[1] + 1
            for window, start in zip(batch.windows, starts, strict=True):
                row_of[shard.offsets[window] : shard.offsets[window + 1]] = numpy.arange(start, start + shard.lengths[window] - 1)
        self.rows = {False: row_of[order.place], True: row_of[order.rotated]}
        # Pairs of the null are only ever added up, so which documents they are in is not asked.
        even = numpy.repeat(shard.document % 2 == 0, shard.lengths - 1)[order.place]
        self.even = {False: _bit_words(even), True: _bit_words(numpy.zeros(slots, dtype=bool))}
        nulls = (False, True) if settings.rotation_null else (False,)
        self.series = [_Series(runs, rotated, slots, settings.most) for runs in order.runs for rotated in nulls]
        self.width, self.device = (batches[-1].rows.stop, words_of(neurons)), device
        self.to_host = ToHost(device)
        # Memory for the bits of a layer, and of a second one where the first is still being counted.
        self.spare: list[torch.Tensor] = []

    def begin(self, layer: int) -> Wanted:
        """A new layer."""
        self.counting = layer in self.layers and (self.again is None or layer in self.again)
        if self.counting:
            self.words = self.spare.pop() if self.spare else host_empty(*self.width, torch.int64, self.device)
        return Wanted(bits=self.counting)

    def record(self, batch: Batch, seen: Observation) -> None:
        """Keep the bits of one batch."""
        if seen.words is not None and self.counting:
            self.to_host.copy(seen.words, self.words[batch.rows])

    def end(self, layer: int) -> Callable[[], object]:
        """What counts the layer and writes it, block by block."""
        if not self.counting:
            return lambda: None
        self.to_host.wait()
        return partial(self._count, layer, self.words)

    def _count(self, layer: int, words: torch.Tensor) -> None:
        for first in range(0, self.neurons, BLOCK):
            self.write(self._block(words, layer, first, min(BLOCK, self.neurons - first)))
        self.spare.append(words)

    def _gather(self, words: torch.Tensor, first: int, width: int, rotated: bool) -> numpy.ndarray:
        """Bits of the neurons from `first`, a row a neuron, a bit a slot; (width, ceil(N / 64)) uint64."""
        bits = numpy.empty((words_of(width) * WORD, words_of(len(self.rows[rotated]))), dtype=numpy.uint64)
        gather_neurons(words.numpy().view(numpy.uint64), self.rows[rotated], first // WORD, bits)
        return bits[:width]

    def _keep(self, layer: int, first: int, activations: numpy.ndarray, covered: numpy.ndarray) -> numpy.ndarray:
        """Which pairs are written, (width, S) bool."""
        if self.again is not None:
            wanted = self.again[layer]
            neurons = range(first, first + len(activations))
            return numpy.array([[(neuron, series.n, series.rotated) in wanted for series in self.series] for neuron in neurons])
        beyond, (part, whole) = activations - covered, self.settings.hopeless
        return (beyond <= self.settings.dropped_above) | (beyond * whole <= activations * part)

    def _block(self, words: torch.Tensor, layer: int, first: int, width: int) -> pyarrow.Table:
        """The rows of `width` neurons from `first`: neurons outside, then the S series."""
        shape = (width, len(self.series))
        activations, covered, pairs = numpy.zeros((3, *shape), dtype=numpy.int64)
        bits = {rotated: self._gather(words, first, width, rotated) for rotated in {series.rotated for series in self.series}}
        for place, series in enumerate(self.series):
            # Collected again, none may be left at once.
            bound = series.bound if self.again is None else len(series.runs)
            rules = (series.longest, self.settings.most, bound, self.settings.hopeless, self.settings.dropped_above)
            found = numpy.zeros((3, width), dtype=numpy.int64)
            count_runs(bits[series.rotated], series.counted, series.alone, series.runs, *rules, *found)
            activations[:, place], covered[:, place], pairs[:, place] = found
        kept = self._keep(layer, first, activations, covered)
        offsets = numpy.concatenate([[0], numpy.cumsum(numpy.where(kept, pairs, 0))])
        lists = numpy.zeros((3, offsets[-1]), dtype=numpy.int32)
        starts = offsets[:-1].reshape(shape)
        for place, series in enumerate(self.series):
            neurons = numpy.flatnonzero(kept[:, place])
            even = self.even[series.rotated]
            list_runs(bits[series.rotated], series.counted, even, series.runs, neurons, starts[neurons, place], *lists)
        scalars = {
            "layer": numpy.full(kept.size, layer),
            "neuron": numpy.repeat(numpy.arange(first, first + width), len(self.series)),
            "n": numpy.tile([series.n for series in self.series], width),
            "rotated": numpy.tile([series.rotated for series in self.series], width),
            "activations": activations.ravel(),
            "covered": covered.ravel(),
            "kept": kept.ravel(),
            "pairs": numpy.diff(offsets),
        }
        columns = {name: pyarrow.array(column) for name, column in scalars.items()} | {"packed": pack_pairs(offsets, *lists)}
        table = pyarrow.table([columns[name] for name in NGRAM_COUNTERS.names], schema=NGRAM_COUNTERS.schema)
        return table if self.again is None else table.filter(pyarrow.array(kept.ravel()))
