"""Bits by position to activations by n-gram: the kernels under `neuroncensus.collect.ngrams`.

Bits arrive a row a position, 64 neurons a word. They are turned into a row a neuron, its positions in the order of
the shard's n-grams, 64 slots a word; then an n-gram's activations are what a row has in the n-gram's run.
"""

import numba
import numpy

from neuroncensus.collect.words import WORD, lowest, ones

# Words of a row of bits that are turned at a time: a cache line of them.
LINE = 8
# Neurons that one thread takes at a time.
TASK = 16
# How much more hopeless than must be a neuron is that is left without counting: what it has on its best n-grams is known
# as a bound only then, and the proof of the reduction must hold all the same.
SURELY = 4


@numba.njit(inline="always")
def _transpose(block):
    """Exchange rows and columns of 64 x 64 bits, (64,) uint64, by swapping ever smaller quarters."""
    half = 32
    mask = numpy.uint64(0x00000000FFFFFFFF)
    while half:
        shift = numpy.uint64(half)
        for start in range(0, WORD, 2 * half):
            for row in range(start, start + half):
                swapped = ((block[row] >> shift) ^ block[row + half]) & mask
                block[row] ^= swapped << shift
                block[row + half] ^= swapped
        half >>= 1
        mask ^= mask << numpy.uint64(half)


@numba.njit(parallel=True, cache=True, nogil=True)
def gather_neurons(words, rows, first, out):
    """Bits of a few words of neurons, in the order of the slots.

    Args:
        words: bits of each row, (rows, W) uint64.
        rows: which row each slot has, (N,) int32.
        first: first word wanted.
        out: a row a neuron, (64 times the words wanted, at most LINE; ceil(N / 64)) uint64; written. Bits behind the last
            slot are zero.
    """
    slots = len(rows)
    lines = out.shape[0] // WORD
    for column in numba.prange(out.shape[1]):
        block = numpy.zeros((LINE, WORD), numpy.uint64)
        for place in range(min(WORD, slots - column * WORD)):
            row = rows[column * WORD + place]
            for line in range(lines):
                block[line, place] = words[row, first + line]
        for line in range(lines):
            _transpose(block[line])
            for neuron in range(WORD):
                out[line * WORD + neuron, column] = block[line, neuron]


@numba.njit(inline="always")
def _best(histogram, top, most):
    """Activations on the `most` n-grams with the most; histogram[c] n-grams have c activations, c at most `top`."""
    covered = numpy.int64(0)
    left = numpy.int64(most)
    count = top
    while count > 0 and left > 0:
        taken = min(left, numpy.int64(histogram[count]))
        covered += taken * count
        left -= taken
        count -= 1
    return covered


@numba.njit(parallel=True, cache=True, nogil=True)
def count_runs(bits, counted, alone, runs, longest, most, bound, hopeless, least, activations, covered, pairs):
    """For each neuron: its activations, how many of them its best n-grams have, and on how many n-grams it is active.

    Args:
        bits: a row a neuron, a bit a slot, (B, words) uint64.
        counted: slots that have an n-gram at all, (words,) uint64.
        alone: those whose n-gram has no other, which most have for n = 3: they are counted a word at a time; (words,) uint64.
        runs: n-gram of each slot, (N,) int32; -1 for none.
        longest: most slots of one n-gram.
        most: K, how many n-grams are the best.
        bound: how many slots the K most frequent n-grams have: no neuron can have more on K n-grams.
        hopeless, least: (p, q): a neuron is left at once if by `bound` alone more than `least` activations and SURELY p / q
            of all lie beyond its best; `covered` is `bound` then, and `pairs` -1.
        activations, covered, pairs: (B,) int64; written.
    """
    neurons = bits.shape[0]
    for task in numba.prange((neurons + TASK - 1) // TASK):
        histogram = numpy.zeros(longest + 1, numpy.int32)
        for neuron in range(task * TASK, min(neurons, (task + 1) * TASK)):
            row = bits[neuron]
            total, once = numpy.int64(0), numpy.int64(0)
            for word in range(len(row)):
                total += ones(row[word] & counted[word])
                once += ones(row[word] & alone[word])
            activations[neuron] = total
            beyond = total - bound
            if beyond > least and beyond * hopeless[1] > SURELY * total * hopeless[0]:
                covered[neuron] = bound
                pairs[neuron] = -1
                continue
            top, current, count, found = 0, -1, 0, 0
            for word in range(len(row)):
                left = row[word] & counted[word] & ~alone[word]
                while left:
                    run = runs[word * WORD + lowest(left)]
                    left &= left - numpy.uint64(1)
                    if run != current:
                        histogram[count] += 1
                        top = max(top, count)
                        current, count = run, 0
                        found += 1
                    count += 1
            histogram[count] += 1
            top = max(top, count)
            if once:
                histogram[1] += once
                top = max(top, 1)
            covered[neuron] = _best(histogram, top, most)
            pairs[neuron] = found + once
            histogram[: top + 1] = 0


@numba.njit(parallel=True, cache=True, nogil=True)
def list_runs(bits, counted, even, runs, neurons, starts, ngrams, counts, counts_even):
    """All (n-gram, activations) of some neurons, n-grams ascending.

    Args:
        bits, counted, runs: as for `count_runs`.
        even: slots in documents of even number, (words,) uint64.
        neurons: rows of `bits`, (R,).
        starts: where each one's pairs begin in what is written, (R,).
        ngrams, counts, counts_even: n-gram, activations, and those in even documents; int32; written.
    """
    for task in numba.prange((len(neurons) + TASK - 1) // TASK):
        for place in range(task * TASK, min(len(neurons), (task + 1) * TASK)):
            row = bits[neurons[place]]
            pair, current = starts[place] - 1, -1
            for word in range(len(row)):
                left = row[word] & counted[word]
                while left:
                    slot = lowest(left)
                    run = runs[word * WORD + slot]
                    if run != current:
                        pair += 1
                        current = run
                        ngrams[pair], counts[pair], counts_even[pair] = run, 0, 0
                    counts[pair] += 1
                    counts_even[pair] += (even[word] >> numpy.uint64(slot)) & numpy.uint64(1)
                    left &= left - numpy.uint64(1)
