"""The fused pass on the CPU: ReLU in place and every count and bit of a batch, the values read from memory once.

Floating-point numbers are looked at as integers of their width, which sort alike: a value is zero after the ReLU where
its bits are, seen as a signed integer, 0 or at most those of minus infinity. So one kernel serves float32, float16 and
bfloat16, and the compiler makes vector code of it. What is left is above zero or NaN, of either sign. NaN counts as
active: taken for silence, it would be left out of the FFN's second product, and the run would not stop on it.
"""

import numba
import numpy

from neuroncensus.collect.words import WORD, active_word

# Columns that one thread counts at a time: its counters and a row of values stay in the nearest cache.
COLUMNS = 1024
# Rows that a counter of 16 bits can take before it is emptied.
ROWS = 32_000


@numba.njit(inline="always")
def _write_words(row, negative_infinity, words):
    """Bits of a row of contiguous numbers, (n,), into words, (ceil(n / WORD),)."""
    whole = len(row) // WORD
    for word in range(whole):
        words[word] = active_word(row, word * WORD, negative_infinity)
    if whole < len(words):
        last = numpy.uint64(0)
        for column in range(whole * WORD, len(row)):
            value = row[column]
            if (value > negative_infinity) & (value != 0):
                last |= numpy.uint64(1) << numpy.uint64(column - whole * WORD)
        words[whole] = last


@numba.njit(parallel=True, cache=True)
def rectify_and_count(bits, length, lengths, negative_infinity, activations, at_bos, in_text, words, at_position):
    """Set negative values to zero and count the others that are not.

    Args:
        bits: values before ReLU as signed integers of their width, (w * T, F); changed, padding left alone.
        length: T, rows of a window.
        lengths: rows of each window that are not padding, (w,).
        negative_infinity: its bits, in the type of `bits`.
        activations: rows at which each neuron is active, (F,) int64; added to.
        at_bos: those at a window's first row, (F,) int64; added to.
        in_text: whether the neuron is active at any other row of the window, (w, F) bool; written.
        words: bit i of word j says whether neuron 64 j + i is active in the row, (w * T, ceil(F / 64)) uint64; written,
            padding left alone. None of it if it has no rows.
        at_position: windows with the neuron active at each position, (T, F) of a type that can hold them; added to. Windows that
            are padded are not in it. None of it if it has no rows.
    """
    neurons = bits.shape[1]
    zero = bits.dtype.type(0)
    one = bits.dtype.type(1)
    none, once = at_position.dtype.type(0), at_position.dtype.type(1)
    for block in numba.prange((neurons + COLUMNS - 1) // COLUMNS):
        first = block * COLUMNS
        width = min(neurons - first, COLUMNS)
        counts = numpy.zeros(width, bits.dtype)
        first_word = first // WORD
        end_word = first_word + (width + WORD - 1) // WORD
        for window in range(len(lengths)):
            full = at_position.shape[0] > 0 and lengths[window] == length
            start = 0
            while start < lengths[window]:
                # BOS first, alone.
                stop = 1 if start == 0 else min(lengths[window], start + ROWS)
                counts[:] = zero
                for place in range(start, stop):
                    row = bits[window * length + place, first : first + width]
                    if words.shape[0] > 0:
                        _write_words(row, negative_infinity, words[window * length + place, first_word:end_word])
                    if full:
                        windows = at_position[place, first : first + width]
                        for column in range(width):
                            value = row[column]
                            windows[column] += once if (value > negative_infinity) & (value != zero) else none
                    for column in range(width):
                        value = row[column]
                        counts[column] += one if (value > negative_infinity) & (value != zero) else zero
                        row[column] = zero if value <= negative_infinity else value
                if start == 0:
                    for column in range(width):
                        at_bos[first + column] += counts[column]
                        in_text[window, first + column] = False
                else:
                    for column in range(width):
                        in_text[window, first + column] |= counts[column] > zero
                for column in range(width):
                    activations[first + column] += counts[column]
                start = stop
