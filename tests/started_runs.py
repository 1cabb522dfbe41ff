"""Runs of Snakemake that go on while a test looks at them, and stops them."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from workflow_runs import command, environment


def descendants(process: int) -> list[int]:
    """Processes below `process`, the deepest last."""
    found = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def words_of(process: int) -> str:
    """A process's command line."""
    return Path(f"/proc/{process}/cmdline").read_bytes().decode().replace("\0", " ")


class Started:
    """A run of Snakemake, in a process group of its own; what it says is in `said.txt` of its folder."""

    def __init__(self, folder: Path, *arguments: str, said: str = "said.txt"):
        self.folder, self.said_file = folder, folder / said
        arguments = (*arguments, "--rerun-incomplete")
        with self.said_file.open("wb") as out:
            self.process = subprocess.Popen(
                command(folder, *arguments), cwd=folder, env=environment(), stdout=out, stderr=out, start_new_session=True
            )

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self.said_file.read_text(encoding="utf-8", errors="replace")

    def until(self, ready: Callable[[], object], seconds: float = 120) -> bool:
        """Wait for a moment; whether it came before the run ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if ready():
                    return True
            except (FileNotFoundError, ProcessLookupError):
                continue  # A process ended while it was looked at.
            time.sleep(0.01)
        return False

    def job(self, script: str) -> int | None:
        """The process that runs a script, if there is one."""
        found = [process for process in descendants(self.process.pid) if f"{script}.py" in words_of(process).split(" ", 1)[-1]]
        return found[-1] if found else None

    def signal_all(self, sent: signal.Signals) -> int:
        """Send a signal to Snakemake and everything that it started, and wait; SIGKILL is the machine going down. Its status.

        A run may end by itself between the moment that a test waited for and this: then there is nobody left to tell.
        """
        if self.process.poll() is None:
            os.killpg(self.process.pid, sent)
        return self.process.wait()
