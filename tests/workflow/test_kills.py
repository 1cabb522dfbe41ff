"""Killed at a chosen moment, run again: the same bytes. Moments at random are the soak's (`test_soak.py`)."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from started_runs import Started
from workflow_runs import DEAD_PDF, contents, copy_folder, snakemake

COUNTERS = "results/mine/collect/core/prose/0/stage-1.parquet"


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
    assert run.until(lambda: jobs.extend(filter(None, [run.job("collect_shard")])) or jobs), run.said
    os.kill(jobs[0], signal.SIGKILL)
    assert run.process.wait() != 0
    assert not (folder / COUNTERS).exists()
    complete(folder, finished, COUNTERS, COUNTERS.replace("stage-1", "stage-2"))


@pytest.mark.slow
@pytest.mark.parametrize("script", ["collect_shard", "reduce_frequency"])
def test_snakemake_killed_while_a_job_runs(finished, tmp_path, script):
    folder = empty(finished, tmp_path / "killed")
    run = Started(folder, DEAD_PDF)
    assert run.until(lambda: run.job(script))
    run.signal_all(signal.SIGKILL)
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
