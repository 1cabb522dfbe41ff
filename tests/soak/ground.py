"""What the faults break: an undisturbed run, and a copy of it whose jobs can be run one by one."""

import multiprocessing
import os
import shutil
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from soak.jobs import Job, list_jobs, run_job
from workflow_runs import PROJECT, contents, copy_folder, make_folder, snakemake

# Imported once, in the server that jobs are forked from: most of a job's time is its imports.
WARM = ["torch", "transformers", "polars", "pyarrow.parquet", "matplotlib.figure", "numba", "soak.jobs", "tokenizers", "snakemake.script"]
ROOM = 1 << 20
"""Bytes of the yard's disk beyond what a finished run takes."""


class DifferentError(Exception):
    """A fault ended in other bytes."""


class UnclearError(Exception):
    """A fault ended neither in a sentence nor in the same bytes."""


def make_reference(folder: Path) -> Path:
    """An undisturbed run of every finding of a tiny model."""
    make_folder(folder, layers=3)
    run = snakemake(folder)
    assert run.status == 0, run.said
    return folder


@dataclass(frozen=True)
class Ended:
    """How a job ended: status (negative: by that signal), and what it said."""

    status: int
    said: str

    @property
    def sentence(self) -> str | None:
        """The last line, if it is the one sentence that it should be."""
        last = self.said.strip().splitlines()[-1:] or [""]
        clear = last[0].startswith("error: ") and "Traceback" not in self.said and "Logging error" not in self.said
        return last[0].removeprefix("error: ") if clear else None


def _in_order(jobs: list[Job]) -> list[Job]:
    """So that every job comes behind those that make its inputs."""
    made, ordered, left = {name for job in jobs for name in job.outputs}, [], jobs
    while left:
        ready = [job for job in left if not made & set(job.inputs)]
        assert ready, "a run has no circles"
        made -= {name for job in ready for name in job.outputs}
        ordered, left = ordered + ready, [job for job in left if job not in ready]
    return ordered


