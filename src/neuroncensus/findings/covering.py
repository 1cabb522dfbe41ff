"""How few n-grams cover a neuron: the kernel under `neuroncensus.findings.ngrams`."""

import numba
import numpy

NONE, OVER, OPEN = 0, -1, -2
"""Instead of a number of n-grams: no activation at all; more than K; not decided without the pairs that a shard dropped."""


@numba.njit(parallel=True, cache=True)
def cover_rows(offsets, ngrams, counts, counts_even, maps, map_starts, kept, at_most, needs, most, sums, covering, even):
    """Add up the pairs of each row over the shards, and count the n-grams that cover it.

    Args:
        offsets: where each shard's pairs of each row begin and end in the three below, (shards, R + 1).
        ngrams, counts, counts_even: n-gram by the shard's own number, activations, those in even documents.
        maps: numbers in the index of all shards' n-grams, end to end.
        map_starts: where in `maps` the n-grams of a shard with a row's n begin, (shards, R).
        kept: whether the shard has the pairs of the row, (shards, R) bool.
        at_most: activations that the best K n-grams of all shards have at most, (R,).
        needs: activations that have to be covered, (R,); 0 where the neuron has none.
        most: K.
        sums: zeros, (tasks, n-grams of the index) int64; zeros again behind.
        covering: number of n-grams, or NONE, OVER, OPEN; (R,) int64; written.
        even: activations in even documents of the rows that are covered, (R,) int64; written.
    """
    shards, rows = kept.shape
    tasks = sums.shape[0]
    for task in numba.prange(tasks):
        total = sums[task]
        for row in range(task, rows, tasks):
            even[row] = 0
            if needs[row] == 0:
                covering[row] = NONE
                continue
            if at_most[row] < needs[row]:
                covering[row] = OVER
                continue
            whole = True
            for shard in range(shards):
                whole &= kept[shard, row]
            if not whole:
                covering[row] = OPEN
                continue
            pairs = 0
            for shard in range(shards):
                pairs += offsets[shard, row + 1] - offsets[shard, row]
            touched = numpy.empty(pairs, numpy.int32)
            found = 0
            for shard in range(shards):
                for pair in range(offsets[shard, row], offsets[shard, row + 1]):
                    number = maps[map_starts[shard, row] + ngrams[pair]]
                    if total[number] == 0:
                        touched[found] = number
                        found += 1
                    total[number] += counts[pair]
                    even[row] += counts_even[pair]
            best = numpy.empty(found, numpy.int64)
            for place in range(found):
                best[place] = total[touched[place]]
                total[touched[place]] = 0
            best.sort()
            covered, taken = numpy.int64(0), 0
            while covered < needs[row] and taken <= most:
                taken += 1
                covered += best[found - taken]
            covering[row] = taken if taken <= most else OVER
