"""The whole workflow from a cold start ÷ the bare forward pass of the same windows.

`snakemake` runs as a user runs it, as a process, in an empty folder: every target of a bare run, from a checkpoint and a text file
to tables and figures. 125m shape, 102,400 positions in core and extra, T = 512, float32, 2 cores. The bare forward is transformers'
`OPTModel` in this process, imports left out, on the windows that the workflow made, in its batches. A tiny run beforehand fills the
caches of files and compiled code. The longest of the benchmarks: each side takes minutes, and is run four times.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import yaml

from benchmarks._common import THREADS, Options, Row, batches_of, forward, main, paired, ratio, transformers_model
from benchmarks._made import OPT_125M, TINY, Model, Shape, Text, make_model, write_documents, write_tokenizer

PROJECT = Path(__file__).resolve().parent.parent
WINDOW, POSITIONS = 512, 102400
BATCH_TOKENS = 16384
"""The default of `collect.batch_tokens`."""


def _config(window: int, positions: int) -> dict:
    """Half of the text in one domain of core, whose full windows count for positions, the rest in another and in extra."""
    budgets = {"prose": positions // 2, "code": positions // 4}
    core = {name: {"path": f"text/{name}.jsonl", "tokens": budget} for name, budget in budgets.items()}
    extra = {"prose": {"path": "text/prose.jsonl", "tokens": positions // 4}}
    corpus = {"window": window, "core": core, "extra": extra, "positions": ["prose"]}
    return {
        "run": {"models": ["made"]},
        "device": "cpu",
        "dtype": "float32",
        "collect": {"threads": THREADS, "batch_tokens": BATCH_TOKENS},
        "models": {"made": {"source": "model", "corpus": "text"}},
        "corpora": {"text": corpus},
    }


def _prepare(folder: Path, shape: Shape, window: int, positions: int) -> Model:
    """A user's folder."""
    model = make_model(folder / "model", shape)
    model.description.unlink()
    write_tokenizer(model.folder, shape.vocabulary)
    for seed, (name, budget) in enumerate({"prose": positions, "code": positions // 2}.items()):
        write_documents(folder / "text" / f"{name}.jsonl", shape.vocabulary, window, budget, seed)
    (folder / "my.yaml").write_text(yaml.safe_dump(_config(window, positions)), encoding="utf-8")
    return model


def _run(folder: Path) -> float:
    """Seconds of a bare run in a folder without results; what an earlier one made is removed first."""
    for name in ("results", "resources", ".snakemake"):
        shutil.rmtree(folder / name, ignore_errors=True)
    own = ["--snakefile", str(PROJECT / "Snakefile"), "--directory", str(folder), "--configfile", str(folder / "my.yaml")]
    command = [sys.executable, "-m", "snakemake", *own, "--cores", str(THREADS), "--quiet", "all"]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit("\n".join((done.stdout + done.stderr).splitlines()[-20:]))
    return seconds


def rows(options: Options) -> Iterator[Row]:
    """One row."""
    warm, folder = options.folder / "warm", options.folder / "real"
    _prepare(warm, TINY, 16, 1024)
    _run(warm)
    shape, window, positions = (TINY, 16, 1024) if options.quick else (OPT_125M, WINDOW, POSITIONS)
    theirs = transformers_model(_prepare(folder, shape, window, positions), "float32")

    def bare() -> None:
        shards = sorted(path for path in (folder / "resources" / "corpora").rglob("*.parquet") if path.stem.isdigit())
        forward(theirs, batches_of(Text(tuple(shards), window, positions), BATCH_TOKENS))

    seconds = paired(options, {"workflow": partial(_run, folder), "bare forward": bare})
    case = f"{positions} positions, T = {window}: workflow ÷ bare forward"
    yield Row(case, ratio(seconds, "workflow", "bare forward"), "at most 1.25", seconds)


if __name__ == "__main__":
    main(rows)
