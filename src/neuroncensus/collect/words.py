"""Bits of 64 neurons or slots in a word, and the three instructions on them that compiled Python has no name for.

Numba keeps compiled kernels by their own file's time: whoever changes something here has to touch `kernel.py` and `runs.py`.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD = 64
"""Bits of a word; bit i of word j is number 64 j + i."""


def words_of(bits: int) -> int:
    """Words that hold so many bits."""
    return -(-bits // WORD)


def _active_word(_typing, row, first, negative_infinity):
    """Bit i of the word says whether `negative_infinity < row[first + i] != 0`, for WORD signed integers in a row.

    Of a loop that shifts bits into a word the compiler makes no vector code; of this it does, on any machine.
    """
    signature = types.uint64(row, types.intp, row.dtype)

    def generate(context, builder, signature, arguments):
        array_type, _, number_type = signature.args
        array = context.make_array(array_type)(context, builder, arguments[0])
        number = context.get_value_type(number_type)
        vector, place = ir.VectorType(number, WORD), ir.IntType(32)
        values = builder.load(builder.bitcast(builder.gep(array.data, [arguments[1]]), vector.as_pointer()))
        values.align = number_type.bitwidth // 8
        undefined = ir.Constant(vector, ir.Undefined)
        least = builder.insert_element(undefined, arguments[2], ir.Constant(place, 0))
        least = builder.shuffle_vector(least, undefined, ir.Constant(ir.VectorType(place, WORD), [0] * WORD))
        other = builder.icmp_signed("!=", values, ir.Constant(vector, [0] * WORD))
        return builder.bitcast(builder.and_(other, builder.icmp_signed(">", values, least)), ir.IntType(WORD))

    return signature, generate


def _ones(_typing, word):
    """How many bits of a word are set."""

    def generate(_context, builder, _signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


def _lowest(_typing, word):
    """The place of the lowest bit of a word that is set; the word must not be zero."""

    def generate(_context, builder, _signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


active_word: Any = intrinsic(_active_word)
ones: Any = intrinsic(_ones)
lowest: Any = intrinsic(_lowest)
