"""What is not finite stops the engine, and never what padding holds."""

import math

import numpy
import pytest
import torch
from safetensors.torch import load_file, save_file

from models_made import make_opt
from neuroncensus.collect.activations import ActivationRecorder
from neuroncensus.collect.batches import make_batches
from neuroncensus.collect.devices import Compute
from neuroncensus.collect.observation import observe_compiled, observe_with_torch
from neuroncensus.collect.stream import embed, run_layers
from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import read_architecture
from neuroncensus.models.checkpoint import Checkpoint
from shards_made import made_shard

GAIN = {torch.float16: 6e4, torch.bfloat16: 3e38, torch.float32: 3e38}
WINDOWS = [[5, 6, 7, 8, 9, 10, 11, 12], [9, 9, 30, 31, 4, 5, 6], [40, 41, 42, 43, 44, 45, 46]]

WAYS = pytest.mark.parametrize("way", [observe_with_torch, observe_compiled])
DTYPES = pytest.mark.parametrize("dtype", GAIN)
SKIPS = pytest.mark.parametrize("skip_silent", [False, True])


def run(folder, dtype, skip_silent):
    """The residual stream behind the last layer, of text alone."""
    shard = made_shard(WINDOWS)
    batches = make_batches(shard.lengths, 100)
    assert any(batch.padded for batch in batches)
    compute = Compute(torch.device("cpu"), dtype, torch.get_num_threads())
    with Checkpoint(folder) as checkpoint, torch.inference_mode():
        architecture = read_architecture(checkpoint.config, "config.json")
        stream = embed(checkpoint, architecture, shard, batches, compute)
        recorders = [ActivationRecorder(shard.document, architecture.ffn, compute.device, lambda _table: None)]
        done = {"skip_silent": skip_silent, "finished": lambda _rows: None, "advance": lambda _positions: None}
        run_layers(checkpoint, architecture, stream, batches, range(architecture.n_layers), recorders, compute, **done)
    return torch.cat([stream[batch.rows][torch.from_numpy(batch.real().ravel())] for batch in batches])


def change(folder, name, value):
    tensors = load_file(folder / "model.safetensors")
    tensors[f"model.decoder.layers.1.{name}"].fill_(value)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@WAYS
@DTYPES
@SKIPS
def test_pre_activations_that_are_no_numbers_stop_the_run(tmp_path, monkeypatch, way, dtype, skip_silent):
    """A gain that is finite makes the FFN's input infinite, every pre-activation NaN, and no neuron is seen active."""
    folder = make_opt(tmp_path / "model", d=256, dtype=dtype)
    change(folder, "final_layer_norm.weight", GAIN[dtype])
    monkeypatch.setattr("neuroncensus.collect.stream.observe", way)
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(CensusError, match=f"NaN or infinity in the residual stream after layer 1, computed in {name}: .*set dtype to"):
        run(folder, dtype, skip_silent)


@WAYS
@SKIPS
@pytest.mark.parametrize("value", [math.nan, -math.nan, math.inf])
def test_one_bad_value_is_enough(tmp_path, monkeypatch, way, skip_silent, value):
    """In a neuron that is silent everywhere else, at the last position of the shard."""

    def planted(values, batch, wanted):
        values[..., 3:] = -1.0  # so few are active that the others are left out
        values[-1, batch.lengths[-1] - 1, 3] = value
        return way(values, batch, wanted)

    monkeypatch.setattr("neuroncensus.collect.stream.observe", planted)
    with pytest.raises(CensusError, match="residual stream after layer 0, computed in float32: check the checkpoint"):
        run(make_opt(tmp_path / "model"), torch.float32, skip_silent)


@WAYS
@DTYPES
@SKIPS
def test_padding_may_hold_anything(tmp_path, monkeypatch, way, dtype, skip_silent):
    folder = make_opt(tmp_path / "model", dtype=dtype)
    monkeypatch.setattr("neuroncensus.collect.stream.observe", way)
    expected = run(folder, dtype, skip_silent)

    def planted(values, batch, wanted):
        values[torch.from_numpy(numpy.logical_not(batch.real()))] = math.nan
        return way(values, batch, wanted)

    monkeypatch.setattr("neuroncensus.collect.stream.observe", planted)
    assert torch.equal(run(folder, dtype, skip_silent), expected)