class Disk:
    """A small disk of its own at a folder, if this process may mount one."""

    def __init__(self, folder: Path, room: int):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.mounted = self._mount("-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(folder))

    @staticmethod
    def _mount(*arguments: str) -> bool:
        return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0

    def fill(self, free: int) -> Path:
        """Leave `free` bytes; the file that takes the rest."""
        state, filler = os.statvfs(self.folder), self.folder / "filler.txt"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(state.f_bavail * state.f_frsize - free, 1))
        return filler

    def write_protect(self, protected: bool) -> None:
        """Make the disk read-only, or writable again."""
        assert self._mount("-o", f"remount,{'ro' if protected else 'rw'}", str(self.folder)), "what was mounted can be mounted again"

    def close(self) -> None:
        """Take it away, with what is on it."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
            self.mounted = False


class Ground:
    """Where faults are tried.

    Args:
        folder: an empty place.
        reference: an undisturbed run, not to be changed; made if None.

    Attributes:
        reference: the undisturbed run.
        wanted: content of every file that it made, temporary ones too.
        lasting: names of those that are not temporary.
        yard: a copy of it for single jobs, on a small disk of its own where that can be had.
        jobs: every job of the run, in an order in which they can be run.
    """

    def __init__(self, folder: Path, reference: Path | None = None):
        self.folder = folder
        self.reference = reference or make_reference(folder / "reference" / "mine")
        self.wanted = contents(self.reference)
        self.lasting = frozenset(self.wanted)
        used = sum(file.stat().st_size + 4096 for file in self.reference.rglob("*") if file.is_file())
        self.disk = Disk(folder / "disk", used + ROOM)
        self.yard = copy_folder(self.reference, folder / "disk" / "mine")
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            self.jobs: list[Job] = _in_order(pool.submit(list_jobs, self.yard).result())
        os.environ["PYTHONPATH"] = f"{PROJECT / 'src'}:{PROJECT / 'tests'}"
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(WARM)
        self.took: dict[str, float] = {}
        for job in self.jobs:
            if set(job.outputs) - self.lasting:  # hidden states, which are gone by now
                self.run(job, self.yard)
        made = contents(self.yard)
        assert made.items() >= self.wanted.items(), "a job by itself makes what it makes under Snakemake"
        self.wanted = made

    @cached_property
    def foreign(self) -> dict[str, bytes]:
        """What a run with another model of the same name over the same text has made."""
        from models_made import make_opt  # noqa: PLC0415 torch takes seconds to import

        folder = copy_folder(self.reference, self.folder / "foreign")
        make_opt(folder / "checkpoint", vocab=320, positions=16, layers=3, d=16, ffn=24, seed=7)
        for job in self.jobs:
            ended = self.run(job, folder)
            assert ended.status == 0, ended.said
        return contents(folder)

    def start(self, job: Job, folder: Path | None = None) -> "multiprocessing.context.ForkServerProcess":
        """Begin a job as Snakemake does: old outputs gone, folders made; in the yard if not in another folder."""
        folder = folder or self.yard
        (self.folder / "said.txt").write_bytes(b"")
        for name in job.outputs:
            if (folder / name).exists():
                (folder / name).unlink()
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        process = self.context.Process(target=run_job, args=(job, folder, self.folder / "said.txt"))
        process.start()
        return process

    def run(self, job: Job, folder: Path | None = None) -> Ended:
        """A job from its beginning to its end."""
        return self.ended(self.start(job, folder))

    def ended(self, process: "multiprocessing.context.ForkServerProcess") -> Ended:
        """Wait for a job's end."""
        process.join()
        assert process.exitcode is not None, "it has ended"
        return Ended(process.exitcode, (self.folder / "said.txt").read_text(encoding="utf-8", errors="replace"))

    def check_present(self, job: Job) -> None:
        """Every output that carries its name is whole."""
        for name in job.outputs:
            path = self.yard / name
            if path.exists() and path.read_bytes() != self.wanted[name]:
                raise DifferentError(f"{name} after {job.rule}")

    def complete(self, job: Job) -> None:
        """Run a job to its end and hold what it made against the undisturbed run."""
        begun = time.monotonic()
        ended = self.run(job)
        self.took[job.outputs[0]] = time.monotonic() - begun
        if ended.status:
            raise UnclearError(f"{job.rule} did not complete: {ended.said[-2000:]}")
        self.check_present(job)
        left = [str(path) for path in self.yard.rglob("*.partial")]
        if missing := [name for name in job.outputs if not (self.yard / name).exists()]:
            raise UnclearError(f"{job.rule} did not make {missing}")
        if left:
            raise UnclearError(f"{job.rule} left {left}")

    def seconds(self, job: Job) -> float:
        """How long a job takes undisturbed."""
        if job.outputs[0] not in self.took:
            self.complete(job)  # The first one may have waited for the server.
            self.complete(job)
        return self.took[job.outputs[0]]

    def told(self, job: Job, ended: Ended) -> str:
        """The sentence with which a job refused to go on; what it has left under a final name is whole, and Snakemake would remove it."""
        if ended.sentence is None:
            raise UnclearError(f"{job.rule} ended with {ended.status}: {ended.said[-2000:]}")
        self.check_present(job)
        return ended.sentence

    def mend(self) -> None:
        """Put everything back in the yard."""
        for left in [*self.yard.rglob("*.partial"), *self.disk.folder.glob("filler.txt")]:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        for name, content in self.wanted.items():
            if not (self.yard / name).exists() or (self.yard / name).read_bytes() != content:
                (self.yard / name).parent.mkdir(parents=True, exist_ok=True)
                (self.yard / name).write_bytes(content)

    def copy(self, name: str) -> Path:
        """A copy of the undisturbed run for whole runs of Snakemake."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return copy_folder(self.reference, self.folder / name / "mine")

    def close(self) -> None:
        """Take the small disk away."""
        self.disk.close()
