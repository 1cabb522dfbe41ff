"""What every job of the workflow does around its one call: a log, and one sentence when it fails."""

import logging
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from neuroncensus.errors import CensusError


@contextmanager
def job(log: str) -> Generator[None]:
    """Write the package's log messages to `log`; end the process with the error in it if there is one.

    A `CensusError` becomes the last line of the log and of standard error. Anything else is a bug of ours
    and is shown with its traceback.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
    package = logging.getLogger("neuroncensus")
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    try:
        yield
    except Exception as error:  # noqa: BLE001 every error belongs in the log; the process ends with it
        sentence = f"error: {error}" if isinstance(error, CensusError) else traceback.format_exc()
        handler.close()
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(sentence.rstrip() + "\n")
        sys.stderr.write(sentence.rstrip() + "\n")
        sys.exit(1)
    finally:
        package.removeHandler(handler)
        handler.close()
