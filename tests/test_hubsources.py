"""What a configuration wants from the Hub, without a Hub and without a run."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from neuroncensus.census import Census
from neuroncensus.errors import CensusError

PROJECT = Path(__file__).parents[1]
FILES = [yaml.safe_load((PROJECT / "config" / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("config", "models", "corpora")]
DATA = {"hub": "org/data", "files": ["a.jsonl", "b/c.parquet"], "tokens": 100}
TOKENIZER = ("vocab.json", "merges.txt")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def census(model: dict | None = None, text: dict | None = None, tokenizer: dict | None = None, window: int | None = 8) -> Census:
    config = copy.deepcopy(FILES[0] | FILES[1] | FILES[2])
    config["models"]["mine"] = {"source": "org/mine", "corpus": "text"} | (model or {})
    config["corpora"]["text"] = {"core": {"prose": {key: value for key, value in (DATA | (text or {})).items() if value is not ...}}}
    if window:
        config["corpora"]["text"]["window"] = window
    if tokenizer:
        config["tokenizers"]["shared"] = tokenizer
    return Census(config, PROJECT)


def test_the_eight_sizes_are_on_the_hub_and_share_a_tokenizer():
    asked = census()
    for name, entry in FILES[1]["models"].items():
        if str(entry.get("source")).startswith("facebook/"):
            assert asked.model_origin(name) == "hub" and asked.model_positions(name) == 2048 == asked.window(name)
            assert asked.model_folder(name) == f"resources/models/{name}" and asked.tokenizer(name) == "tokenizers/opt"
            assert asked.described_files(name) == [f"resources/models/{name}/{file}" for file in entry["files"]]
            assert asked.shared_listing(f"models/{name}") == ["resources/tokenizers/opt/hub.json"]
    assert sum(asked.model_origin(name) == "hub" for name in FILES[1]["models"]) == 8 and asked.model_origin("opt-nano") == "folder"


def test_a_folder_of_the_name_of_a_hub_id_is_the_folder(here):
    (here / "facebook" / "opt-66b").mkdir(parents=True)
    (here / "facebook" / "opt-66b" / "config.json").write_text(json.dumps({"max_position_embeddings": 64}))
    asked = census()
    assert asked.model_origin("opt-66b") == "folder" and asked.model_folder("opt-66b") == "facebook/opt-66b"
    # What the project says of its own model is no fault of the user's.
    assert asked.described_files("opt-66b") == ["facebook/opt-66b/config.json"]


def test_without_files_a_model_is_one_download_with_its_tokenizer():
    asked = census()
    assert asked.described_files("mine") == asked.model_listing("mine") == ["resources/models/mine"]
    assert asked.tokenizer_files("models/mine") == ["resources/models/mine"]
    assert asked.hub_places(by_file=False) == ["models/mine"] and asked.hub_source("models/mine").tokenizer
    assert not census({"tokenizer": "opt"}).hub_source("models/mine").tokenizer
    text = {"list_files": 1, "download_file": 2}
    found = asked.plan_downloads("mine")
    # No domain is counted by position, so that its text is none.
    assert found.pop("positional text") == found.pop("positional") == {"download_repository": 1}
    assert found == dict.fromkeys(("core text", "core", "all text", "all"), text | {"download_repository": 1})


def test_with_files_each_is_a_target_and_weights_wait_for_the_small_ones():
    files = ["config.json", "pytorch_model.bin.index.json", "1.bin", "2.bin", *TOKENIZER]
    asked = census({"files": files})
    folder = "resources/models/mine"
    assert asked.described_files("mine") == [f"{folder}/{name}" for name in files[:4]]
    assert asked.tokenizer_files("models/mine") == [f"{folder}/{name}" for name in TOKENIZER]
    assert asked.before_file("models/mine", "1.bin") == [f"{folder}/config.json", f"{folder}/pytorch_model.bin.index.json"]
    assert asked.before_file("models/mine", "config.json") == []
    assert asked.plan_downloads("mine")["all"] == {"list_files": 2, "download_file": 8}
    # Tokenizing alone: the text and the tokenizer, which waits for the config too.
    assert asked.plan_downloads("mine")["all text"]["list_files"] == 2


def test_a_shared_tokenizer_of_the_hub_in_one_download():
    asked = census({"tokenizer": "shared"}, tokenizer={"source": "org/other"})
    assert asked.tokenizer_files("tokenizers/shared") == [asked.tokenizer_folder("tokenizers/shared")] == ["resources/tokenizers/shared"]
    source = asked.hub_source("tokenizers/shared")
    assert source.tokenizer and not source.weights and source.revision == "main" and asked.shared_listing("models/mine") == []


def test_text_of_several_domains_is_one_data_set():
    asked = census()
    place = "corpora/hub/monology--pile-uncopyrighted@3be90335b66f24456a5d6659d9c8d208c0357119"
    assert asked.hub_source(place).files == ("val.jsonl.zst", "test.jsonl.zst")
    assert asked.hub_source(place).key == "corpora.paper.core.wikipedia.hub"
    text = asked.text_files(asked.domain("paper", "extra", "freelaw"))
    assert text == [f"resources/{place}/{name}" for name in ("val.jsonl.zst", "test.jsonl.zst", "hub.json")]


def test_keys_written_out_as_their_defaults_are_the_same_text():
    plain = census().domain("text", "core", "prose").source
    assert plain == census(text={"field": "text", "revision": "main"}).domain("text", "core", "prose").source


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ({"files": ...}, r"^corpora\.text\.core\.prose lacks the key files: add the files of org/data"),
        ({"files": ["../a.jsonl"]}, r"^corpora\.text\.core\.prose\.files has '\.\./a\.jsonl', which lies outside the repository's folder"),
        ({"files": ["/a.jsonl"]}, r"files has '/a\.jsonl', which lies outside"),
        ({"files": ["a//b.jsonl"]}, r"files has 'a//b\.jsonl', which lies outside"),
        ({"files": ["{a}.jsonl"]}, r"files has '\{a\}\.jsonl', a name that the workflow cannot give"),
        ({"files": ["hub.json"]}, r"files has 'hub\.json', a name that the workflow cannot give"),
        ({"files": ["a.csv"]}, r"files has a\.csv, whose format is not read: take files that end in \.jsonl, "),
        ({"hub": "data"}, r"^corpora\.text\.core\.prose\.hub is data, which is no id of a data set, of the form org/name"),
        ({"where": {"a": None}}, r"^corpora\.text\.core\.prose\.where\.a is null but must be a text or a number or true or false"),
        ({"path": "x", "hub": ...}, r"^unknown key corpora\.text\.core\.prose\.files: a text source with path does not read it"),
    ],
)
def test_a_data_set_that_cannot_be_is_told(text, sentence):
    with pytest.raises(CensusError, match=sentence):
        census(text=text)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"files": ["a/b.bin"]}, r"^models\.mine\.files has a/b\.bin: the files of a model lie in its repository's top folder"),
        ({"files": ["..\\b.bin"]}, r"^models\.mine\.files has '\.\.\\\\b\.bin', which lies outside"),
        ({"files": ["config.json"]}, r"^models\.mine\.files must have config\.json and the files of the weights"),
        ({"files": ["config.json", "a.bin"]}, r"^models\.mine\.files has no file of a tokenizer: add them, or name a tokenizer"),
        ({"architecture": {"hidden_size": 4}}, r"^models\.mine\.architecture lacks the key ffn_dim: add it"),
    ],
)
def test_a_model_that_cannot_be_is_told(model, sentence):
    with pytest.raises(CensusError, match=sentence):
        asked = census(model)
        asked.described_files("mine")
        asked.tokenizer_files("models/mine")


def test_a_window_that_nobody_knows_is_told_with_the_keys():
    with pytest.raises(CensusError, match=r"corpora\.text\.window is not set .* set corpora\.text\.window, or models\.mine\.window to the"):
        census(window=None).described_files("mine")
    assert census({"window": 32}, window=None).window("mine") == 32
    with pytest.raises(CensusError, match=r"corpora\.text\.window is 64 but model mine has 32 positions: lower the window"):
        census({"window": 32}, window=64).described_files("mine")


@pytest.mark.parametrize("key", ["files", "window", "bytes", "architecture"])
def test_what_only_a_hub_model_reads_is_told_of_a_folder(here, key):
    (here / "ckpt").mkdir()
    (here / "ckpt" / "config.json").write_text(json.dumps({"max_position_embeddings": 64}))
    shape = FILES[1]["models"]["opt-125m"]["architecture"]
    values = {"files": ["a.bin"], "window": 9, "bytes": 5, "architecture": shape}
    with pytest.raises(CensusError, match=rf"models\.mine\.{key} is read of a Hub model only, and source ckpt is a folder: leave the key"):
        census({"source": "ckpt", key: values[key]}).described_files("mine")
