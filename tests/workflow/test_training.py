"""A model that the workflow trains itself, by a recipe of the user's, from text to the table of its dead neurons."""

import json
from pathlib import Path

import polars
import pytest
from safetensors.torch import load_file

from made_text import make_texts, write_jsonl
from workflow_runs import change_config, copy_folder, plan, snakemake, write_config

RUN = "resources/training/tiny"
DEAD = "results/{}/dead.parquet"
RECIPE = {
    "seed": 1,
    "text": {"prose": {"path": "data/prose.jsonl"}},
    "held_out": {"prose": {"path": "data/held.jsonl"}},
    "vocabulary": 300,
    "architecture": {"hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 16},
    "steps": 12,
    "checkpoints": [6, 12],
    "batch_windows": 4,
    "learning_rate": 0.01,
    "position_rate": 2,
    "warmup": 3,
    "weight_decay": 0.1,
    "clip": 1.0,
    "precision": "no",
    "threads": 1,
    "resume_every": 4,
}


def make_folder(folder: Path) -> Path:
    """A user's folder with text, a recipe, and two models of it."""
    write_jsonl(folder / "data" / "prose.jsonl", make_texts(80))
    write_jsonl(folder / "data" / "held.jsonl", make_texts(30, seed=1))
    models = {
        "early": {"train": "tiny", "positions": False, "step": 6, "corpus": "mytext"},
        "last": {"train": "tiny", "corpus": "mytext"},
    }
    core = {"prose": {"path": "data/held.jsonl", "tokens": 200}}
    config = {"run": {"models": ["early"]}, "training": {"tiny": RECIPE}, "models": models, "corpora": {"mytext": {"core": core}}}
    write_config(folder, config | {"collect": {"threads": 1, "stages": 1}})
    return folder


def trained_files(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [file for file in sorted((folder / RUN).rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_folder(tmp_path_factory.mktemp("training") / "mine")
    run = snakemake(folder, DEAD.format("early"))
    assert run.status == 0, run.said
    return folder


@pytest.mark.slow
def test_from_recipe_to_table(done: Path):
    table = polars.read_parquet(done / DEAD.format("early"))
    assert (len(table), table["tokens"].unique().to_list()) == (2 * 24, [200])
    checkpoints = done / RUN / "nopos" / "checkpoints"
    assert {path.name for path in checkpoints.iterdir() if path.is_dir()} == {"step-6", "step-12"}
    assert not load_file(checkpoints / "step-6" / "model.safetensors")["model.decoder.embed_positions.weight"].any()
    source = json.loads((done / "results" / "early" / "source.json").read_text())
    assert source["source"] == "training.tiny"
    assert not (done / RUN / "positions").exists()
    assert "step 6: loss" in (done / RUN / "logs" / "train_model" / "nopos.log").read_text()
    assert "Writing model shards" not in (done / RUN / "logs" / "train_model" / "nopos.log").read_text()


@pytest.mark.slow
def test_nothing_is_trained_twice(done: Path, tmp_path: Path):
    folder = copy_folder(done, tmp_path / "copy")
    before = trained_files(folder)
    assert snakemake(folder, DEAD.format("early")).nothing_to_do
    # Whatever does not belong to the recipe leaves the run alone.
    change_config(folder, 100, "corpora", "mytext", "core", "prose", "tokens")
    assert "train_model" not in plan(folder, DEAD.format("early")).rules
    run = snakemake(folder, DEAD.format("early"))
    assert run.status == 0, run.said
    assert trained_files(folder) == before
    # The other variant needs its own run, and the text once more from what is there.
    rules = plan(folder, DEAD.format("last")).rules
    assert rules["train_model"] == 1
    assert {"train_tokenizer", "pack_text"}.isdisjoint(rules)
    change_config(folder, 0.02, "training", "tiny", "learning_rate")
    rules = plan(folder, DEAD.format("early")).rules
    assert rules["train_model"] == 1
    assert {"train_tokenizer", "pack_text"}.isdisjoint(rules)


@pytest.mark.slow
def test_too_little_text_ends_in_one_sentence(tmp_path: Path):
    folder = make_folder(tmp_path)
    write_jsonl(folder / "data" / "held.jsonl", ["a"])
    run = snakemake(folder, f"{RUN}/nopos/loss.parquet")
    sentence = (folder / RUN / "logs" / "pack_text" / "held_out.log").read_text().splitlines()[-1]
    assert run.status != 0
    assert sentence in run.last_lines
    assert sentence.startswith("error: domain held_out.prose has 2 tokens")
    assert not (folder / RUN / "held_out").exists()


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_in_one_sentence(tmp_path: Path):
    folder = make_folder(tmp_path)
    change_config(folder, 1.0e30, "training", "tiny", "learning_rate")
    run = snakemake(folder, f"{RUN}/nopos/loss.parquet")
    sentence = (folder / RUN / "logs" / "train_model" / "nopos.log").read_text().splitlines()[-1]
    assert run.status != 0
    assert sentence in run.last_lines
    assert "not finite: lower learning_rate of the recipe" in sentence
    assert not (folder / RUN / "nopos" / "checkpoints").exists()
    # The user lowers it: nothing of the first attempt is left.
    change_config(folder, 0.01, "training", "tiny", "learning_rate")
    run = snakemake(folder, f"{RUN}/nopos/loss.parquet")
    assert run.status == 0, run.said
    assert {path.name for path in (folder / RUN / "nopos").iterdir()} == {"checkpoints", "loss.parquet"}
