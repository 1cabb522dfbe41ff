"""Faults of disks: full, read-only, no space in scratch."""

from pathlib import Path
from random import Random

from soak.ground import Disk, Ground, UnclearError
from soak.jobs import Job


def _fails(ground: Ground, job: Job, *words: str) -> str:
    """A job that cannot write says so, with these words."""
    told = ground.told(job, ground.run(job))
    if not all(word in told for word in words):
        raise UnclearError(f"{job.rule} said: {told}")
    return told


def full(ground: Ground, draw: Random) -> str | None:
    """No space left at some byte of what a job writes, its log included."""
    job = draw.choice(ground.jobs)
    size = sum(len(ground.wanted[name]) for name in job.outputs)
    for name in job.outputs:
        (ground.yard / name).unlink(missing_ok=True)
    filler = ground.disk.fill(draw.randrange(size))
    try:
        ended = ground.run(job)
        # What is freed by the old log may be enough for a small file.
        told = ground.told(job, ended) if ended.status else None
    finally:
        filler.unlink()
    if told is not None and ("no space left" not in told or "free some" not in told):
        raise UnclearError(f"{job.rule} said: {told}")
    ground.check_present(job)
    ground.complete(job)
    return told


def read_only(ground: Ground, draw: Random) -> str | None:
    """A results folder that must not be written to."""
    job = draw.choice(ground.jobs)
    for name in job.outputs:
        (ground.yard / name).unlink(missing_ok=True)
    ground.disk.write_protect(True)
    try:
        told = _fails(ground, job, "Read-only file system")
    finally:
        ground.disk.write_protect(False)
    ground.complete(job)
    return told


def scratch(ground: Ground, draw: Random) -> str | None:
    """No space where hidden states are to lie, and plenty for results."""
    job = draw.choice([job for job in ground.jobs if any("/hidden/" in name for name in job.outputs)])
    hidden = next(name for name in job.outputs if "/hidden/" in name)
    (ground.yard / hidden).unlink()
    disk = Disk((ground.yard / hidden).parent, 4096)
    try:
        disk.fill(0)
        told = _fails(ground, job, "no space left", str(Path(hidden).parent))
    finally:
        disk.close()
    ground.complete(job)
    return told
