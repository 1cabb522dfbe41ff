"""Faults of single jobs: killed, stopped, out of memory."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from soak.ground import Ground
from soak.jobs import Job

POLL = 0.001
"""Seconds between two looks at a job that is to be killed."""


def _resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _stop(ground: Ground, job: Job, sent: signal.Signals, ready: Callable[[int], bool]) -> str | None:
    """Send a signal when a moment has come, look at what is left, run the job again."""
    process = ground.start(job)
    while process.is_alive() and not ready(process.pid or 0):
        time.sleep(POLL)
    if process.is_alive():
        os.kill(process.pid or 0, sent)
    ground.ended(process)
    ground.check_present(job)
    ground.complete(job)
    return None


def _moment(ground: Ground, job: Job, draw: Random) -> Callable[[int], bool]:
    """A moment of a job: any, or while a half-written file is there."""
    end = time.monotonic() + draw.uniform(0, ground.seconds(job))
    folders = {(ground.yard / name).parent for name in job.outputs}
    if draw.random() < 0.5:
        return lambda _process: any(any(folder.glob(".*.partial")) for folder in folders)
    return lambda _process: time.monotonic() > end


def killed(ground: Ground, draw: Random) -> str | None:
    """SIGKILL of a job's process."""
    job = draw.choice(ground.jobs)
    return _stop(ground, job, signal.SIGKILL, _moment(ground, job, draw))


def stopped(ground: Ground, draw: Random) -> str | None:
    """SIGTERM to a job's process, as of a scheduler whose time limit has come."""
    job = draw.choice(ground.jobs)
    return _stop(ground, job, signal.SIGTERM, _moment(ground, job, draw))


def out_of_memory(ground: Ground, draw: Random) -> str | None:
    """SIGKILL of a job as it takes the memory that it may not have: at some share of the most that it takes."""
    job, held = draw.choice([job for job in ground.jobs if job.rule.startswith("collect")]), [0]

    def look(process: int) -> bool:
        held[0] = max(held[0], _resident(process))
        return False

    _stop(ground, job, signal.SIGKILL, look)
    limit = draw.uniform(0.5, 1) * held[0]
    return _stop(ground, job, signal.SIGKILL, lambda process: _resident(process) > limit)
