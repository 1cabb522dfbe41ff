"""One finished run, made once by each process of tests and copied by every test that changes something."""

from pathlib import Path

import pytest

from workflow_runs import copy_folder, make_folder, snakemake


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder after a bare run; not to be changed."""
    folder = make_folder(tmp_path_factory.mktemp("user") / "mine", layers=3)
    run = snakemake(folder)
    assert run.status == 0, run.said
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, records and all."""
    return copy_folder(finished, tmp_path / "copy")
