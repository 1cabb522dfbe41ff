"""Some columns of a matrix: what is left of a product when neurons that are silent in the whole batch are left out of it."""

import numba
import torch

# Numbers are only moved, so any of their width will do; compiled code knows no bfloat16.
INTEGERS = {2: torch.int16, 4: torch.int32}


@numba.njit(parallel=True, cache=True, nogil=True)
def _take(values, columns, out):
    """Set `out`, (rows, n), to the columns, (n,), of values, (rows, F)."""
    for row in numba.prange(values.shape[0]):
        for place in range(len(columns)):
            out[row, place] = values[row, columns[place]]


def take_columns(values: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Columns of a matrix, (rows, F) to (rows, n); on the CPU several times faster than torch takes them, of two bytes above all.

    Args:
        values: (rows, F), of numbers of 2 or 4 bytes.
        columns: which, (n,) int64, on the device of `values`.
    """
    if values.device.type != "cpu":
        return values.index_select(1, columns)
    # Places of four bytes, which the kernel reads once a row, are half of what it reads otherwise.
    out, integer = values.new_empty(len(values), len(columns)), INTEGERS[values.itemsize]
    _take(values.view(integer).numpy(), columns.to(torch.int32).numpy(), out.view(integer).numpy())
    return out
