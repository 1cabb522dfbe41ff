"""The benchmarks run, on a tiny shape, and write a record a row; what they measure with is right."""

import importlib
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks._common import Options, batches_of, paired, ratio, transformers_model
from benchmarks._hooks import _ngrams, count_activations
from benchmarks._made import TINY, make_model, make_text
from benchmarks._memory import NoResultError, watched

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))
# Over 10 seconds: many processes, or what is compared with is slow to import.
SLOW = ("browser", "larger_than_memory", "reduce", "workflow")
# As a user runs them, each in a process; the others are asked for their rows here, which spares them the imports.
PROCESSES = ("positions", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW))
# Compared with what only the environment of `make bench` has.
PEERS = ("nnsight", "transformer_lens")
FIELDS = {"benchmark", "quick", "case", "figure", "target", "seconds", "note", "unit"}


@pytest.mark.parametrize("program", PROCESSES)
def test_runs_and_records_its_rows(program: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"benchmarks.{program}", "--quick", "--records", str(tmp_path / "records.jsonl")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows and len(rows) == len(done.stdout.splitlines()) - 2
    for row in rows:
        assert set(row) == FIELDS and row["benchmark"] == program and row["quick"]
        assert row["figure"] is not None or row["note"]


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name not in SLOW])
def test_every_row_has_a_figure_or_says_why_not(program: str, tmp_path: Path) -> None:
    if program == "peers" and not all(map(importlib.util.find_spec, PEERS)):
        pytest.skip("needs the environment of `make bench`")
    rows = list(importlib.import_module(f"benchmarks.{program}").rows(Options(quick=True, repeats=1, folder=tmp_path)))
    assert rows and all(row.figure is not None or row.note for row in rows)


def hold(size: int, seconds: float) -> int:
    """Bytes that were written to."""
    held = bytearray(size)
    held[::4096] = b"\1" * len(held[::4096])
    time.sleep(seconds)
    return len(held)


def fail() -> None:
    raise ValueError("no result")


def test_a_watched_process_is_seen_at_its_peak() -> None:
    found = watched(hold, 200_000_000, 0.2)
    assert found.result == 200_000_000
    assert 200_000_000 < found.peak < 600_000_000


def test_a_watched_process_is_killed_at_its_limit() -> None:
    started = time.monotonic()
    with pytest.raises(NoResultError, match="killed at the limit"):
        watched(hold, 600_000_000, 60.0, limit=500_000_000)
    assert time.monotonic() - started < 50


def test_what_a_watched_process_raises_is_told() -> None:
    with pytest.raises(NoResultError, match="ValueError: no result"):
        watched(fail)


def test_sides_run_in_turns_after_a_warm_up() -> None:
    ran = []
    contenders = {"a": lambda: ran.append("a"), "b": lambda: ran.append("b") or 2.0}
    seconds = paired(Options(quick=False, repeats=3, folder=Path()), contenders)
    assert ran == ["a", "b"] * 4
    assert seconds["b"] == [2.0] * 3 and len(seconds["a"]) == 3
    assert ratio({"a": [3.0, 1.0], "b": [2.0, 4.0]}, "a", "b") == 0.5


def test_naive_hooks_number_ngrams_of_text_alone() -> None:
    ids = torch.tensor([[2, 7, 8, 7, 8], [2, 8, 7, 8, 9]])
    assert _ngrams([ids], 1, 10).tolist() == [-1, 0, 1, 0, 1, -1, 1, 0, 1, 2]
    pairs = _ngrams([ids[:1], ids[1:]], 2, 10).tolist()
    assert pairs == [-1, -1, 0, 1, 0, -1, -1, 1, 0, 2]  # 78 87 78, 87 78 89


def test_made_neurons_are_active_as_often_as_they_say(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", TINY, silent=0.5, files=3)
    assert len(list((tmp_path / "model").glob("*.bin"))) == 3
    text = make_text(tmp_path / "text", TINY.vocabulary, window=32, positions=512, shards=2)
    rates = count_activations(transformers_model(model, "float32"), batches_of(text)) / 512
    assert ((rates == 0).double().mean(dim=1) >= 0.5).all()
    assert 0.03 < rates.mean() < 0.05  # half of 8%
