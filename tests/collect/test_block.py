"""The block and the engine against transformers' own decoder, bit for bit."""

from functools import partial

import numpy
import pytest
import torch
from transformers import OPTForCausalLM

from models_made import make_opt
from naive import TOLERANCE
from neuroncensus.collect.batches import make_batches
from neuroncensus.collect.devices import Compute
from neuroncensus.collect.observation import Wanted, observe
from neuroncensus.collect.stream import embed, run_layers
from neuroncensus.corpora.shards import Shard
from neuroncensus.models.architecture import read_architecture
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.columns import take_columns
from neuroncensus.models.opt import Block, pack
from neuroncensus.sizes import SKIP_AT_MOST
from plans_made import small

SHAPES = {
    "pre-LayerNorm": {},
    "post-LayerNorm": {"pre_layer_norm": False},
    "projected, post-LayerNorm": {"pre_layer_norm": False, "embedding_width": 16},
    "relu2": {"activation": "relu2"},
    "one layer": {"layers": 1},
}


class Keep:
    """A recorder of what the engine saw after the ReLU, and of the batches it was told of."""

    def __init__(self, monkeypatch):
        self.values, self.batches, self.layers, self.ended = [], [], [], []

        def observed(values, batch, wanted):
            assert wanted == Wanted(bits=True, positions=9)
            seen = observe(values, batch, wanted)
            self.values[-1].append(values.clone())
            return seen

        monkeypatch.setattr("neuroncensus.collect.stream.observe", observed)

    def begin(self, layer):
        assert self.layers == self.ended
        self.layers.append(layer)
        self.values.append([])
        self.batches.append([])
        return Wanted(bits=True)

    def record(self, batch, seen):
        assert seen.words is not None
        self.batches[-1].append(batch)

    def end(self, layer):
        return partial(self.ended.append, layer)


class Idle:
    """A recorder that wants something else."""

    def begin(self, _layer):
        return Wanted(positions=9)

    def record(self, _batch, _seen):
        pass

    def end(self, _layer):
        return lambda: None


def made_shard(lengths, vocabulary, seed=0):
    tokens = numpy.random.default_rng(seed).integers(4, vocabulary, sum(lengths) - len(lengths)).astype(numpy.int32)
    offsets = numpy.concatenate([[0], numpy.cumsum(numpy.array(lengths) - 1)])
    numbers = numpy.arange(len(lengths))
    return Shard(numbers, numbers * 0, numpy.array(lengths), tokens, offsets, {})


def run(*arguments, skip_silent=False):
    """Push a stream through some layers; returns what the engine told of batches that are done, and of positions."""
    finished, positions = [], []
    run_layers(*arguments, skip_silent=skip_silent, finished=lambda rows: finished.append(rows.clone()), advance=positions.append)
    return torch.cat(finished), sum(positions)


def real_rows(stream, batches):
    """The residual stream without padding."""
    return torch.cat([stream[b.rows].view(*b.shape, -1)[torch.from_numpy(b.real())] for b in batches])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_hidden_states_and_activations_are_transformers_own(tmp_path, monkeypatch, shape, dtype):
    folder = make_opt(tmp_path / "model", **shape)
    shard = made_shard([9, 9, 9, 3, 3, 1, 1], 64)
    batches = make_batches(shard.lengths, 20)
    compute = Compute(torch.device("cpu"), dtype, torch.get_num_threads())
    keep = Keep(monkeypatch)
    with Checkpoint(folder) as checkpoint, torch.inference_mode():
        architecture = read_architecture(checkpoint.config, "config.json")
        stream = embed(checkpoint, architecture, shard, batches, compute)
        layers = range(architecture.n_layers)
        finished, positions = run(checkpoint, architecture, stream, batches, layers, [keep, Idle()], compute)
    assert keep.layers == keep.ended == list(layers)
    assert all([id(batch) for batch in seen] == [id(batch) for batch in batches] for seen in keep.batches)
    assert torch.equal(finished, stream)
    assert positions == len(layers) * shard.lengths.sum()

    model = OPTForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()
    decoder, values, last = model.model.decoder, [], []
    for layer in decoder.layers:
        layer.fc1.register_forward_hook(lambda _m, _a, output: values.append(torch.relu(output)))
    decoder.layers[-1].register_forward_hook(lambda _m, _a, output: last.append(output))
    for number, batch in enumerate(batches):
        values.clear(), last.clear()
        with torch.inference_mode():
            decoder(input_ids=torch.from_numpy(batch.ids(shard, architecture.bos)))
        assert torch.equal(stream[batch.rows].view(last[0].shape), last[0])
        for layer in layers:
            assert torch.equal(keep.values[layer][number].flatten(0, 1), values[layer].reshape(-1, architecture.ffn))
            assert (values[layer] > 0).any() and (values[layer] == 0).any()


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_leaving_out_silent_neurons_changes_rounding_alone(tmp_path, monkeypatch, shape, dtype, rounding):
    folder = make_opt(tmp_path / "model", **shape)
    shard = made_shard([9, 9, 8, 3, 3, 1, 1], 64)
    batches = make_batches(shard.lengths, 20)
    compute = Compute(torch.device("cpu"), dtype, torch.get_num_threads())
    streams, left_out = [], []

    def taken(values, columns):
        left_out.append(len(columns))
        return take_columns(values, columns)

    monkeypatch.setattr("neuroncensus.models.opt.take_columns", taken)
    with Checkpoint(folder) as checkpoint, torch.inference_mode():
        architecture = read_architecture(checkpoint.config, "config.json")
        for skip_silent in (False, True):
            stream = embed(checkpoint, architecture, shard, batches, compute)
            keep = Keep(monkeypatch)
            layers = range(architecture.n_layers)
            run(checkpoint, architecture, stream, batches, layers, [Idle(), keep], compute, skip_silent=skip_silent)
            streams.append(real_rows(stream, batches))
            assert bool(left_out) == skip_silent
    assert torch.allclose(*streams, rtol=rounding, atol=rounding)
    assert max(left_out) < architecture.ffn


