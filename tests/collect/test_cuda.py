"""On CUDA: what is seen and written is what the CPU sees in the same values, and blocks compute what they compute there.

Skipped without a CUDA device. Needs no package but torch, transformers, numba, pyarrow, safetensors and pytest.
"""

import numpy
import pyarrow
import pytest
import torch

from models_made import make_opt
from neuroncensus.collect import stream as engine
from neuroncensus.collect.activations import ActivationRecorder
from neuroncensus.collect.batches import Batch, make_batches
from neuroncensus.collect.devices import Compute
from neuroncensus.collect.hidden import hidden_writer, read_hidden
from neuroncensus.collect.ngrams import NgramRecorder, NgramSettings
from neuroncensus.collect.observation import INTEGERS, Wanted, observe_compiled, observe_with_torch
from neuroncensus.collect.positions import PositionRecorder
from neuroncensus.collect.stream import embed, run_layers
from neuroncensus.corpora.ngrams import order_shard
from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import read_architecture
from neuroncensus.models.checkpoint import Checkpoint
from shards_made import made_shard

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
WINDOW, LAYERS = 128, 4
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("neurons", [1, 63, 64, 1025])
def test_torch_on_cuda_sees_what_the_compiled_kernel_sees(dtype, neurons):
    lengths = numpy.array([40, 40, 39, 38])
    batch = Batch(numpy.arange(4), lengths, 0)
    integer, _ = INTEGERS[dtype]
    bounds = torch.iinfo(integer)
    values = torch.randint(bounds.min, bounds.max + 1, (4, 40, neurons), dtype=torch.int64).to(integer).view(dtype)
    there, here = values.to(CUDA), values.clone()
    one, other = observe_with_torch(there, batch, Wanted(True, 40)), observe_compiled(here, batch, Wanted(True, 40))
    for name in ("activations", "at_bos", "in_text", "at_position"):
        assert torch.equal(getattr(one, name).cpu(), getattr(other, name)), name
    real = batch.real()
    assert one.words is not None and other.words is not None
    assert torch.equal(one.words.cpu()[real.ravel()], other.words[real.ravel()])
    assert torch.equal(there.cpu()[real].nan_to_num(7), here[real].nan_to_num(7))


class Job:
    """A model and a shard of full windows and shorter ones, in many small batches."""

    def __init__(self, folder, dtype, windows=60):
        shape = {"vocab": 320, "positions": WINDOW, "d": 256, "ffn": 1024, "heads": 4, "layers": LAYERS}
        self.folder, self.dtype = make_opt(folder / "model", **shape), dtype
        random = numpy.random.default_rng(1)
        lengths = [WINDOW - 1 if window % 3 else int(random.integers(1, WINDOW)) for window in range(windows)]
        self.shard = made_shard([random.integers(4, 320, length).tolist() for length in lengths])
        self.batches = make_batches(self.shard.lengths, 4 * WINDOW)
        self.order = order_shard(self.shard, [1, 2, 3])

    def recorders(self, device):
        """One of each kind, and the tables that they write."""
        tables = [[], [], []]
        rules = NgramSettings(0.95, most=5, rotation_null=True)
        made = [
            ActivationRecorder(self.shard.document, 1024, device, tables[0].append),
            PositionRecorder(WINDOW, 1024, device, tables[1].append),
            NgramRecorder(self.order, self.shard, self.batches, 1024, range(LAYERS), rules, device, tables[2].append),
        ]
        return made, tables

    def run(self, device, recorders, *, skip_silent=False, layers=range(LAYERS), before=None, after=None):
        """The residual stream behind the last layer, on the host."""
        compute, rows = Compute(device, self.dtype, 2), self.batches[-1].rows.stop
        with Checkpoint(self.folder) as checkpoint, torch.inference_mode(), hidden_writer(after, rows, 256, self.dtype, {}) as finished:
            architecture = read_architecture(checkpoint.config, "config.json")
            if before is None:
                stream = embed(checkpoint, architecture, self.shard, self.batches, compute)
            else:
                stream = read_hidden(before, {}, rows, 256, compute)
            done = {"skip_silent": skip_silent, "finished": finished, "advance": lambda _positions: None}
            run_layers(checkpoint, architecture, stream, self.batches, layers, recorders, compute, **done)
        return stream


def tables_of(written):
    return [pyarrow.concat_tables(tables) for tables in written]


@DTYPES
@pytest.mark.parametrize("skip_silent", [False, True])
def test_every_counter_is_that_of_the_values_on_the_device(tmp_path, monkeypatch, dtype, skip_silent):
    job = Job(tmp_path, dtype)
    here, expected = job.recorders(CPU)
    observe = engine.observe

    def both(values, batch, wanted):
        copy = values.cpu()
        seen = observe_compiled(copy, batch, wanted)
        for recorder in here:
            recorder.record(batch, seen)
        return observe(values, batch, wanted)

    class AsBefore:
        """Begins and ends the recorders on the CPU with those on CUDA."""

        def begin(self, layer):
            return Wanted.all(recorder.begin(layer) for recorder in here)

        def record(self, batch, seen):
            pass

        def end(self, layer):
            for recorder in here:
                recorder.end(layer)()
            return lambda: None

    monkeypatch.setattr(engine, "observe", both)
    there, found = job.recorders(CUDA)
    job.run(CUDA, [AsBefore(), *there], skip_silent=skip_silent)
    monkeypatch.undo()
    again, twice = job.recorders(CUDA)
    job.run(CUDA, again, skip_silent=skip_silent)
    for asked, *tables in zip(tables_of(expected), tables_of(found), tables_of(twice), strict=True):
        assert all(table.equals(asked) for table in tables)


@DTYPES
def test_blocks_compute_what_they_compute_on_the_cpu(tmp_path, dtype):
    job = Job(tmp_path, dtype)
    here, there = (job.run(device, job.recorders(device)[0]).double() for device in (CPU, CUDA))
    real = torch.cat([torch.from_numpy(batch.real().ravel()) for batch in job.batches])
    tolerance = {torch.float32: 1e-5, torch.float16: 3e-3, torch.bfloat16: 2e-2}[dtype]
    assert torch.linalg.norm((here - there)[real]) < tolerance * torch.linalg.norm(here[real])


@DTYPES
@pytest.mark.parametrize("windows", [1, 2, 60])
def test_copies_that_overlap_lose_nothing(tmp_path, dtype, windows):
    """Against the same with everything waited for; through stages and their files too."""
    job = Job(tmp_path, dtype, windows)
    asked = job.run(CUDA, job.recorders(CUDA)[0], after=tmp_path / "whole")
    file = None
    for layer in range(LAYERS):
        after = tmp_path / f"after-{layer}"
        torch.cuda.synchronize()
        stream = job.run(CUDA, job.recorders(CUDA)[0], layers=range(layer, layer + 1), before=file, after=after)
        torch.cuda.synchronize()
        file = after
    assert torch.equal(asked, stream)
    assert (tmp_path / "whole").read_bytes() == after.read_bytes()


def test_what_is_not_finite_stops_the_run(tmp_path, monkeypatch):
    job = Job(tmp_path, torch.float16)

    def planted(values, batch, wanted):
        values[-1, batch.lengths[-1] - 1, 3] = torch.inf
        return observe_with_torch(values, batch, wanted)

    monkeypatch.setattr(engine, "observe", planted)
    with pytest.raises(CensusError, match="after layer 0, computed in float16: set dtype to bfloat16 or float32"):
        job.run(CUDA, job.recorders(CUDA)[0], skip_silent=True)
