"""The recorder against plain counting, on random and adversarial values."""

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroncensus.collect.activations import ActivationRecorder
from neuroncensus.collect.batches import make_batches


def record(documents, lengths, values):
    """Counters of made-up values, a list of (length, F) arrays, through the recorder."""
    recorder = ActivationRecorder(numpy.array(documents), values[0].shape[1], torch.device("cpu"))
    recorder.begin()
    for batch in make_batches(numpy.array(lengths), 64):
        padded = torch.full((*batch.shape, values[0].shape[1]), 7.0)  # padding looks active: it must not be counted
        for row, window in enumerate(batch.windows):
            padded[row, : lengths[window]] = torch.from_numpy(values[window])
        recorder.record(batch, padded)
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
@given(st.data())
def test_recorder_equals_plain_counting(data):
    documents = sorted(data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=12)))
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=len(documents), max_size=len(documents)))
    random = numpy.random.default_rng(data.draw(st.integers(0, 1000)))
    values = [numpy.maximum(random.normal(-0.8, 1, size=(length, 5)), 0).astype(numpy.float32) for length in lengths]
    found, asked = record(documents, lengths, values), expected(documents, values)
    assert found.keys() == asked.keys()
    for name in asked:
        assert (found[name] == asked[name]).all(), name


@pytest.mark.parametrize(("value", "active"), [(0.0, 0), (-0.0, 0), (float("nan"), 0), (1e-45, 1), (float("inf"), 1)])
def test_active_is_above_zero_and_nothing_else(value, active):
    found = record([0], [3], [numpy.full((3, 67), value, dtype=numpy.float32)])
    assert (found["activations"] == 3 * active).all()
    assert (found["activations_bos"] == active).all()


def test_a_window_of_bos_alone_is_in_no_document():
    found = record([0, 1, 2], [1, 1, 1], [numpy.ones((1, 4), dtype=numpy.float32)] * 3)
    assert (found["activations_bos"] == 3).all()
    assert not found["documents_inside"].any() and not found["first_document_active"].any()
