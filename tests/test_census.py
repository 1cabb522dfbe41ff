"""What the rules ask of the configuration, without a run of Snakemake."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from neuroncensus.census import SCRATCH, Census
from neuroncensus.errors import CensusError

PROJECT = Path(__file__).parents[1]
FILES = [yaml.safe_load((PROJECT / "config" / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("config", "models", "corpora")]
PROSE = {"path": "*.jsonl", "tokens": 100}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A working folder with a checkpoint, as far as the configuration looks at it."""
    folder = tmp_path / "mine"
    (folder / "ckpt").mkdir(parents=True)
    (folder / "ckpt" / "config.json").write_text(json.dumps({"model_type": "opt", "max_position_embeddings": 16}))
    monkeypatch.chdir(folder)
    return folder


def census(*, project: Path = PROJECT, collect: dict | None = None, text: dict | None = None, **model) -> Census:
    config = copy.deepcopy(FILES[0] | FILES[1] | FILES[2])
    config["models"]["mine"] = {"source": "ckpt", "corpus": "text"} | model
    config["corpora"]["text"] = {"core": {"prose": PROSE | (text or {})}}
    config["collect"] |= collect or {}
    return Census(config, project)


@pytest.mark.parametrize(("key", "value"), [("window", 8), ("files", ["a.bin"])])
def test_keys_that_a_folder_does_not_read_are_told(key, value):
    with pytest.raises(CensusError, match=rf"models\.mine\.{key} is read of a Hub model only, and source ckpt is a folder: leave the key"):
        census(**{key: value}).described_files("mine")


def test_what_is_said_of_a_source_changes_no_input():
    plain = census().described_files("mine")
    assert plain == ["ckpt/config.json"]
    for said in ({"revision": "abc"}, {"checksums": {"config.json": "0" * 64}}, {"source": "./ckpt"}):
        assert census(**said).described_files("mine") == plain


def test_the_default_field_written_out_is_the_same_source():
    first, second = (census(text=text).domain("text", "core", "prose").source for text in ({}, {"field": "text"}))
    assert first == second == {"field": "text", "path": "*.jsonl"}
    assert census(text={"field": "body"}).domain("text", "core", "prose").source["field"] == "body"
    assert "field" not in census().domain("demo", "core", "code").source


def test_a_project_reached_by_a_link_is_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(PROJECT)
    monkeypatch.chdir(PROJECT)
    assert census(project=tmp_path / "link", source="models/opt-nano").model_folder("opt-nano") == "models/opt-nano"
    monkeypatch.chdir(tmp_path)
    assert census(project=tmp_path / "link", source="mine").model_folder("opt-nano") == str(tmp_path / "link" / "models" / "opt-nano")


@pytest.mark.parametrize("scratch", ["absolute", "relative"])
def test_working_folders_that_share_a_scratch_do_not_meet_there(tmp_path, monkeypatch, scratch):
    scratch = str(tmp_path / "scratch") if scratch == "absolute" else "../scratch"
    patterns = set()
    for name in ("mine", "yours"):
        (tmp_path / name / "ckpt").mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        for _ in range(2):
            asked = census(collect={"scratch": scratch})
            asked.link_scratch()
        patterns.add(asked.hidden_after)
        Path(SCRATCH, "hidden.bin").write_text(name)
    assert len(patterns) == 1 and str(tmp_path) not in patterns.pop()
    assert sorted(file.read_text() for file in (tmp_path / "scratch").glob("*/hidden.bin")) == ["mine", "yours"]


def test_a_copied_working_folder_gets_a_place_of_its_own(tmp_path, monkeypatch):
    asked = census(collect={"scratch": str(tmp_path / "scratch")})
    asked.link_scratch()
    (tmp_path / "copy" / "resources").mkdir(parents=True)
    (tmp_path / "copy" / SCRATCH).symlink_to(Path(SCRATCH).readlink())
    monkeypatch.chdir(tmp_path / "copy")
    before = Path(SCRATCH).resolve()
    asked.link_scratch()
    assert Path(SCRATCH).resolve() != before and Path(SCRATCH).is_dir()


def test_a_scratch_that_cannot_be_made_is_told(here):
    (here / "file").write_text("")
    with pytest.raises(CensusError, match=r"collect\.scratch file/deep cannot be used \(.*Not a directory"):
        census(collect={"scratch": "file/deep"}).link_scratch()
    (here / SCRATCH).mkdir(parents=True)
    with pytest.raises(CensusError, match=r"collect\.scratch place cannot be used .*resources/hidden.*: correct it, or remove"):
        census(collect={"scratch": "place"}).link_scratch()


def test_without_scratch_hidden_states_lie_with_the_results(here):
    asked = census()
    asked.link_scratch()
    assert asked.hidden_after.startswith("results/{model}/hidden/") and not (here / "resources").exists()


class Wildcards(dict):
    """As Snakemake gives them."""

    __getattr__ = dict.__getitem__


SHARD = Wildcards(corpus="text", tokenizer="models/mine", window="16", part="core", domain="prose", shard="0")


def test_what_decides_a_shard_tells_all_shards_and_texts_apart(here):
    for name in "ab":
        (here / f"{name}.jsonl").write_text(f'{{"text": "{name}"}}\n')
    asked = census()
    files = asked.text_files(asked.domain("text", "core", "prose"))
    first = asked.decides(SHARD, files)
    assert first == json.loads(json.dumps(first)) and str(here) not in json.dumps(first)
    assert first == census().decides(Wildcards(reversed(SHARD.items())), files)
    others = [asked.decides(Wildcards(SHARD | {key: "1"}), files) for key in ("window", "shard")]
    demo = Wildcards(corpus="demo", tokenizer="models/opt-nano", window="512", part="core", domain="code", shard="0")
    others.append(asked.decides(demo, []))
    assert "sympy" in [package for package, _ in others[-1]["packages"]]
    # The contents are the same two, and so would Snakemake's own digest be.
    (here / "a.jsonl").rename(here / "c.jsonl")
    (here / "b.jsonl").rename(here / "a.jsonl")
    (here / "c.jsonl").rename(here / "b.jsonl")
    others.append(asked.decides(SHARD, files))
    assert len({json.dumps(decided) for decided in (first, *others)}) == 5


@pytest.mark.parametrize("what", ["text", "tokenizer", "training"])
def test_what_other_jobs_make_is_not_shared(what):
    text = {"hub": "org/data", "files": ["a.jsonl"], "tokens": 100} if what == "text" else PROSE
    tokenizer = {"text": "models/mine", "tokenizer": "tokenizers/opt", "training": "models/made"}[what]
    config = copy.deepcopy(FILES[0] | FILES[1] | FILES[2])
    config["models"] |= {"mine": {"source": "ckpt", "corpus": "text"}, "made": {"train": "nano"}}
    config["corpora"]["text"] = {"core": {"prose": text}}
    with pytest.raises(CensusError, match=rf"^corpora\.text\.core\.prose as {tokenizer} cuts it cannot be shared by --cache"):
        Census(config, PROJECT).decides(Wildcards(SHARD | {"tokenizer": tokenizer}), [])
