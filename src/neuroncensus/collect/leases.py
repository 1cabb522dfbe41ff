"""Which of a node's CUDA devices a job computes on, so that no two jobs share one where no scheduler hands them out.

A lease is a lock on a small file in the node's temporary folder. The operating system gives it back when the process ends, however it
ends; the file stays. A job waits while every device is leased. Devices are told apart by the names that CUDA_VISIBLE_DEVICES gives
them, so that jobs which see different devices lease different ones.
"""

import fcntl
import logging
import os
import re
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between two looks at devices that are all leased."""


def visible_names(count: int, visible: str | None) -> list[str]:
    """Names of the devices that this process sees, in its order.

    Args:
        count: how many it sees.
        visible: CUDA_VISIBLE_DEVICES; None where it is not set.
    """
    names = [name.strip() for name in (visible or "").split(",") if name.strip()]
    return names[:count] if len(names) >= count else [str(number) for number in range(count)]


def lease(names: Sequence[str], folder: Path, poll: float = POLL) -> tuple[int, int]:
    """Wait for a device that nobody leases, and lease it until this process ends or closes the lock.

    Args:
        names: of the devices, at least one.
        folder: of the locks; local to the node.
        poll: seconds between two looks.

    Returns:
        The place of the device among `names`, and the file descriptor of its lock.
    """
    assert names
    told = False
    while True:
        for place, name in enumerate(names):
            path = folder / f"neuroncensus-gpu-{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.lock"
            try:
                # Another user's file may be read, and be locked, but in a shared folder not be opened for creation.
                lock = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                lock = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            log.info("leased CUDA device %s", name)
            return place, lock
        if not told:
            log.info("every CUDA device is leased (%s): waiting for one", ", ".join(names))
            told = True
        time.sleep(poll)


@cache
def lease_cuda() -> torch.device:
    """The CUDA device of this process, leased at the first call, and from then on torch's current one."""
    names = visible_names(torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES"))
    place, _ = lease(names, Path(tempfile.gettempdir()))
    torch.cuda.set_device(place)
    return torch.device("cuda", place)
