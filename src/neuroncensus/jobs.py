"""What every job of the workflow does around its one call: a log, and one sentence when it fails."""

import logging
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from neuroncensus.errors import CensusError
from neuroncensus.files import writing_told


class _Log(logging.FileHandler):
    """A log that a full disk cuts short: what is wrong then is told of the results, on the terminal too."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave the line out."""

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def _open(log: Path) -> _Log:
    try:
        with writing_told(log):
            log.parent.mkdir(parents=True, exist_ok=True)
            return _Log(log, mode="w", encoding="utf-8")
    except CensusError as error:
        sys.exit(f"error: {error}")


@contextmanager
def job(log: str) -> Generator[None]:
    """Write the package's log messages to `log`; end the process with the error in it if there is one.

    A `CensusError` becomes the last line of the log and of standard error. Anything else is a bug of ours
    and is shown with its traceback.
    """
    handler = _open(Path(log))
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
    package = logging.getLogger("neuroncensus")
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    try:
        yield
    except Exception as error:  # noqa: BLE001 every error belongs in the log; the process ends with it
        sentence = f"error: {error}" if isinstance(error, CensusError) else traceback.format_exc()
        handler.close()
        sys.stderr.write(sentence.rstrip() + "\n")
        with suppress(OSError), Path(log).open("a", encoding="utf-8") as file:
            file.write(sentence.rstrip() + "\n")
        sys.exit(1)
    finally:
        package.removeHandler(handler)
        handler.close()
