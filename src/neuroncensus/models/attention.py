"""Causal attention of whole windows: torch's fused kernel, and on request without most of what the mask hides.

On the CPU the kernel takes keys KEYS at a time and multiplies all of them, and masks afterwards: of a window of up to KEYS, half of the
work is for nothing. Parts of a window's queries, each with no keys but those up to its last query, spare most of it. What is
left out is exactly zero, but the products of fewer keys are added up in another order, so results are equal to rounding.
"""

import torch
import torch.nn.functional as F

PART = 64
"""Queries of a part."""
KEYS = 512
"""Keys that torch's kernel on the CPU takes at a time. Those behind a query's own KEYS it leaves out by itself, so parts gain nothing for
windows much longer: in bfloat16, on 2 threads with AVX-512, attention takes 0.67 of the time for T = 512, 0.8 for 192, 0.9 for 1024, 1.0
for 1536, in float32 a few percent more, with AVX2 alone as well. Not measured on CPUs with units for whole matrices (AMX)."""


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    # A single query sees its only key: torch takes another path for it if it is told of a mask.
    causal = mask is None and query.shape[2] > 1
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=1.0)


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, skip: bool) -> torch.Tensor:
    """What the heads give for queries that are scaled already, each of which sees the keys up to its own place.

    Args:
        query, key, value: (windows, heads, T, d / heads).
        skip: leave out keys that no query of a part sees, where that is faster; equal to rounding then, else bit for bit what transformers
            computes with sdpa attention.

    Returns:
        (windows, heads, T, d / heads); in memory heads follow positions, so that they are put together without a copy.
    """
    windows, heads, length, width = query.shape
    if not skip or query.device.type != "cpu" or not 2 * PART <= length <= 2 * KEYS:
        return _attend(query, key, value)
    mixed = query.new_empty(windows, length, heads, width).transpose(1, 2)
    # The first part is the longer one, so that the same triangle masks the last keys of all others.
    first = PART + length % PART
    mask = query.new_full((PART, PART), -torch.inf).triu_(1)  # 0 up to the query itself
    mask = F.pad(mask, (length - PART, 0))  # (PART, T)
    mixed[:, :, :first] = _attend(query[:, :, :first], key[:, :, :first], value[:, :, :first])
    for end in range(first + PART, length + 1, PART):
        part = slice(end - PART, end)
        mixed[:, :, part] = _attend(query[:, :, part], key[:, :, :end], value[:, :, :end], mask[:, length - end :])
    return mixed
