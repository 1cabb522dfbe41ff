"""Attention in parts against the definition, and against torch's kernel where nothing is left out."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroncensus.models import attention
from neuroncensus.models.attention import KEYS, PART, attend

DTYPES = {torch.float32: 1e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}
HEADS, WIDTH = 3, 8


def made(windows, length, dtype, seed=0):
    """Queries, keys and values as a block has them: heads follow positions in memory."""
    numbers = torch.randn(3, windows, length, HEADS, WIDTH, generator=torch.Generator().manual_seed(seed))
    return numbers.to(dtype).transpose(2, 3).unbind()


def defined(query, key, value):
    query, key, value = (x.double() for x in (query, key, value))
    hidden = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).triu(1)
    return (query @ key.transpose(2, 3)).masked_fill(hidden, -torch.inf).softmax(dim=3) @ value


@settings(max_examples=60, deadline=None)
@given(
    windows=st.integers(1, 3),
    length=st.one_of(st.integers(1, 3 * PART), st.sampled_from([255, 512, 513, 1023, 2 * KEYS, 2 * KEYS + 1])),
    dtype=st.sampled_from(list(DTYPES)),
    skip=st.booleans(),
)
def test_each_query_sees_the_keys_up_to_itself(windows, length, dtype, skip):
    query, key, value = made(windows, length, dtype)
    mixed = attend(query, key, value, skip=skip)
    assert mixed.dtype == dtype and mixed.transpose(1, 2).is_contiguous()
    assert (mixed - defined(query, key, value)).abs().max() <= DTYPES[dtype]


@pytest.mark.parametrize(("length", "parts"), [(127, 1), (128, 2), (191, 2), (192, 3), (512, 8), (1000, 15), (1024, 16), (1025, 1)])
def test_keys_that_no_query_of_a_part_sees_are_left_out(monkeypatch, length, parts):
    query, key, value = made(1, length, torch.float32)
    taken, kernel = [], torch.nn.functional.scaled_dot_product_attention

    def counted(q, k, v, **how):
        taken.append((q.shape[2], k.shape[2], v.shape[2]))
        return kernel(q, k, v, **how)

    monkeypatch.setattr(attention.F, "scaled_dot_product_attention", counted)
    whole = attend(query, key, value, skip=False)
    assert taken == [(length, length, length)]
    assert torch.equal(whole, kernel(query, key, value, is_causal=True, scale=1.0))
    taken.clear()
    attend(query, key, value, skip=True)
    queries = torch.tensor([queries for queries, _, _ in taken])
    assert len(taken) == parts and queries.sum() == length and (parts == 1 or queries.max() < 2 * PART)
    assert [(keys, values) for _, keys, values in taken] == [(end, end) for end in queries.cumsum(0).tolist()]
