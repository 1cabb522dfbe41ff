"""Killed at any moment, run again: the same bytes."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from workflow_runs import DEAD_PDF, command, contents, copy_folder, environment, snakemake

# What takes every job that collects or reduces; figures and what joins tables are as good as these.
TABLES = [f"results/mine/{name}.parquet" for name in ("dead", "coverage", "detectors", "positional", "ablation", "updates")]
COUNTERS = "results/mine/collect/core/prose/0/stage-1.parquet"


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
    """A run of Snakemake that goes on while the test looks at it."""

    def __init__(self, folder: Path, *arguments: str):
        self.folder = folder
        arguments = (*arguments, "--rerun-incomplete")
        with (folder / "said.txt").open("wb") as said:
            self.process = subprocess.Popen(
                command(folder, *arguments), cwd=folder, env=environment(), stdout=said, stderr=said, start_new_session=True
            )

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

    def kill_all(self) -> None:
        """SIGKILL to Snakemake and everything that it started: the machine going down."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def empty(finished: Path, to: Path) -> Path:
    """The finished run's folder with nothing made yet."""
    folder = copy_folder(finished, to)
    for name in ("results", "resources", ".snakemake"):
        shutil.rmtree(folder / name)
    return folder


def complete(folder: Path, finished: Path, *targets: str) -> None:
    """Unlock as the README says, run again, compare what is there: all of it, or what the targets needed."""
    assert snakemake(folder, "--unlock").status == 0
    run = snakemake(folder, *targets)
    assert run.status == 0, run.said
    made, wanted = contents(folder), contents(finished)
    assert made.items() <= wanted.items() if targets else made == wanted
    assert {*targets} <= made.keys()
    # Counters that are asked for by name want the hidden states beside them too, which were temporary.
    assert snakemake(folder, "-n", *(target for target in targets if "/collect/" not in target)).nothing_to_do


def test_a_killed_collection_is_done_again(folder, finished):
    (folder / COUNTERS).unlink()
    run = Started(folder, COUNTERS)
    jobs: list[int] = []
    assert run.until(lambda: jobs.extend(filter(None, [run.job("collect_shard")])) or jobs), (folder / "said.txt").read_text()
    os.kill(jobs[0], signal.SIGKILL)
    assert run.process.wait() != 0
    assert not (folder / COUNTERS).exists()
    complete(folder, finished, COUNTERS, COUNTERS.replace("stage-1", "stage-2"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_everything_killed_at_random_moments(finished, tmp_path, seed):
    folder, draw, kills = empty(finished, tmp_path / "killed"), random.Random(seed), 0
    for _ in range(4):
        run = Started(folder, *TABLES)
        moment = time.monotonic() + draw.uniform(2, 20)
        if not run.until(lambda moment=moment: time.monotonic() > moment):
            break
        run.kill_all()
        kills += 1
        assert not [file for file in contents(folder) if not Path(file).name.startswith(".") and not (folder / file).stat().st_size]
        snakemake(folder, "--unlock")
    assert kills
    complete(folder, finished, *TABLES)


@pytest.mark.slow
@pytest.mark.parametrize("script", ["tokenize_shard", "collect_shard", "reduce_frequency", "plot_dead"])
def test_snakemake_killed_while_a_job_runs(finished, tmp_path, script):
    folder = empty(finished, tmp_path / "killed")
    run = Started(folder, DEAD_PDF)
    assert run.until(lambda: run.job(script))
    run.kill_all()
    complete(folder, finished, DEAD_PDF)


@pytest.mark.slow
def test_snakemake_alone_killed_and_its_job_left_running(finished, tmp_path):
    folder = empty(finished, tmp_path / "killed")
    run = Started(folder, DEAD_PDF)
    assert run.until(lambda: run.job("collect_shard"))
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait()
    complete(folder, finished, DEAD_PDF)


@pytest.mark.slow
def test_an_interrupt_stops_cleanly(finished, tmp_path):
    folder = empty(finished, tmp_path / "stopped")
    run = Started(folder, DEAD_PDF)
    assert run.until(lambda: run.job("collect_shard"))
    run.process.send_signal(signal.SIGTERM)
    run.process.wait()
    complete(folder, finished, DEAD_PDF)


@pytest.mark.slow
def test_one_core_gives_the_same_bytes(finished, tmp_path):
    folder = empty(finished, tmp_path / "one")
    run = snakemake(folder, cores=1)
    assert run.status == 0, run.said
    assert contents(folder) == contents(finished)
