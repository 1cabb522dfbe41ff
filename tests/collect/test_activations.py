"""The recorder against plain counting, layer after layer."""

import logging

import numpy
import polars
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroncensus.collect.activations import ActivationRecorder
from neuroncensus.collect.batches import make_batches
from neuroncensus.collect.observation import Wanted, observe_compiled, observe_with_torch
from neuroncensus.tables import COUNTERS

WAYS = pytest.mark.parametrize("observe", [observe_with_torch, observe_compiled])


def record(documents, lengths, layers, observe, dtype=torch.float32):
    """What the recorder writes of made-up pre-activations, for each layer a list of (length, F) arrays."""
    written = []
    recorder = ActivationRecorder(numpy.array(documents), layers[0][0].shape[1], torch.device("cpu"), written.append)
    for layer, values in enumerate(layers, start=3):
        assert recorder.begin(layer) == Wanted()
        for batch in make_batches(numpy.array(lengths), 64):
            padded = torch.full((*batch.shape, values[0].shape[1]), 7.0, dtype=dtype)  # padding looks active: it must not be counted
            for row, window in enumerate(batch.windows):
                padded[row, : lengths[window]] = torch.from_numpy(values[window])
            rectified = torch.relu(padded)
            recorder.record(batch, observe(padded, batch, Wanted()))
            for row, window in enumerate(batch.windows):
                assert torch.equal(padded[row, : lengths[window]].nan_to_num(123), rectified[row, : lengths[window]].nan_to_num(123))
        recorder.end(layer)()
    assert len(written) == len(layers)
    assert all(table.schema.equals(COUNTERS.schema) for table in written)
    return [polars.DataFrame(table) for table in written]


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


@settings(max_examples=60)
@WAYS
@given(data=st.data())
def test_recorder_equals_plain_counting(observe, data):
    documents = sorted(data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=12)))
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=len(documents), max_size=len(documents)))
    random = numpy.random.default_rng(data.draw(st.integers(0, 1000)))
    layers = [[random.normal(-0.8, 1, size=(length, 5)).astype(numpy.float32) for length in lengths] for _ in range(2)]
    for layer, (found, values) in enumerate(zip(record(documents, lengths, layers, observe), layers, strict=True), start=3):
        asked = {"layer": [layer] * 5, "neuron": range(5)} | expected(documents, values)
        assert found.columns == list(asked)
        for name in asked:
            assert found[name].to_list() == list(asked[name]), name


@WAYS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_what_is_not_a_number_does_not_pass_for_silence(observe, dtype):
    values = numpy.array([[0.0, -0.0, 1.0, -1.0, numpy.inf, -numpy.inf, numpy.nan, -numpy.nan]] * 3, dtype=numpy.float32)
    (found,) = record([0], [3], [[values]], observe, dtype)
    assert found["activations"].to_list() == [0, 0, 3, 0, 3, 0, 3, 3]
    assert found["activations_bos"].to_list() == [0, 0, 1, 0, 1, 0, 1, 1]


@WAYS
def test_a_window_of_bos_alone_is_in_no_document(observe):
    (found,) = record([0, 1, 2], [1, 1, 1], [[numpy.ones((1, 4), dtype=numpy.float32)] * 3], observe)
    assert (found["activations_bos"] == 3).all()
    assert (found["documents_inside"] == 0).all() and not found["first_document_active"].any()


def test_bos_active_in_some_windows_only_is_told(caplog):
    silent, active = (numpy.full((2, 1), value, dtype=numpy.float32) for value in (-1.0, 1.0))
    with caplog.at_level(logging.WARNING):
        record([0, 1], [2, 2], [[active, active], [silent, silent]], observe_compiled)
        assert not caplog.messages
        record([0, 1], [2, 2], [[silent, silent], [active, silent]], observe_compiled)
    assert caplog.messages == ["layer 4 neuron 0: active at BOS of 1 of 2 windows of the shard: rounding near zero"]
