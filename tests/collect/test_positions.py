"""Activations per position against plain counting."""

import numpy
import polars
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroncensus.collect.batches import make_batches
from neuroncensus.collect.observation import Wanted, observe_compiled, observe_with_torch
from neuroncensus.collect.positions import PositionRecorder
from neuroncensus.sizes import BYTE
from neuroncensus.tablefiles import unpacked
from neuroncensus.tables import POSITION_COUNTERS


@settings(max_examples=40)
@pytest.mark.parametrize("observe", [observe_with_torch, observe_compiled])
@given(
    window=st.integers(2, 9),
    lengths=st.lists(st.integers(0, 8), min_size=1, max_size=20),
    neurons=st.sampled_from([1, 5, 64, 67]),
    batch_tokens=st.integers(1, 80),
    seed=st.integers(0, 1000),
)
def test_full_windows_are_counted_position_by_position(observe, window, lengths, neurons, batch_tokens, seed):
    lengths = numpy.array([max(1, window - length) for length in lengths])
    random = numpy.random.default_rng(seed)
    written = []
    recorder = PositionRecorder(window, neurons, torch.device("cpu"), written.append)
    for layer in (2, 3):
        values = [random.normal(-0.5, 1, size=(length, neurons)).astype(numpy.float32) for length in lengths]
        wanted = recorder.begin(layer)
        assert wanted == Wanted(positions=window)
        for batch in make_batches(lengths, batch_tokens):
            padded = torch.full((*batch.shape, neurons), 7.0)
            for row, number in enumerate(batch.windows):
                padded[row, : lengths[number]] = torch.from_numpy(values[number])
            recorder.record(batch, observe(padded, batch, wanted))
        recorder.end(layer)()
        table = written.pop()
        assert not written
        assert table.schema.equals(POSITION_COUNTERS.schema)
        full = [value > 0 for value in values if len(value) == window]
        counts = sum(full, start=numpy.zeros((window, neurons), dtype=int))  # (T, F)
        assert polars.DataFrame(table)["layer", "neuron"].rows() == [(layer, neuron) for neuron in range(neurons)]
        assert (unpacked(table["windows_active"], window) == counts.T).all()


@pytest.mark.parametrize("batch_tokens", [3, 3 * 100, 3 * BYTE, 3 * (BYTE + 1), 3 * 700])
def test_more_windows_than_a_byte_counts(batch_tokens):
    """However they come: one by one, in batches that fill a byte, in one batch that a byte cannot count."""
    lengths, written = numpy.full(700, 3), []
    recorder = PositionRecorder(3, 5, torch.device("cpu"), written.append)
    for layer in range(2):
        wanted = recorder.begin(layer)
        for batch in make_batches(lengths, batch_tokens):
            recorder.record(batch, observe_compiled(torch.ones(*batch.shape, 5), batch, wanted))
        recorder.end(layer)()
    assert len(written) == 2
    assert all((unpacked(table["windows_active"], 3) == 700).all() for table in written)
