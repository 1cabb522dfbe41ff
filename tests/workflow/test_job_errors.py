"""Jobs that fail: one sentence at the end of the log and on the terminal, no output, and after repair the run goes on."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet
from safetensors.torch import load_file, save_file

from made_text import make_texts, write_jsonl
from models_made import make_opt
from workflow_runs import FINDINGS, change_config, contents, copy_folder, make_folder, snakemake

WEIGHTS = Path("checkpoint/model.safetensors")
TOKENIZED = "resources/corpora/mytext/models/mine/window-16/core"
FC1 = "model.decoder.layers.1.fc1.weight"


@dataclass(frozen=True)
class Fault:
    """What is broken, the output whose job must fail, and what its sentence says."""

    broken: Callable[[Path], None]
    output: str
    words: tuple[str, ...]
    log: str = "results/mine/logs/describe_model.log"


def change_model_config(folder: Path, **values: object) -> None:
    file = folder / "checkpoint" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def change_weights(folder: Path, change: Callable[[dict], None]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def write_body(folder: Path, texts: list) -> None:
    parquet.write_table(pyarrow.table({"body": pyarrow.array(texts, pyarrow.string())}), folder / "data" / "letters.parquet")


def bad_line(folder: Path, line: bytes) -> None:
    """A faulty record at line 3 of the prose."""
    file = folder / "data" / "prose.jsonl"
    file.write_bytes(b'{"text": "the cat"}\n{"text": ""}\n' + line + b"\n" + file.read_bytes())


def cut_file(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


PROSE = {
    "output": f"{TOKENIZED}/prose/0.parquet",
    "log": "resources/corpora/mytext/logs/tokenize_shard/models/mine/window-16/core/prose/0.log",
}
LETTERS = {key: value.replace("prose", "letters") for key, value in PROSE.items()}
MODEL = {"output": "results/mine/model.json"}

FAULTS = {
    "GELU": Fault(lambda f: change_model_config(f, activation_function="gelu"), words=("activation", "gelu"), **MODEL),
    "truncated weights": Fault(lambda f: cut_file(f / WEIGHTS), words=("checkpoint/model.safetensors",), **MODEL),
    "missing tensor": Fault(lambda f: change_weights(f, lambda t: t.pop(FC1)), words=("fc1.weight", "layer 1"), **MODEL),
    "tensor of another shape": Fault(
        lambda f: change_weights(f, lambda t: t.update({FC1: t[FC1][:5].clone()})),
        words=("fc1.weight", "layer 1", "(5, 16)", "(24, 16)"),
        **MODEL,
    ),
    "NaN": Fault(lambda f: change_weights(f, lambda t: t[FC1].fill_(float("nan"))), words=("fc1.weight", "layer 1", "NaN"), **MODEL),
    "no weights": Fault(lambda f: (f / WEIGHTS).unlink(), words=("checkpoint",), **MODEL),
    "too few tokens": Fault(
        lambda f: write_body(f, ["the cat"]), words=("domain letters", "fewer tokens than asked", "50 asked", "found"), **LETTERS
    ),
    "empty domain": Fault(lambda f: write_body(f, []), words=("domain letters", "empty", "50 asked, 0 found"), **LETTERS),
    "nothing matches": Fault(
        lambda f: (f / "data" / "letters.parquet").unlink(),
        words=("domain letters", "no file matches path: data/letters.parquet"),
        **LETTERS,
    ),
    "no such field": Fault(lambda f: bad_line(f, b'{"body": "x"}'), words=("prose.jsonl:3", "no field `text`", "`body`"), **PROSE),
    "broken JSON": Fault(lambda f: bad_line(f, b'{"text": "x'), words=("prose.jsonl:3", "broken JSON"), **PROSE),
    "wrong encoding": Fault(lambda f: bad_line(f, b'{"text": "caf\xe9"}'), words=("prose.jsonl:3", "not UTF-8", "0xe9"), **PROSE),
}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder in which nothing has run."""
    return make_folder(tmp_path_factory.mktemp("fresh") / "mine")