@pytest.mark.parametrize("shape", [SHAPES["pre-LayerNorm"], SHAPES["post-LayerNorm"]], ids=["pre", "post"])
def test_leaving_out_keys_that_no_query_sees_changes_rounding_alone(tmp_path, monkeypatch, shape):
    monkeypatch.setitem(SKIP_AT_MOST, "cpu", -1)  # no column is left out
    folder = make_opt(tmp_path / "model", positions=200, **shape)
    shard = made_shard([200, 200, 190, 140, 128, 70, 2], 64)
    batches = make_batches(shard.lengths, 400)
    compute = Compute(torch.device("cpu"), torch.float32, torch.get_num_threads())
    seen, streams = [], []
    with Checkpoint(folder) as checkpoint, torch.inference_mode():
        architecture = read_architecture(checkpoint.config, "config.json")
        layers = range(architecture.n_layers)
        for skip_silent in (False, True):
            keep, stream = Keep(monkeypatch), embed(checkpoint, architecture, shard, batches, compute)
            run(checkpoint, architecture, stream, batches, layers, [Idle(), keep], compute, skip_silent=skip_silent)
            real = [torch.from_numpy(batch.real()) for batch in batches]
            streams.append(real_rows(stream, batches))
            seen.append(torch.cat([values[mask] for layer in keep.values for values, mask in zip(layer, real, strict=True)]))
    assert any(batch.padded for batch in batches)
    assert not torch.equal(*streams) and torch.allclose(*streams, rtol=1e-5, atol=1e-5)
    before, after = seen
    assert torch.allclose(before, after, rtol=1e-5, atol=1e-5)
    assert (torch.maximum(before, after)[(before > 0) != (after > 0)] < TOLERANCE).all()


@pytest.mark.skipif(
    not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()),
    reason="the CPU has no products in bfloat16",
)
@pytest.mark.parametrize("rows", [1, 3, 64, 257])
@pytest.mark.parametrize(("inputs", "outputs"), [(16, 24), (64, 65), (300, 100), (768, 3072)])
@pytest.mark.parametrize("biased", [True, False])
def test_a_packed_weight_gives_the_bits_of_the_plain_one(rows, inputs, outputs, biased):
    x, weight, bias = (torch.randn(size).bfloat16() for size in ((rows, inputs), (outputs, inputs), (outputs,)))
    packed = pack(weight)
    assert packed.is_mkldnn and not pack(bias).is_mkldnn and not pack(weight.float()).is_mkldnn
    block = Block(small(), {"fc1.weight": packed} | ({"fc1.bias": bias} if biased else {}))
    assert torch.equal(block.dense("fc1.weight"), weight) and block.dense("fc1.weight") is block.dense("fc1.weight")
    assert torch.equal(block._project(x, "fc1"), torch.nn.functional.linear(x, weight, bias if biased else None))
