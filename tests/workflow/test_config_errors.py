"""What is told before any job runs."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from neuroncensus.census import Census
from neuroncensus.errors import CensusError
from workflow_runs import PROJECT, change_config, make_folder, snakemake


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder in which nothing has run."""
    return make_folder(tmp_path_factory.mktemp("fresh") / "mine")


@pytest.fixture
def folder(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("path", "value", "target", "sentence"),
    [
        (("collect", "shard_token"), 5, [], "unknown key collect.shard_token: did you mean shard_tokens?"),
        (
            ("corpora", "mytext", "core", "prose", "tokens"),
            "many",
            [],
            'corpora.mytext.core.prose.tokens is "many" but must be a whole number',
        ),
        (("corpora", "mytext", "window"), 17, [], "corpora.mytext.window is 17 but model mine has 16 positions: lower the window"),
        (("collect", "threads"), 1, ["results/mien/dead.pdf"], "unknown model mien: did you mean mine?"),
        (("models", "mine", "source"), "no such", [], "models.mine.source is no such, which is neither a folder nor a Hub id"),
        (("groups", "sizes"), ["mine"], ["results/groups/size/positional.pdf"], "unknown group size: did you mean sizes?"),
    ],
)
def test_snakemake_stops_with_the_sentence_and_makes_nothing(folder, path, value, target, sentence):
    change_config(folder, value, *path)
    run = snakemake(folder, *target)
    assert run.status != 0
    assert sentence in run.last_lines, run.said
    assert "Traceback (most recent call last)" not in run.said
    assert not (folder / "results").exists() and not (folder / "resources").exists()


def merged(folder: Path) -> dict:
    """The defaults with `my.yaml` over them, as Snakemake merges them."""

    def over(below: dict, above: dict) -> dict:
        return below | {k: over(below[k], v) if isinstance(v, dict) and isinstance(below.get(k), dict) else v for k, v in above.items()}

    config: dict = {}
    for file in [*(PROJECT / "config" / f"{name}.yaml" for name in ("config", "models", "corpora")), folder / "my.yaml"]:
        config = over(config, yaml.safe_load(file.read_text(encoding="utf-8")))
    return config


def first_job(folder: Path) -> None:
    """What a bare run asks of the configuration before its first job."""
    census = Census(merged(folder), PROJECT)
    for model in census.config["run"]["models"]:
        census.described_files(model)
        for stage in census.stages:
            census.counter_files(model, stage)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("run", "models"), ["yours"], "run.models names the unknown model yours"),
        (("models", "mine", "corpus"), "mytex", r"models.mine.corpus names the unknown corpus mytex: did you mean mytext\?"),
        (("models", "mine", "tokenizer"), "otp", r"models.mine.tokenizer names the unknown tokenizer otp: did you mean opt\?"),
        (
            ("tokenizers", "t"),
            {"source": "nowhere/at/all"},
            "tokenizers.t.source is nowhere/at/all, which is neither a folder nor a Hub id",
        ),
        (("collect", "shard_tokens"), 15, "collect.shard_tokens is 15 but the window of model mine is 16: raise it to at least 16"),
        (
            ("models", "mine", "source"),
            "facebook/opt-125m",
            "corpora.mytext.window is not set and the positions of Hub model mine are not known before it is here: set",
        ),
        (("models", "mine", "source"), "data", "models.mine.source, data, has no config.json: name a folder in Hugging Face layout"),
        (("models", "mine", "source"), "data/prose.jsonl", "data/prose.jsonl, which is neither a folder nor a Hub id"),
    ],
)
def test_names_and_sizes_that_do_not_fit_are_told(folder, monkeypatch, path, value, sentence):
    change_config(folder, value, *path)
    if path[0] == "tokenizers":
        change_config(folder, "t", "models", "mine", "tokenizer")
    monkeypatch.chdir(folder)
    with pytest.raises(CensusError, match=sentence):
        first_job(folder)


def test_a_file_name_that_snakemake_would_take_for_a_pattern_is_told(folder, monkeypatch):
    (folder / "data" / "code" / "{domain}.txt").write_text("the cat")
    monkeypatch.chdir(folder)
    census = Census(merged(folder), PROJECT)
    with pytest.raises(CensusError, match=r"file data/code/\{domain\}.txt has a brace in its name, which no rule can read: rename it"):
        census.text_files(census.domain("mytext", "extra", "code"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "checkpoint/config.json:1 is broken JSON"),
        ('{\n"model_type"', "checkpoint/config.json:2 is broken JSON"),
        ("[]", "checkpoint/config.json holds a JSON list"),
        ("\xff", "checkpoint/config.json is not JSON in UTF-8"),
        ("{}", "checkpoint/config.json has model_type None"),
        (
            {"model_type": "gpt2", "n_positions": 16, "activation_function": "gelu_new"},
            "activation_function 'gelu_new', an activation whose",
        ),
        ({"model_type": "mine", "auto_map": {"AutoModel": "code.Mine"}}, "a checkpoint that needs code of its own is refused"),
        ({"max_position_embeddings": ...}, "checkpoint/config.json has no max_position_embeddings"),
        ({"max_position_embeddings": None}, "has max_position_embeddings None"),
        ({"max_position_embeddings": "16"}, "has max_position_embeddings '16'"),
        ({"max_position_embeddings": True}, "has max_position_embeddings True"),
        ({"max_position_embeddings": 1}, "max_position_embeddings of model mine is 1 but must be a whole number of at least 2"),
    ],
)
def test_a_config_json_that_says_no_positions_is_told(folder, monkeypatch, content, sentence):
    file = folder / "checkpoint" / "config.json"
    if isinstance(content, dict):
        whole = content if "model_type" in content else json.loads(file.read_text()) | content
        content = json.dumps({key: value for key, value in whole.items() if value is not ...})
    file.write_text(content, encoding="latin-1")
    monkeypatch.chdir(folder)
    with pytest.raises(CensusError, match=sentence):
        first_job(folder)


def test_a_folder_without_tokenizer_is_told_by_the_job(folder):
    (folder / "checkpoint" / "tokenizer.json").unlink()
    run = snakemake(folder, "resources/corpora/mytext/models/mine/window-16/core/prose/0.parquet")
    assert "checkpoint has neither tokenizer.json nor vocab.json" in run.last_lines, run.said
