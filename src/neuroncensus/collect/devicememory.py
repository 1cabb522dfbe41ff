"""Device memory of a collect job on CUDA: told with figures where it is too small, and how much was used."""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch

from neuroncensus.collect.job import Job
from neuroncensus.collect.ngrams import NgramRecorder
from neuroncensus.collect.positions import PositionRecorder
from neuroncensus.collect.recorder import Recorder
from neuroncensus.errors import CensusError
from neuroncensus.report.jobmemory import JobShape, device_need, device_shortage
from neuroncensus.report.units import shown_bytes

log = logging.getLogger(__name__)


def job_shape(job: Job, recorders: Sequence[Recorder]) -> JobShape:
    """What the memory of a job depends on, as plan.md knows it before."""
    ngrams = next((recorder for recorder in recorders if isinstance(recorder, NgramRecorder)), None)
    return JobShape(
        job.about.architecture,
        job.text.metadata["window"],
        dtype=str(job.compute.dtype).removeprefix("torch."),
        device=job.compute.device.type,
        skip_silent=job.settings.skip_silent,
        batch_tokens=job.settings.batch_tokens,
        shard=job.rows,
        sizes=len({series.n for series in ngrams.series}) if ngrams else 0,
        rotation_null=ngrams is not None and ngrams.settings.rotation_null,
        most=ngrams.settings.most if ngrams else 0,
        positions=any(isinstance(recorder, PositionRecorder) for recorder in recorders),
    )


@contextmanager
def device_memory(job: Job, recorders: Sequence[Recorder]) -> Generator[None]:
    """Compare what a job needs with what its CUDA device has before it begins, and log the most that it took.

    Nothing on the CPU.

    Raises:
        CensusError: the device is too small for the job (says what would fit), or memory ran out all the same.
    """
    device = job.compute.device
    if device.type != "cuda":
        yield
        return
    shape = job_shape(job, recorders)
    # What torch keeps of earlier work in this process is there to be used again.
    free = torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    shortage, need = device_shortage([shape], free, " free"), shown_bytes(device_need([shape]))
    if shortage is not None:
        raise CensusError(shortage)
    torch.cuda.reset_peak_memory_stats(device)
    try:
        yield
    except torch.OutOfMemoryError as error:
        took = f"{shown_bytes(torch.cuda.max_memory_allocated(device))} were taken of the {shown_bytes(free)} that were free"
        smaller = max(shape.batch_tokens // 2, shape.window)
        advice = f"set it to {smaller}" if smaller < shape.batch_tokens else "take a larger device, or set device to cpu"
        raise CensusError(
            f"device memory too small for collect.batch_tokens {shape.batch_tokens}: {took}, where the job should need {need}: {advice}, "
            "and let nothing else use the device"
        ) from error
    log.info("device memory: %s at most, %s expected", shown_bytes(torch.cuda.max_memory_allocated(device)), need)
