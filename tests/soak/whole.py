"""Faults of whole runs of Snakemake."""

import contextlib
import functools
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from soak.ground import DifferentError, Ground, UnclearError
from started_runs import Started, descendants
from workflow_runs import contents, snakemake

LOCKED = "Directory cannot be locked"
SKEWED = "could indicate a clock skew problem"
DAY = 86_400


def _check_present(ground: Ground, folder: Path) -> bool:
    """Every file that carries its name is whole; whether all are there."""
    found = {name: content for name, content in contents(folder).items() if ".partial" not in name}
    if other := [name for name, content in found.items() if ground.wanted.get(name) != content]:
        raise DifferentError(f"{other} in a run of Snakemake")
    return ground.lasting <= found.keys()


def complete(ground: Ground, folder: Path) -> None:
    """Unlock as the README says, run again, and hold what is there against the undisturbed run."""
    if snakemake(folder, "--unlock").status:
        raise UnclearError("--unlock failed")
    run = snakemake(folder)
    if run.status:
        raise UnclearError(f"the run did not complete: {run.last_lines}")
    if not _check_present(ground, folder):
        raise UnclearError("the run completed and files are missing")
    if left := list(folder.rglob("*.partial")):
        raise UnclearError(f"the run completed and left {left}")


class Campaign:
    """A run that is killed again and again, goes on each time from what was finished, and begins anew when it is done."""

    def __init__(self, ground: Ground):
        self.ground, self.folder = ground, ground.copy("campaign")
        self.clear()

    def clear(self) -> None:
        """Nothing is made yet."""
        for name in ("results", "resources", ".snakemake"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def strike(self, moment: Callable[[Started], bool], stop: Callable[[Started], object]) -> None:
        """Start, wait for a moment, stop; where the run was done before, begin anew."""
        while not (run := Started(self.folder)).until(functools.partial(moment, run)):
            if run.process.wait():
                raise UnclearError(f"a run failed by itself: {run.said[-2000:]}")
            _check_present(self.ground, self.folder)
            self.clear()
        stop(run)
        _check_present(self.ground, self.folder)
        if snakemake(self.folder, "--unlock").status:
            raise UnclearError("--unlock failed")

    def close(self) -> None:
        """The last run comes to its end."""
        complete(self.ground, self.folder)


def _after(seconds: float) -> Callable[[Started], bool]:
    end = time.monotonic() + seconds
    return lambda _run: time.monotonic() > end


def killed(campaign: Campaign, draw: Random) -> None:
    """SIGKILL of Snakemake and all its jobs at a random moment: the machine going down."""
    campaign.strike(_after(draw.uniform(1, 20)), lambda run: run.signal_all(signal.SIGKILL))


def _lives(process: int) -> bool:
    """Whether a process still runs: gone ones have no status, dead ones say Z."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def snakemake_killed(campaign: Campaign, draw: Random) -> None:
    """SIGKILL of Snakemake alone at a random moment; its jobs go on by themselves."""

    def stop(run: Started) -> None:
        left = descendants(run.process.pid)
        run.process.kill()
        run.process.wait()
        while any(_lives(process) for process in left):
            time.sleep(0.1)

    campaign.strike(_after(draw.uniform(1, 20)), stop)


def terminated(campaign: Campaign, draw: Random) -> None:
    """SIGTERM to the whole process group, as a scheduler sends it."""
    campaign.strike(_after(draw.uniform(1, 20)), lambda run: run.signal_all(signal.SIGTERM))


def job_killed(campaign: Campaign, draw: Random) -> None:
    """SIGKILL of one job: Snakemake tells of it and stops."""

    def job(run: Started) -> int | None:
        found = [process for process in descendants(run.process.pid) if b"/scripts/" in Path(f"/proc/{process}/cmdline").read_bytes()]
        return draw.choice(found) if found else None

    def stop(run: Started) -> None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the job ended while it was looked for
            process = job(run)
            if process is not None:
                os.kill(process, signal.SIGKILL)
        if run.process.wait() == 0:
            return
        if "Error in rule" not in run.said:
            raise UnclearError(f"Snakemake does not tell of a killed job: {run.said[-2000:]}")

    later = _after(draw.uniform(1, 10))
    campaign.strike(lambda run: later(run) and job(run) is not None, stop)


def twice(campaign: Campaign, draw: Random) -> None:
    """A second Snakemake in the folder is refused in a sentence; the first is stopped later on."""

    def stop(run: Started) -> None:
        second = snakemake(campaign.folder)
        if run.process.poll() is None and not (second.status and LOCKED in second.said):
            raise UnclearError(f"a second Snakemake was not refused: {second.last_lines}")
        if run.signal_all(signal.SIGKILL) not in (0, -signal.SIGKILL):
            raise UnclearError(f"the first Snakemake failed beside the second: {run.said[-2000:]}")

    campaign.strike(_after(draw.uniform(4, 10)), stop)


def clock(campaign: Campaign, draw: Random) -> str | None:
    """The clock goes back: some files are of tomorrow when others are made from them. Snakemake tells, or does the jobs again."""
    folder, told = campaign.folder, []

    def set_times(seconds: float, share: float) -> None:
        for name in sorted(contents(folder)):
            if draw.random() < share:
                os.utime(folder / name, (seconds, seconds))

    def stop(run: Started) -> None:
        run.signal_all(signal.SIGKILL)
        set_times(time.time() + DAY, 0.3)
        snakemake(folder, "--unlock")
        again = snakemake(folder)
        if again.status and SKEWED not in again.said:
            raise UnclearError(f"a run among files of tomorrow failed without saying why: {again.last_lines}")
        told.extend(line.strip() for line in again.said.splitlines() if SKEWED in line)
        # As docs/clusters.md says.
        set_times(time.time(), 1)

    campaign.strike(_after(draw.uniform(8, 20)), stop)
    return told[0] if told else None
