"""The notebook runs from its first cell to its last, and what it makes is whole."""

import json
import tempfile
from pathlib import Path

import matplotlib
import polars
import pytest

PROJECT = Path(__file__).parent.parent
NOTEBOOK = PROJECT / "examples" / "census.ipynb"


@pytest.fixture(scope="module")
def cells() -> list[dict]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def test_notebook_is_committed_without_outputs(cells):
    assert [cell["source"] for cell in cells if cell["cell_type"] == "code" and (cell["outputs"] or cell["execution_count"])] == []


# Its cells are plain Python without magics, so that one namespace does what a kernel would: nbclient and ipykernel would bring
# twenty packages into the lock to show no more.
def test_notebook_runs(cells, tmp_path, monkeypatch):
    monkeypatch.chdir(NOTEBOOK.parent)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    matplotlib.use("agg")
    names: dict = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{NOTEBOOK.name}, cell {number}", "exec"), names)
    run = names["run"]
    assert run.parent == tmp_path and (run / "dead.png").read_bytes().startswith(b"\x89PNG")
    dead, coverage = (polars.read_parquet(run / f"{name}.parquet") for name in ("dead", "coverage"))
    assert len(dead) == 6 * 1024 and set(dead["tokens"]) == {30_000}
    alive = dead.filter(~polars.col("dead") & (polars.col("layer") < 3))
    assert coverage.group_by("n").len().sort("n").rows() == [(n, len(alive)) for n in (1, 2, 3)]
    assert 0 < len(names["found"]) < names["found"]["occurrences"].sum()
