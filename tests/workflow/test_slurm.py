"""The whole workflow through a real SLURM of one node: jobs in its queue, one killed there, the same bytes as without it."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from workflow_runs import PROJECT, change_config, command, contents, copy_folder, environment, make_folder, plan, snakemake

SCRIPTS = PROJECT / "tests" / "slurm"
PROFILE = str(PROJECT / "profiles" / "slurm")
# This SLURM keeps no accounts, and its node is small and near.
HERE = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10"]
HERE += ["--default-resources", "mem_mb=500*attempt", "runtime=10", "--slurm-logdir", "slurm-logs"]


def small_folder(folder: Path) -> Path:
    """A user's folder whose every finding takes few jobs: one shard of one domain."""
    make_folder(folder)
    change_config(folder, {"core": {"prose": {"path": "data/*.jsonl", "tokens": 100}}, "positions": ["prose"]}, "corpora", "mytext")
    change_config(folder, 100, "collect", "shard_tokens")
    return folder


def test_the_profile_plans_the_same_jobs(tmp_path, monkeypatch):
    folder = make_folder(tmp_path)
    monkeypatch.chdir(folder)
    asked = plan(folder, "--workflow-profile", PROFILE)
    assert asked.rules == plan(folder).rules
    needs = asked.resources("collect_stage")
    assert needs and re.search(r"\bmem_mb=3\d\d\b", needs) and "runtime=11" in needs and "gpu=0" in needs
    change_config(folder, "cuda", "device")
    needs = plan(folder).resources("collect_stage")
    assert needs and "gpu=1" in needs


@pytest.fixture(scope="module")
def slurm():
    """A running SLURM's folder; skipped where its packages can neither be found nor installed."""
    if os.geteuid() != 0 or (shutil.which("slurmctld") is None and shutil.which("apt-get") is None):
        pytest.skip("a SLURM of its own needs root, and Debian's packages slurmctld, slurmd, slurm-client and munge")
    # munged wants every folder above its socket open to all.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    done = subprocess.run([SCRIPTS / "up.sh", folder], capture_output=True, text=True, check=False, timeout=280)
    try:
        assert done.returncode == 0, done.stderr
        yield folder
    finally:
        subprocess.run([SCRIPTS / "down.sh", folder], check=True, timeout=120)
        shutil.rmtree(folder)


def queue(slurm: Path) -> list[tuple[str, str, str]]:
    """Number, state and comment of every job in the queue; the comment names the rule."""
    environment = os.environ | {"SLURM_CONF": str(slurm / "etc" / "slurm.conf")}
    asked = ["squeue", "-h", "-t", "all", "-o", "%A|%T|%k"]
    said = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True, timeout=30).stdout
    return [(number, state, comment) for number, state, comment in (line.split("|", 2) for line in said.splitlines())]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_everything_through_slurm_with_a_job_killed_is_the_same_bytes(slurm, tmp_path):
    folder = small_folder(tmp_path / "through")
    alone = copy_folder(folder, tmp_path / "alone")
    arguments = command(folder, "--workflow-profile", PROFILE, *HERE)
    cores = arguments.index("--cores")
    del arguments[cores : cores + 2]
    told = environment() | {"SLURM_CONF": str(slurm / "etc" / "slurm.conf")}
    killed = None
    with (tmp_path / "said.txt").open("w+", encoding="utf-8") as said:
        process = subprocess.Popen(arguments, cwd=folder, env=told, stdout=said, stderr=said)
        try:
            while process.poll() is None:
                running = [number for number, state, comment in queue(slurm) if state == "RUNNING" and "collect_stage" in comment]
                if killed is None and running:
                    killed = running[0]
                    subprocess.run(["scancel", killed], env=told, check=True, timeout=30)
                time.sleep(0.5)
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        assert process.returncode == 0, said.read()[-6000:]
    jobs = queue(slurm)
    states = {number: state for number, state, _ in jobs}
    assert killed is not None and states.pop(killed) == "CANCELLED"
    assert set(states.values()) == {"COMPLETED"} and len(states) > 10
    tried = [number for number, _, comment in jobs if "collect_stage" in comment]
    assert len(tried) == 2
    assert snakemake(alone).status == 0
    assert contents(folder) == contents(alone)
    assert (folder / "results" / "mine" / "positional.pdf").is_file()
