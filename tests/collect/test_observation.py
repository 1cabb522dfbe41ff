"""What is seen of a batch, both ways, against plain numpy on random and adversarial values."""

import math

import numpy
import pytest
import torch

from neuroncensus.collect.batches import Batch
from neuroncensus.collect.observation import INTEGERS, Observation, Wanted, observe, observe_compiled, observe_with_torch
from neuroncensus.sizes import BYTE

WAYS = pytest.mark.parametrize("way", [observe_with_torch, observe_compiled])
DTYPES = pytest.mark.parametrize("dtype", INTEGERS)
WIDTHS = (1, 63, 64, 65, 127, 1000, 1024, 1025, 1100, 2100)


def made_batch(lengths) -> Batch:
    return Batch(numpy.arange(len(lengths)), numpy.array(lengths), 0)


def random_bits(shape, dtype: torch.dtype, seed: int) -> torch.Tensor:
    """Values of any bits, so every kind of number that a dtype has; of half of the neurons the special ones alone."""
    integer, infinity = INTEGERS[dtype]
    lowest, highest = torch.iinfo(integer).min, torch.iinfo(integer).max
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(lowest, highest + 1, shape, generator=generator, dtype=torch.int64)
    # Zeros, the least subnormals, infinities and the NaNs next to them, NaNs of all ones.
    positive = torch.tensor([0, 1, infinity - 1, infinity, infinity + 1, highest])
    special = torch.cat([positive, positive + lowest])
    drawn = special[torch.randint(0, len(special), shape, generator=generator)]
    bits[..., ::2] = drawn[..., ::2]
    return bits.to(integer).view(dtype)


