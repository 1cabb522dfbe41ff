"""docs/adding.md followed to the letter: its finding, put into a copy of the project, works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_runs import PROJECT, contents, environment, snakemake

PAGE = (PROJECT / "docs" / "adding.md").read_text(encoding="utf-8")
STEP = re.compile(r"(?:^(New), `([^`]+)`|\bIn\s`([^`]+)`, (above|below) `([^`]+)`)\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED = ("Snakefile", "config", "envs", "models", "profiles", "src", "tests", "workflow", "pyproject.toml")


def follow(project: Path) -> list[Path]:
    """Do what the page says; returns the Python files that are new."""
    new = []
    for kind, created, changed, side, line, block in STEP.findall(PAGE):
        file = project / (created or changed)
        if kind:
            assert not file.exists()
            file.write_text(block, encoding="utf-8")
            new += [file] if file.suffix == ".py" else []
            continue
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        place = next(number for number, found in enumerate(lines) if found.strip() == line)
        gap = "\n\n" if file.suffix == ".py" and side == "above" else ""  # as between all definitions
        lines.insert(place + (side == "below"), block + gap)
        file.write_text("".join(lines), encoding="utf-8")
    return new


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page's finding in it."""
    copy = tmp_path_factory.mktemp("project")
    for name in COPIED:
        (shutil.copytree if (PROJECT / name).is_dir() else shutil.copy2)(PROJECT / name, copy / name)
    return copy


@pytest.mark.slow
def test_the_finding_of_the_page_works(project, folder):
    new = follow(project)
    assert len(new) == 5 and len(STEP.findall(PAGE)) == PAGE.count("\nNew, `") + len(re.findall(r"\bIn\s`[^`]+`, (?:above|below) `", PAGE))
    lint = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--quiet", *new], cwd=project, capture_output=True, text=True, check=False
    )
    assert lint.returncode == 0, lint.stdout
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/findings/test_specialists.py"]
    done = subprocess.run(tests, cwd=project, env=environment(project), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    before = contents(folder)
    run = snakemake(folder, "results/mine/specialists.pdf", "--rerun-triggers", "mtime", project=project)
    assert run.status == 0, run.said
    assert run.rules == {"classify_specialists": 1, "plot_specialists": 1}
    assert contents(folder).keys() - before.keys() == {f"results/mine/specialists.{suffix}" for suffix in ("parquet", "pdf")}
