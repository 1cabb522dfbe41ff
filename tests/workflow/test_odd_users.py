"""What a user may do that we did not think of: odd names, odd places, odd sizes."""

from pathlib import Path

import polars
import pytest

from models_made import make_opt
from workflow_runs import USER_CONFIG, make_folder, plan, snakemake, write_config


def test_no_model_is_nothing_to_make(tmp_path):
    folder = make_folder(tmp_path)
    write_config(folder, USER_CONFIG | {"run": {"models": []}})
    assert plan(folder).rules == {}


def test_names_that_look_like_places(tmp_path):
    folder = make_folder(tmp_path)
    text = {"path": "data/*.jsonl", "tokens": 20}
    core = {"core": text, "extra": text, "stage-1": text, "a..b-_": text}
    models = {"results": {"source": "./checkpoint/", "tokenizer": "models"}, "1.3b-x._-": {"source": "checkpoint", "tokenizer": "models"}}
    config = {"run": {"models": list(models)}, "corpus": "window-16", "models": models, "tokenizers": {"models": {"source": "checkpoint"}}}
    write_config(folder, USER_CONFIG | config | {"corpora": {"window-16": {"core": core, "extra": {"0": text, "core": text}}}})
    rules = plan(folder).rules
    # Two models of one tokenizer and corpus: the text is tokenized once.
    assert (rules["tokenize_shard"], rules["collect_last_stage"], rules["plot_dead"]) == (6, 12, 2)


def test_models_of_one_tokenizer_and_two_windows(tmp_path):
    folder = make_folder(tmp_path)
    make_opt(folder / "short", vocab=320, positions=8, layers=1, d=16, ffn=24)
    models = {name: {"source": name, "corpus": "mytext", "tokenizer": "t"} for name in ("checkpoint", "short")}
    write_config(folder, USER_CONFIG | {"run": {"models": list(models)}, "models": models, "tokenizers": {"t": {"source": "checkpoint"}}})
    names = {name.split("/")[5] for name in plan(folder).planned if name.startswith("resources/corpora/mytext/tokenizers/t/")}
    assert names == {"window-16", "window-8"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["with space", "ünï-🧠", "brackets[1]", "quote's"])
def test_folders_of_any_name(tmp_path, name):
    folder = make_folder(tmp_path / name)
    write_config(folder, USER_CONFIG | {"collect": {"stages": 1, "shard_tokens": 1000, "threads": 1}})
    run = snakemake(folder, "results/mine/collect/core/prose/0/stage-1.parquet")
    assert run.status == 0, run.said


@pytest.mark.slow
def test_a_model_of_one_layer_in_a_read_only_folder_behind_a_link(tmp_path):
    """Window 2, a document of one token, empty documents, text outside the folder and by an absolute path."""
    folder = make_folder(tmp_path / "mine", layers=1)
    outside = tmp_path / "outside"
    (folder / "checkpoint").rename(outside)
    (folder / "checkpoint").symlink_to(outside)
    (tmp_path / "one.txt").write_text("the", encoding="utf-8")
    (folder / "data" / "empty.txt").write_text("", encoding="utf-8")
    names = {"a b.txt": "the cat", "q'\"$(x).txt": "a dog", "new\nline.txt": "then", "*.txt": "it", "[a].txt": "sat on", "🎉.txt": "🎉🎉🎉"}
    for name, text in names.items():
        (folder / "data" / name).write_text(text, encoding="utf-8")
    core = {
        "one": {"path": "../one.txt", "tokens": 2},
        "odd": {"path": "data/*.txt", "tokens": 11},
        "absolute": {"path": str(Path(folder).resolve() / "data" / "code" / "*.txt"), "tokens": 31},
    }
    write_config(folder, USER_CONFIG | {"corpora": {"mytext": {"window": 2, "core": core}}})
    for file in outside.iterdir():
        file.chmod(0o444)
    outside.chmod(0o555)
    try:
        run = snakemake(folder, "results/mine/dead.pdf", "results/mine/summary.json")
    finally:
        outside.chmod(0o755)
    assert run.status == 0, run.said
    table = polars.read_parquet(folder / "results/mine/dead.parquet")
    assert table["tokens"].unique().to_list() == [44] and table["layer"].unique().to_list() == [0]
    assert snakemake(folder, "results/mine/dead.pdf", "-n").nothing_to_do
