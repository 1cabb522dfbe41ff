"""The fused pass on the CPU: ReLU in place and every count of a batch, the values read once.

Floating-point numbers are looked at as integers of their width, which sort alike: a value is above zero where
its bits are, seen as a signed integer, from 1 to those of infinity. So one kernel serves float32, float16 and
bfloat16, and the compiler makes vector code of it.
"""

import numba
import numpy

# Columns that one thread counts at a time: its counters and a row of values stay in the nearest cache.
COLUMNS = 1024
# Rows that a counter of 16 bits can take before it is emptied.
ROWS = 32_000


@numba.njit(parallel=True, cache=True)
def rectify_and_count(bits, length, lengths, infinity, negative_infinity, activations, at_bos, in_text):
    """Set negative values to zero and count those above it.

    Args:
        bits: values before ReLU as signed integers of their width, (w * T, F); changed, padding left alone.
        length: T, rows of a window.
        lengths: rows of each window that are not padding, (w,).
        infinity, negative_infinity: bits of the two, in the type of `bits`.
        activations: rows at which each neuron is active, (F,) int64; added to.
        at_bos: those at a window's first row, (F,) int64; added to.
        in_text: whether the neuron is active at any other row of the window, (w, F) bool; written.
    """
    neurons = bits.shape[1]
    zero = bits.dtype.type(0)
    one = bits.dtype.type(1)
    for block in numba.prange((neurons + COLUMNS - 1) // COLUMNS):
        first = block * COLUMNS
        width = min(neurons - first, COLUMNS)
        counts = numpy.zeros(width, bits.dtype)
        for window in range(len(lengths)):
            row = bits[window * length, first : first + width]
            for column in range(width):
                value = row[column]
                active = (value > zero) & (value <= infinity)
                at_bos[first + column] += active
                activations[first + column] += active
                row[column] = zero if value <= negative_infinity else value
                in_text[window, first + column] = False
            start = 1
            while start < lengths[window]:
                stop = min(lengths[window], start + ROWS)
                counts[:] = zero
                for place in range(start, stop):
                    row = bits[window * length + place, first : first + width]
                    for column in range(width):
                        value = row[column]
                        counts[column] += one if (value > zero) & (value <= infinity) else zero
                        row[column] = zero if value <= negative_infinity else value
                for column in range(width):
                    activations[first + column] += counts[column]
                    in_text[window, first + column] |= counts[column] > zero
                start = stop
