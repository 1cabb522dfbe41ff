"""The recorder against plain counting, on random and adversarial values."""

import math

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroncensus.collect.activations import ActivationRecorder
from neuroncensus.collect.batches import make_batches
from neuroncensus.collect.observation import observe_compiled, observe_with_torch

WAYS = pytest.mark.parametrize("observe", [observe_with_torch, observe_compiled])


def record(documents, lengths, values, observe, dtype=torch.float32):
    """Counters of made-up pre-activations, a list of (length, F) arrays, through the recorder."""
    recorder = ActivationRecorder(numpy.array(documents), values[0].shape[1], torch.device("cpu"))
    recorder.begin()
    for batch in make_batches(numpy.array(lengths), 64):
        padded = torch.full((*batch.shape, values[0].shape[1]), 7.0, dtype=dtype)  # padding looks active: it must not be counted
        for row, window in enumerate(batch.windows):
            padded[row, : lengths[window]] = torch.from_numpy(values[window])
        rectified = torch.relu(padded)
        recorder.record(batch, observe(padded, batch))
        for row, window in enumerate(batch.windows):
            assert torch.equal(padded[row, : lengths[window]].nan_to_num(123), rectified[row, : lengths[window]].nan_to_num(123))
    return recorder.end()


def expected(documents, values):
    active = [value > 0 for value in values]
    by_document = {d: numpy.any([a[1:].any(axis=0) for a, e in zip(active, documents, strict=True) if e == d], axis=0) for d in documents}
    inside = [by_document[d] for d in by_document if d not in (documents[0], documents[-1])]
    return {
        "activations": sum(a.sum(axis=0) for a in active),
        "activations_bos": sum(a[0].astype(int) for a in active),
        "documents_inside": sum(d.astype(int) for d in inside) if inside else numpy.zeros(values[0].shape[1], dtype=int),
        "first_document_active": by_document[documents[0]],
        "last_document_active": by_document[documents[-1]],
    }


@settings(deadline=None, max_examples=60)
@WAYS
@given(data=st.data())
def test_recorder_equals_plain_counting(observe, data):
    documents = sorted(data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=12)))
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=len(documents), max_size=len(documents)))
    random = numpy.random.default_rng(data.draw(st.integers(0, 1000)))
    values = [random.normal(-0.8, 1, size=(length, 5)).astype(numpy.float32) for length in lengths]
    found, asked = record(documents, lengths, values, observe), expected(documents, values)
    assert found.keys() == asked.keys()
    for name in asked:
        assert (found[name] == asked[name]).all(), name


SPECIAL = [(0.0, 0), (-0.0, 0), (1.0, 1), (-1.0, 0), (math.inf, 1), (-math.inf, 0), (math.nan, 0), (-math.nan, 0)]


@WAYS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("value", "active"), SPECIAL)
def test_active_is_above_zero_and_nothing_else(observe, dtype, value, active):
    found = record([0], [3], [numpy.full((3, 67), value, dtype=numpy.float32)], observe, dtype)
    assert (found["activations"] == 3 * active).all()
    assert (found["activations_bos"] == active).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_number_of_16_bits(dtype):
    """All 65,536 of them, smallest denormals, both zeros and every NaN among them."""
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
    values = bits.view(dtype).clone().view(1, 1, -1)
    expected = torch.relu(values)
    seen = observe_compiled(values, make_batches(numpy.array([1]), 1)[0])
    assert torch.equal(seen.activations, (expected > 0).flatten().long())
    assert torch.equal(values.isnan(), expected.isnan())
    assert torch.equal(values.nan_to_num(7), expected.nan_to_num(7))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("neurons", [1, 63, 1024, 1500])
def test_ways_agree_on_random_values(dtype, neurons):
    lengths = numpy.array([40, 40, 39, 38])
    (batch,) = make_batches(lengths, 1000)
    values = torch.randn(4, 40, neurons, generator=torch.Generator().manual_seed(neurons)).to(dtype)
    values[:, :, ::5] = 1.0
    values[:, :, 1::5] = -1.0
    one, other = observe_with_torch(values.clone(), batch), observe_compiled(values.clone(), batch)
    for name in ("activations", "at_bos", "in_text"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_counters_of_16_bits_do_not_overflow():
    rows = 70_000
    values = torch.ones(1, rows, 3, dtype=torch.bfloat16)
    seen = observe_compiled(values, make_batches(numpy.array([rows]), rows)[0])
    assert seen.activations.tolist() == [rows] * 3


@WAYS
def test_a_window_of_bos_alone_is_in_no_document(observe):
    found = record([0, 1, 2], [1, 1, 1], [numpy.ones((1, 4), dtype=numpy.float32)] * 3, observe)
    assert (found["activations_bos"] == 3).all()
    assert not found["documents_inside"].any() and not found["first_document_active"].any()
