"""The jobs of a run of the workflow, to be run one by one without Snakemake."""

import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

from workflow_runs import NOT_COMPARED, PROJECT


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        rule: its rule.
        script: the file that it runs.
        given: the `snakemake` object of the script, pickled as Snakemake does.
        inputs, outputs: names of files, relative to the working folder.
    """

    rule: str
    script: Path
    given: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def _files(folder: Path, output: str) -> list[str]:
    """The files of an output: itself, or if it is a folder what the run put there."""
    if not (folder / output).is_dir():
        return [output]
    found = sorted(path for path in (folder / output).rglob("*") if path.is_file() and path.name not in NOT_COMPARED)
    return [str(path.relative_to(folder)) for path in found]


def list_jobs(folder: Path) -> list[Job]:
    """Every job of a finished run, as Snakemake itself works it out; to be called in a process of its own."""
    from snakemake.api import SnakemakeApi  # noqa: PLC0415 takes long, and only this process needs it
    from snakemake.script import Snakemake  # noqa: PLC0415
    from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, RerunTrigger, ResourceSettings  # noqa: PLC0415

    _say_to(Path(os.devnull))
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
        flow = api.workflow(
            resource_settings=ResourceSettings(cores=2),
            config_settings=ConfigSettings(configfiles=[folder / "my.yaml"]),
            snakefile=PROJECT / "Snakefile",
            workdir=folder,
        )
        # By time alone: what is looked at may have been made a moment ago by other code.
        flow.dag(dag_settings=DAGSettings(rerun_triggers=frozenset({RerunTrigger.MTIME}))).execute_workflow(
            executor="local", pseudo_executor="dryrun"
        )
        found = []
        for job in flow._workflow.dag.jobs:
            if not job.rule.script:
                continue
            script = PROJECT / "workflow" / "scripts" / Path(job.rule.script).name
            what = (job.input, job.output, job.params, job.wildcards, job.threads, job.resources, job.log, job.rule.workflow.config)
            given = pickle.dumps(Snakemake(*what, job.rule.name, None, str(script.parent)), protocol=4)
            made = tuple(file for output in map(str, job.output) for file in _files(folder, output))
            found.append(Job(job.rule.name, script, given, tuple(map(str, job.input)), made))
    return sorted(found, key=lambda job: job.outputs)


def _say_to(file: Path) -> None:
    """From here on this process says what it says to a file."""
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(out, stream)


def run_job(job: Job, folder: Path, said: Path) -> None:
    """Run a job's script in this process, which it may end; what it says goes to a file."""
    os.setpgid(0, 0)
    _say_to(said)
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1) for stream in (1, 2))
    os.chdir(folder)
    given = {"snakemake": pickle.loads(job.given), "__name__": "__main__"}
    exec(compile(job.script.read_text(encoding="utf-8"), job.script, "exec"), given)
