"""Files and folders that carry their final name only when they are whole."""

import errno
import glob
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from neuroncensus.errors import CensusError

FORMAT = 1
"""Of the files between jobs that this version writes and reads; one that tells no `format` is of the first."""
FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def _is_full(error: BaseException | None) -> bool:
    """Whether a full disk is behind an error; libraries of other languages say so in words only."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno in FULL) or any(os.strerror(number) in str(error) for number in FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_about(path: Path, named: str | None) -> bool:
    """Whether an error is about `path`, a folder that it is to be in or a file beside it; some libraries name none."""
    if named is None:
        return True
    here, there = path.absolute(), Path(named).absolute()
    return here.is_relative_to(there) or there.is_relative_to(here.parent)


@contextmanager
def writing_told(path: Path) -> Generator[None]:
    """Turn what the system says while `path`, a file or a folder, is written into a sentence.

    Raises:
        CensusError: the disk is full, or may not be written to. Other errors pass, and those of files that lie elsewhere.
    """
    try:
        yield
    except CensusError:
        raise
    except Exception as error:
        if _is_full(error):
            raise CensusError(f"no space left for {path}: free some on the disk of {path.parent} and run again") from error
        if isinstance(error, OSError) and error.errno in CLOSED and _is_about(path, error.filename):
            reason = os.strerror(error.errno)
            raise CensusError(f"{path} cannot be written ({reason}): make {path.parent} writable, or work in another folder") from error
        raise


@contextmanager
def atomic_path(path: Path | str) -> Generator[Path]:
    """A temporary name beside `path` to write to; synced and renamed when the block ends well, else removed.

    What a killed process left under such a name is removed first. Were it still at work, it could not put its
    file in place any more: the names carry the process, so two never write to one file.

    Raises:
        CensusError: as `writing_told`.
    """
    final = Path(path)
    partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
    with writing_told(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        for left in final.parent.glob(f".{glob.escape(final.name)}.*.partial"):
            left.unlink(missing_ok=True)
        try:
            yield partial
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, final)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Generator[Path]:
    """An empty folder beside `folder` to write to; put in its place when the block ends well, else removed.

    Raises:
        CensusError: as `writing_told`.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with writing_told(folder):
        try:
            partial.mkdir(parents=True)
            yield partial
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
