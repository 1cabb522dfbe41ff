"""Device memory that is too small, and what a job on CUDA says of it, with made-up figures: no device is needed."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from neuroncensus.collect.devicememory import device_memory, job_shape
from neuroncensus.collect.ngrams import NgramRecorder, NgramSettings
from neuroncensus.collect.positions import PositionRecorder
from neuroncensus.errors import CensusError
from neuroncensus.report.jobmemory import JobShape, device_need
from plans_made import BIG

SHAPE = JobShape(BIG, 2048, dtype="float16", device="cuda", skip_silent=True, batch_tokens=16384, shard=10**6)
LEAST = JobShape(BIG, 2048, dtype="float16", device="cuda", skip_silent=True, batch_tokens=2048, shard=10**6)


def made_job(device="cuda", batch_tokens=16384):
    return SimpleNamespace(
        about=SimpleNamespace(architecture=BIG),
        text=SimpleNamespace(metadata={"window": 2048}),
        compute=SimpleNamespace(device=torch.device(device), dtype=torch.float16),
        settings=SimpleNamespace(skip_silent=True, batch_tokens=batch_tokens),
        rows=10**6,
    )


class Device:
    """A CUDA device that tells these figures."""

    def __init__(self, monkeypatch, free, reserved=0, allocated=0, peak=0):
        figures = {"mem_get_info": (free, 10**12), "memory_reserved": reserved, "memory_allocated": allocated}
        figures |= {"max_memory_allocated": peak, "reset_peak_memory_stats": None}
        for name, figure in figures.items():
            monkeypatch.setattr(torch.cuda, name, lambda _device=None, figure=figure: figure)


def run(job, recorders=()):
    with device_memory(job, recorders):
        pass


def test_recorders_say_what_is_counted():
    assert job_shape(made_job(), []) == SHAPE
    ngrams: Any = object.__new__(NgramRecorder)
    ngrams.settings = NgramSettings(0.95, most=500, rotation_null=True)
    ngrams.series = [SimpleNamespace(n=n, rotated=rotated) for n in (1, 3) for rotated in (False, True)]
    shape = job_shape(made_job(), [ngrams, object.__new__(PositionRecorder)])
    assert (shape.sizes, shape.rotation_null, shape.most, shape.positions) == (2, True, 500, True)


def test_enough_is_not_spoken_of_but_in_the_log(monkeypatch, caplog):
    need = device_need([SHAPE])
    Device(monkeypatch, free=need, peak=7_000_000_000)
    with caplog.at_level(logging.INFO):
        run(made_job())
    assert caplog.messages == [f"device memory: 7.0 GB at most, {need / 1e9:.1f} GB expected"]
    # What torch has kept of earlier work is free too.
    Device(monkeypatch, free=need - 10**9, reserved=3 * 10**9, allocated=2 * 10**9)
    run(made_job())


def test_a_batch_that_is_too_large_is_told_with_one_that_fits(monkeypatch):
    Device(monkeypatch, free=device_need([SHAPE]) - 1)
    with pytest.raises(CensusError, match=r"^device memory too small for collect.batch_tokens 16384: .* GB free, .* set it to 8192$"):
        run(made_job())


def test_a_block_and_a_window_that_do_not_fit_are_told(monkeypatch):
    Device(monkeypatch, free=device_need([LEAST]) - 1_000_000)
    words = (
        r"^device memory too small for one block and one window: .* of 2048 positions need .* GB free: 1\.0 MB are missing; take a larger"
    )
    with pytest.raises(CensusError, match=words):
        run(made_job())


@pytest.mark.parametrize(("batch_tokens", "advice"), [(16384, "set it to 8192"), (3000, "set it to 2048"), (2048, "take a larger device")])
def test_memory_that_runs_out_all_the_same_is_a_sentence(monkeypatch, batch_tokens, advice):
    Device(monkeypatch, free=20 * 10**9, peak=19 * 10**9)
    words = rf"^device memory too small for collect.batch_tokens {batch_tokens}: 19\.0 GB were taken of the 20\.0 GB .*: {advice}"
    with pytest.raises(CensusError, match=words), device_memory(made_job(batch_tokens=batch_tokens), []):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_nothing_is_asked_of_a_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", None)
    run(made_job(device="cpu"))
    with pytest.raises(torch.OutOfMemoryError), device_memory(made_job(device="cpu"), []):
        raise torch.OutOfMemoryError
