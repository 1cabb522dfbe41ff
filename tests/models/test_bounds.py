"""The proof of death: the formula, how tight it is, and that no input breaks it."""

import math

import numpy
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from models_made import DEAD_NEURONS, make_opt
from neuroncensus.models.architecture import read_architecture
from neuroncensus.models.bounds import layer_bounds
from neuroncensus.models.checkpoint import Checkpoint

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def bounds_of(folder, dtype, layer=1):
    with Checkpoint(folder) as checkpoint:
        architecture = read_architecture(checkpoint.config, "config.json")
        norm = f"layers.{layer}.{'final' if architecture.pre_layer_norm else 'self_attn'}_layer_norm"
        names = (f"layers.{layer}.fc1.weight", f"layers.{layer}.fc1.bias", f"{norm}.weight", f"{norm}.bias")
        return layer_bounds(checkpoint, architecture, layer, dtype), [checkpoint.tensor(name).to(dtype) for name in names]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pre_layer_norm", [True, False])
def test_formulas_neuron_by_neuron(tmp_path, monkeypatch, dtype, pre_layer_norm):
    monkeypatch.setattr("neuroncensus.models.bounds.ROWS", 10)
    found, held = bounds_of(make_opt(tmp_path / "m", d=24, pre_layer_norm=pre_layer_norm), dtype)
    weight, bias, gain, shift = ([float(x) for x in row] if row.ndim == 1 else row.double().numpy() for row in held)
    unit = {torch.float32: 2**-24, torch.bfloat16: 2**-8, torch.float16: 2**-11}[dtype]
    for neuron, row in enumerate(weight):
        scaled = [float(w) * g for w, g in zip(row, gain, strict=True)]
        mean = math.fsum(scaled) / 24
        reach = math.sqrt(math.fsum((x - mean) ** 2 for x in scaled))
        offset = math.fsum(float(w) * b for w, b in zip(row, shift, strict=True)) + bias[neuron]
        size = math.sqrt(24) * math.sqrt(math.fsum(x * x for x in scaled))
        size += math.fsum(abs(float(w) * b) for w, b in zip(row, shift, strict=True)) + abs(bias[neuron])
        bound = math.sqrt(24) * reach + offset
        assert found["bound"][neuron] == pytest.approx(bound, rel=1e-12, abs=1e-12)
        assert found["depth"][neuron] == pytest.approx(-offset / reach, rel=1e-12)
        assert found["provably_dead"][neuron] == (bound <= -(4 * unit + 2**-24 * 24) * size)
    assert numpy.flatnonzero(found["provably_dead"]).tolist() == list(DEAD_NEURONS)


def planted(tmp_path, pre_layer_norm):
    """A model whose neurons lie just below, at and above what can be proved."""
    folder = make_opt(tmp_path / "m", pre_layer_norm=pre_layer_norm)
    bound = bounds_of(folder, torch.float32)[0]["bound"]
    tensors = load_file(folder / "model.safetensors")
    slack = torch.linspace(-0.5, 0.05, len(bound))
    tensors["model.decoder.layers.1.fc1.bias"] += slack - torch.from_numpy(bound).float()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pre_layer_norm", [True, False])
def test_no_input_wakes_a_provably_dead_neuron(tmp_path, dtype, pre_layer_norm):
    found, (weight, bias, gain, shift) = bounds_of(planted(tmp_path, pre_layer_norm), dtype)
    proved = torch.from_numpy(found["provably_dead"])
    assert 5 < proved.sum() < len(proved)
    generator = torch.Generator().manual_seed(0)
    scaled = weight.double() * gain.double()
    # Along each neuron's own direction the bound is met; around it and far from it, at scales from tiny to huge.
    worst = (scaled - scaled.mean(dim=1, keepdim=True)).repeat(60, 1)
    worst = worst * torch.cat([torch.zeros(1), torch.logspace(-2, 3, 59)]).repeat_interleave(len(weight))[:, None].clamp(min=1.0)
    worst += 0.03 * torch.randn(worst.shape, generator=generator) * worst.abs().mean()
    inputs = torch.cat([worst, 30 * torch.randn(10_000 - len(worst), weight.shape[1], generator=generator)]).to(dtype)
    assert len(inputs) == 10_000
    values = F.linear(F.layer_norm(inputs, (weight.shape[1],), gain, shift), weight, bias)
    active = (values > 0).any(dim=0)
    assert not (active & proved).any()
    assert (active & ~proved).any()


def test_the_bound_is_met(tmp_path):
    found, (weight, bias, gain, shift) = bounds_of(make_opt(tmp_path / "m"), torch.float32)
    scaled = (weight * gain).double()
    worst = scaled - scaled.mean(dim=1, keepdim=True)
    normed = F.layer_norm(worst * 1e4, (weight.shape[1],), gain.double(), shift.double())
    reached = (normed * weight.double()).sum(dim=1) + bias.double()
    assert reached.numpy() == pytest.approx(found["bound"], rel=1e-6)


def test_a_neuron_that_reads_nothing_has_no_depth(tmp_path):
    folder = make_opt(tmp_path / "m")
    tensors = load_file(folder / "model.safetensors")
    prefix = "model.decoder.layers.1."
    tensors[prefix + "final_layer_norm.weight"][:] = 1.0
    tensors[prefix + "fc1.weight"][3] = 0.25  # the same everywhere: LayerNorm's output has nothing along it
    tensors[prefix + "fc1.bias"][3] = -100.0
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    found, _ = bounds_of(folder, torch.float32)
    assert math.isnan(found["depth"][3])
    assert found["provably_dead"][3]
