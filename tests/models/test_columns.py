"""Columns of a matrix against torch's own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuroncensus.models.columns import take_columns


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@given(data=st.data(), rows=st.integers(0, 5), width=st.integers(1, 130), turned=st.booleans())
def test_columns_are_the_matrix_s_own(dtype, data, rows, width, turned):
    columns = torch.tensor(data.draw(st.lists(st.integers(0, width - 1), unique=True)), dtype=torch.int64)
    values = torch.randn(width, rows).to(dtype).T if turned else torch.randn(rows, width).to(dtype)
    taken = take_columns(values, columns)
    assert taken.dtype == dtype and taken.is_contiguous() and torch.equal(taken, values[:, columns])


def test_numbers_are_moved_bit_for_bit():
    values = torch.tensor([[-0.0, torch.nan, torch.inf, 1e-45]])
    taken = take_columns(values, torch.tensor([0, 1, 3]))
    assert torch.equal(taken.view(torch.int32), values[:, [0, 1, 3]].view(torch.int32))