def check_fault(folder: Path, fault: Fault) -> None:
    """Break, run, look; then mend and run again."""
    whole = {file: file.read_bytes() for top in ("checkpoint", "data") for file in (folder / top).rglob("*") if file.is_file()}
    fault.broken(folder)
    run = snakemake(folder, fault.output)
    assert run.status != 0, run.said
    last = (folder / fault.log).read_text().splitlines()[-1]
    assert last.startswith("error: ") and all(word in last for word in fault.words), last
    assert last in run.last_lines, run.said
    assert "Traceback" not in run.said
    output = folder / fault.output
    assert not output.exists() and not list(folder.rglob("*.partial"))

    for file, content in whole.items():
        file.write_bytes(content)
    run = snakemake(folder, fault.output)
    assert run.status == 0, run.said
    assert output.exists()


@pytest.mark.parametrize("name", ["NaN", "no such field"])
def test_a_job_that_fails_says_why_and_leaves_nothing(fresh, tmp_path, name):
    check_fault(copy_folder(fresh, tmp_path / "copy"), FAULTS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FAULTS if name not in ("NaN", "no such field")])
def test_every_fault_is_told(fresh, tmp_path, name):
    check_fault(copy_folder(fresh, tmp_path / "copy"), FAULTS[name])


def fails(folder: Path, *words: str) -> None:
    run = snakemake(folder)
    assert run.status != 0 and all(word in run.last_lines for word in ("error: ", *words)), run.said
    assert "Traceback" not in run.said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "words"),
    [
        (f"{TOKENIZED}/letters/0.parquet", ("shard file", "letters/0.parquet is corrupt", "delete it and run again")),
        (
            "results/mine/collect/core/prose/0/stage-2.parquet",
            ("shard file", "core/prose/0/stage-2.parquet is corrupt", "delete it and run again"),
        ),
        ("results/mine/frequency.parquet", ("frequency.parquet is corrupt", "delete it and run again")),
    ],
)
def test_a_corrupt_intermediate_file_is_told_and_made_again(folder, file, words):
    before, path = contents(folder), folder / file
    cut_file(path)
    fails(folder, *words)
    path.unlink()
    run = snakemake(folder)
    assert run.status == 0, run.said
    # What no finding needs any more is not made again only because it was deleted.
    after = contents(folder)
    assert after.items() <= before.items() and {f"results/mine/{name}" for name in FINDINGS} <= set(after)


@pytest.mark.slow
def test_a_tokenizer_of_another_model_is_told_by_the_collection(folder):
    make_opt(folder / "small", vocab=40, positions=16, layers=2, d=16, ffn=24)
    change_config(folder, {"source": "checkpoint"}, "tokenizers", "big")
    change_config(folder, {"source": "small", "corpus": "mytext", "tokenizer": "big"}, "models", "small")
    change_config(folder, ["small"], "run", "models")
    fails(folder, "token id", "vocabulary has 40 tokens", "domain")
    assert not list((folder / "results" / "small" / "collect").rglob("*.parquet"))


@pytest.mark.slow
def test_weights_that_changed_under_a_run_are_described_again(folder):
    change_weights(folder, lambda tensors: tensors[FC1].mul_(2))
    run = snakemake(folder, "results/mine/dead.pdf")
    assert run.status == 0, run.said
    assert "describe_model" in run.rules and "collect_stage" in run.rules
    assert "tokenize_shard" not in run.rules


@pytest.mark.slow
def test_other_domains_go_on_when_one_fails(fresh, tmp_path):
    folder = copy_folder(fresh, tmp_path / "copy")
    write_body(folder, [])
    run = snakemake(folder, "--keep-going")
    assert run.status != 0 and "domain letters" in run.said  # jobs that went on have the last word
    assert (folder / f"{TOKENIZED}/prose/0.parquet").exists()
    write_jsonl(folder / "data" / "letters.jsonl", make_texts(60, seed=3))
    change_config(folder, {"path": "data/letters.jsonl", "tokens": 50}, "corpora", "mytext", "core", "letters")
    assert "prose" not in str(snakemake(folder, "-n", f"{TOKENIZED}/letters/0.parquet").planned)
