"""Files and folders that carry their final name only when they are whole."""

import errno
import glob
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from neuroncensus.errors import CensusError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def atomic_path(path: Path | str) -> Generator[Path]:
    """A temporary name beside `path` to write to; synced and renamed when the block ends well, else removed.

    What a killed process left under such a name is removed first. Were it still at work, it could not put its
    file in place any more: the names carry the process, so two never write to one file.

    Raises:
        CensusError: the disk is full.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    for left in final.parent.glob(f".{glob.escape(final.name)}.*.partial"):
        left.unlink(missing_ok=True)
    partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, final)
    except OSError as error:
        if error.errno in FULL:
            raise CensusError(f"no space left for {final}: free some on the disk of {final.parent} and run again") from error
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Generator[Path]:
    """An empty folder beside `folder` to write to; put in its place when the block ends well, else removed."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