def assert_seen(seen: Observation, after: torch.Tensor, before: torch.Tensor, lengths, positions: int):
    """Everything asked for equals numpy's comparisons of `before`, and `after` is its ReLU wherever there is text."""
    windows, length, neurons = before.shape
    values = before.double().numpy()
    real = numpy.arange(length) < numpy.array(lengths)[:, None]  # (w, T)
    active = ~(values <= 0) & real[:, :, None]  # NaN too: it must not pass for silence
    assert seen.activations.tolist() == active.sum(axis=(0, 1)).tolist()
    assert seen.at_bos.tolist() == active[:, 0].sum(axis=0).tolist()
    assert (seen.in_text.numpy() == active[:, 1:].any(axis=1)).all()
    assert seen.words is not None and seen.words.shape == (windows * length, -(-neurons // 64)) and seen.words.dtype == torch.int64
    bits = numpy.unpackbits(seen.words.numpy().view(numpy.uint8), axis=1, bitorder="little")[real.ravel()].astype(bool)
    assert (bits[:, :neurons] == active[real]).all()
    assert not bits[:, neurons:].any()
    full = [window for window, of_window in enumerate(lengths) if of_window == positions]
    if full:
        assert seen.at_position is not None and seen.at_position.dtype == (torch.uint8 if len(full) <= BYTE else torch.int32)
        assert (seen.at_position.numpy() == active[full].sum(axis=0)).all()
    else:
        assert seen.at_position is None
    rectified = numpy.where(values <= 0, 0, values)
    assert numpy.array_equal(after.double().numpy()[real], rectified[real], equal_nan=True)


def assert_way(way, values: torch.Tensor, lengths, positions: int):
    after = values.clone()
    assert_seen(way(after, made_batch(lengths), Wanted(True, positions)), after, values, lengths, positions)


@WAYS
@DTYPES
@pytest.mark.parametrize("neurons", WIDTHS)
def test_any_bits(way, dtype, neurons):
    assert_way(way, random_bits((3, 7, neurons), dtype, neurons), [7, 7, 7], 7)


SPECIAL = [(0.0, 0), (-0.0, 0), (1.0, 1), (-1.0, 0), (math.inf, 1), (-math.inf, 0), (math.nan, 1), (-math.nan, 1)]


@WAYS
@DTYPES
@pytest.mark.parametrize("neurons", [5, 64, 67, 1100])
def test_active_is_what_the_relu_does_not_make_zero(way, dtype, neurons):
    for value, active in SPECIAL:
        values = torch.full((2, 3, neurons), value, dtype=dtype)
        assert_way(way, values, [3, 3], 3)
        assert (way(values, made_batch([3, 3]), Wanted()).activations == 6 * active).all(), value


@WAYS
@DTYPES
@pytest.mark.parametrize("lengths", [[1], [1, 1, 1], [9, 9, 9, 8, 8], [9], [9, 8], [2, 1], [17, 16, 15]], ids=str)
@pytest.mark.parametrize("neurons", [5, 130])
def test_padding_is_in_nothing_and_a_padded_window_is_not_full(way, dtype, lengths, neurons):
    values = random_bits((len(lengths), lengths[0], neurons), dtype, lengths[-1])
    for row, length in enumerate(lengths):
        values[row, length:] = 7.0  # looks active
        values[row, length + 1 :] = math.nan
    for positions in (lengths[0], lengths[0] + 1):
        assert_way(way, values, lengths, positions)


@WAYS
@DTYPES
@pytest.mark.parametrize("windows", [254, 255, 256, 510, 600])
def test_more_windows_than_a_byte_counts(way, dtype, windows):
    values = random_bits((windows, 3, 70), dtype, windows)
    values[:, :, ::3] = 1.0
    assert_way(way, values, [3] * windows, 3)
    padded = windows // 2
    assert_way(way, values, [3] * (windows - padded) + [2] * padded, 3)


@WAYS
@DTYPES
def test_every_pattern_of_16_bits(way, dtype):
    """All 65,536 as they are, or as the upper half of 32 bits, once in one row and once over rows and windows."""
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32)
    values = (bits << 16).view(dtype) if dtype == torch.float32 else bits.to(torch.int16).view(dtype)
    assert_way(way, values.clone().view(1, 1, -1), [1], 1)
    assert_way(way, values.clone().view(4, 16, 1024), [16] * 4, 16)


@DTYPES
@pytest.mark.parametrize("neurons", [65, 1500])
def test_both_ways_agree_bit_for_bit(dtype, neurons):
    lengths = [40, 40, 39, 38]
    values = random_bits((4, 40, neurons), dtype, 1)
    one, other = (way(values.clone(), made_batch(lengths), Wanted(True, 40)) for way in (observe_with_torch, observe_compiled))
    for name in ("activations", "at_bos", "in_text", "at_position"):
        found, asked = getattr(one, name), getattr(other, name)
        assert torch.equal(found, asked) and found.dtype == asked.dtype, name
    assert one.words is not None and other.words is not None
    real = made_batch(lengths).real().ravel()
    assert (one.words[real] == other.words[real]).all()


def test_a_long_window_overflows_no_counter():
    rows = 70_000
    values = torch.ones(1, rows, 3, dtype=torch.bfloat16)
    seen = observe_compiled(values, made_batch([rows]), Wanted(True, rows))
    assert seen.activations.tolist() == [rows] * 3
    assert seen.words is not None and (seen.words == 0b111).all()
    assert seen.at_position is not None and (seen.at_position == 1).all()


@WAYS
def test_nothing_is_seen_that_is_not_wanted(way):
    values = torch.ones(2, 5, 70)
    for wanted in (Wanted(), Wanted(positions=6)):
        seen = way(values.clone(), made_batch([5, 5]), wanted)
        assert seen.words is None and seen.at_position is None
    assert way(values.clone(), made_batch([5, 5]), Wanted(bits=True)).at_position is None
    assert way(values.clone(), made_batch([5, 5]), Wanted(positions=5)).words is None


def test_what_any_recorder_wants_is_observed():
    assert Wanted.all([Wanted()]) == Wanted()
    assert Wanted.all([Wanted(), Wanted(bits=True), Wanted(positions=9)]) == Wanted(True, 9)


def test_values_that_the_kernel_cannot_take_are_observed_all_the_same():
    whole = torch.randn(2, 5, 140, generator=torch.Generator().manual_seed(0))
    for values in (whole[:, :, ::2], whole.double()):
        after = values.clone() if values.is_contiguous() else whole.clone()[:, :, ::2]
        assert_seen(observe(after, made_batch([5, 4]), Wanted(True, 5)), after, values, [5, 4], 5)
