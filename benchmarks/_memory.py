"""Work in a process of its own, its anonymous memory watched and, where asked, limited."""

import multiprocessing
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

INTERVAL = 0.005
"""Seconds between two looks at a process."""
DROP_EVERY = 0.2
"""Seconds between two evictions of files from the page cache."""


class NoResultError(Exception):
    """A watched process ended without one."""


@dataclass(frozen=True)
class Watched:
    """What a process returned, and the most anonymous resident memory that it was seen with, in bytes."""

    result: Any
    peak: int


def anonymous(process: int | str = "self") -> int:
    """Anonymous resident memory of a process: heap, stacks and private maps that were written to; 0 once it is gone.

    Neither the page cache nor what a process maps of it (RssFile) is in this: the kernel takes those away when it likes.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def drop_cache(files: Sequence[Path]) -> None:
    """Take files out of the page cache, but for pages that a process has mapped just now."""
    for path in files:
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _work(pipe: Connection, task: Callable[..., Any], arguments: tuple) -> None:
    try:
        pipe.send((task(*arguments), ""))
    except Exception as error:  # noqa: BLE001 # told where it is measured
        pipe.send((None, f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"))


def watched(task: Callable[..., Any], *arguments: Any, limit: int | None = None, cold: Sequence[Path] = ()) -> Watched:
    """Run `task` in a fresh process and wait for it.

    Args:
        task: a function of a module's top level.
        limit: the process is killed when its anonymous memory is seen above so many bytes.
        cold: files and folders kept out of the page cache meanwhile: every page is read from disk whenever it is needed again.

    Raises:
        NoResultError: the task raised, died, or was killed at the limit.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, task, arguments))
    process.start()
    theirs.close()
    peak, dropped = 0, 0.0
    try:
        while not ours.poll(INTERVAL):
            if cold and time.monotonic() - dropped > DROP_EVERY:
                drop_cache([file for path in cold for file in (path.rglob("*") if path.is_dir() else [path])])
                dropped = time.monotonic()
            peak = max(peak, anonymous(process.pid or "self"))
            if limit is not None and peak > limit:
                raise NoResultError(f"killed at the limit, with {peak / 1e6:.0f} MB of anonymous memory")
        result, error = ours.recv()
    except EOFError as died:
        raise NoResultError("the process died") from died
    except NoResultError:
        process.kill()
        raise
    finally:
        process.join()
    if error:
        raise NoResultError(error)
    return Watched(result, peak)
