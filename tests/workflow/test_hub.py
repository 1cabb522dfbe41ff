"""Runs of the workflow from a Hub on this machine: what is fetched, how often, and what a kill leaves to fetch."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import polars
import pytest
from huggingface_hub import hf_hub_download

from hub_made import Hub, Request
from hub_paper_made import CONFIG, MODELS, PAPER, SIZES, needed, put_data, put_models, user_config
from workflow_runs import change_config, command, contents, environment, plan, records, snakemake, write_config

TARGETS = ("dead.pdf", "detectors.parquet")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty Hub, which the processes of the workflow ask."""
    with Hub() as made:
        for name, value in made.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield made


def make_user(folder: Path, config: dict) -> Path:
    folder.mkdir()
    write_config(folder, config)
    return folder


def targets(*sizes: str) -> list[str]:
    return [f"results/opt-{size}/{name}" for size in sizes for name in TARGETS]


def run_sizes(hub: Hub, tmp_path: Path, sizes: tuple[str, ...], domains: tuple[str, ...]) -> Path:
    put_models(hub, tmp_path / "made", sizes)
    put_data(hub, tmp_path / "data")
    folder = make_user(tmp_path / "user", user_config(sizes, domains=domains))
    run = snakemake(folder, *targets(*sizes))
    assert run.status == 0, run.said
    # Nothing twice, nothing unneeded: neither weights of other formats nor text of other files.
    assert hub.fetched() == dict.fromkeys(needed(sizes, domains), 1)
    assert set(hub.listed().values()) <= {1, 2} and hub.listed()["facebook/opt-125m"] == 1 + ("125m" in sizes)
    # Of each file its head and its content.
    assert len(hub.requests) == sum(hub.listed().values()) + 2 * sum(hub.fetched().values())
    for size in sizes:
        results, entry = folder / "results" / f"opt-{size}", MODELS["models"][f"opt-{size}"]
        assert len(polars.read_parquet(results / "detectors.parquet").columns) > 5 and (results / "dead.pdf").stat().st_size
        source = json.loads((results / "source.json").read_text())
        assert (source["source"], source["revision"]) == (entry["source"], entry["revision"])
    return folder


@pytest.mark.slow
def test_a_size_from_download_to_findings(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpAndSecret")
    folder = run_sizes(hub, tmp_path, ("350m",), ("reddit",))
    assert hub.tokens == {"Bearer hf_MadeUpAndSecret"}
    assert not [file for file in folder.rglob("*") if file.is_file() and b"hf_MadeUpAndSecret" in file.read_bytes()]
    place, before = str(tmp_path), len(hub.requests)
    assert not [name for name, record in records(folder).items() if place in json.dumps(record)]
    assert not [name for name, body in contents(folder).items() if place.encode() in body]
    assert snakemake(folder, *targets("350m"), "-n").nothing_to_do and len(hub.requests) == before
    # Another file wanted of the repository is fetched, and nothing else.
    change_config(folder, ["flax_model.msgpack"], "models", "opt-350m", "files")
    assert plan(folder, "resources/models/opt-350m/flax_model.msgpack").rules == {"download_file": 1}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_eight_layouts_from_download_to_findings(hub, tmp_path):
    run_sizes(hub, tmp_path, SIZES, ("codeparrot",))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_corpora_of_the_paper_are_tokenized_as_the_configuration_names_them(hub, tmp_path):
    put_models(hub, tmp_path / "made", ())
    put_data(hub, tmp_path / "data")
    small = {part: {domain: {"tokens": 60} for domain in PAPER[part]} for part in ("core", "extra")}
    folder = make_user(tmp_path / "user", {"corpora": {"paper": {"window": 16, **small}}, "collect": {"shard_tokens": 100}})
    wanted = {f"resources/corpora/paper/tokenizers/opt/window-16/{part}/{domain}/0.parquet" for part in small for domain in small[part]}
    run = snakemake(folder, *sorted(wanted))
    assert run.status == 0, run.said
    assert hub.fetched() == dict.fromkeys(needed((), (*small["core"], *small["extra"])), 1)


@pytest.mark.slow
def test_a_file_that_was_being_fetched_when_all_was_killed_is_the_only_one_fetched_again(hub, tmp_path):
    put_models(hub, tmp_path / "made", ("13b",))
    config = user_config(("13b",))
    folder = make_user(tmp_path / "user", config)
    wanted = {f"facebook/opt-13b/{name}" for name in MODELS["models"]["opt-13b"]["files"]}
    stalled: list[str] = []

    def stall(request: Request, name: str, body: bytes) -> bool:
        # In which order files are fetched is not said: the last one, whichever it is.
        if request.command != "GET" or not wanted - {f"facebook/opt-13b/{name}"} <= set(hub.fetched()):
            return False
        stalled.append(name)
        request.cut(body, 10)
        time.sleep(60)
        return True

    hub.fault = stall
    process = subprocess.Popen(
        command(folder, "results/opt-13b/model.json", cores=1), cwd=folder, env=environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not stalled and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (last,) = stalled
    assert set(hub.fetched()) == wanted and not (folder / "resources/models/opt-13b" / last).exists()
    hub.fault = lambda *_request: False
    hub.requests.clear()
    assert snakemake(folder, "--unlock").status == 0
    run = snakemake(folder, "results/opt-13b/model.json")
    assert run.status == 0, run.said
    assert hub.fetched() == {f"facebook/opt-13b/{last}": 1} and not hub.listed()
    assert not [path for path in (folder / "resources").rglob("*") if path.name.endswith((".partial", ".download"))]


@pytest.mark.slow
def test_offline_all_comes_from_the_cache_and_takes_no_second_place(hub, tmp_path, monkeypatch):
    put_models(hub, tmp_path / "made", ("350m",))
    entry, home = MODELS["models"]["opt-350m"], tmp_path / "home" / "hub"
    for source in (entry, CONFIG["tokenizers"]["opt"]):
        for name in source["files"]:
            hf_hub_download(source["source"], name, revision=source["revision"], cache_dir=home, endpoint=hub.endpoint)
    folder, before = make_user(tmp_path / "user", user_config(("350m",))), len(hub.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    run = snakemake(folder, "results/opt-350m/source.json", "resources/tokenizers/opt/vocab.json")
    assert run.status == 0, run.said
    assert len(hub.requests) == before
    weights = folder / "resources" / "models" / "opt-350m" / "pytorch_model.bin"
    assert weights.stat().st_nlink == 2 and not weights.is_symlink()
    run = snakemake(folder, "resources/models/opt-13b/hub.json")
    assert "the list of files of facebook/opt-13b is not in the Hub's cache, or not whole, and HF_HUB_OFFLINE is set" in run.last_lines


@pytest.mark.slow
def test_a_model_of_which_nothing_is_known_is_fetched_in_one_job(hub, tmp_path):
    put_models(hub, tmp_path / "made", ("13b",))
    revision = MODELS["models"]["opt-13b"]["revision"]
    config = user_config(("13b",))
    config["models"] = {"mine": {"source": "facebook/opt-13b", "revision": "main", "corpus": "small"}}
    config["run"] = {"models": ["mine"]}
    folder = make_user(tmp_path / "user", config)
    assert plan(folder, "results/mine/source.json").rules == {"download_repository": 1, "describe_model": 1, "record_source": 1}
    run = snakemake(folder, "results/mine/plan.md")
    assert "shape of model mine is not known before its config.json is here: set models.mine.architecture, or make" in run.last_lines
    run = snakemake(folder, "results/mine/source.json")
    assert run.status == 0, run.said
    assert json.loads((folder / "results/mine/source.json").read_text())["revision"] == revision
    tokenizer = {"vocab.json", "merges.txt", "tokenizer_config.json"}
    assert hub.fetched() == dict.fromkeys((f"facebook/opt-13b/{name}" for name in {*MODELS["models"]["opt-13b"]["files"], *tokenizer}), 1)
    change_config(folder, 1e9, "plan", "flops")
    assert snakemake(folder, "results/mine/plan.md").status == 0


def test_a_download_that_fails_says_why_and_the_rest_goes_on(hub, tmp_path):
    put_models(hub, tmp_path / "made", ("350m",))
    folder = make_user(tmp_path / "user", user_config(("350m",)))
    hub.gated.add(("models", "facebook/opt-350m"))
    run = snakemake(folder, "results/opt-350m/model.json")
    assert run.status != 0 and "error: models.opt-350m.source is facebook/opt-350m, which is gated: ask for access" in run.last_lines, (
        run.said
    )
    assert "Traceback" not in run.said
    log = folder / "resources/logs/models/opt-350m/config.json.log"
    assert log.read_text().splitlines()[-1].startswith("error: models.opt-350m.source is facebook/opt-350m, which is gated")


def test_the_defaults_plan_66b_with_no_network_and_quickly(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = make_user(tmp_path / "user", {"plan": {"flops": 7.9e14}})
    start = time.monotonic()
    rules = plan(folder, "results/opt-66b/dead.pdf").rules
    assert time.monotonic() - start < 10 and not (folder / "resources").exists()
    files = {name for part in ("core", "extra") for text in PAPER[part].values() for name in text["files"]}
    fetched = len(files) + len(MODELS["models"]["opt-66b"]["files"]) + len(CONFIG["tokenizers"]["opt"]["files"])
    assert rules["download_file"] == fetched and rules["list_files"] == 5
    assert rules["collect_stage"] == rules["collect_last_stage"] == rules["tokenize_shard"]
    run = snakemake(folder, "results/opt-66b/plan.md")
    assert run.status == 0, run.said
    page = (folder / "results/opt-66b/plan.md").read_text(encoding="utf-8")
    assert "64 layers" in page and "| checkpoint to download or to make | 132.3 GB | once |" in page
    assert f"list_files 5, download_file {fetched}, " in page


def test_configuration_of_the_sizes_is_that_of_the_paper():
    """Widths and layers once more, as published, and what follows from them."""
    published = {"125m": (768, 12), "350m": (1024, 24), "1.3b": (2048, 24), "2.7b": (2560, 32), "6.7b": (4096, 32), "13b": (5120, 40)}
    published |= {"30b": (7168, 48), "66b": (9216, 64)}
    for size, (width, layers) in published.items():
        entry = MODELS["models"][f"opt-{size}"]
        shape = entry["architecture"]
        assert (shape["hidden_size"], shape["num_hidden_layers"], shape["ffn_dim"]) == (width, layers, 4 * width)
        # 12 d^2 in each layer and the embedding, 2 bytes each; lm_head once more at most.
        weights = 2 * (12 * width * width * layers + 50272 * width)
        assert weights * 0.99 < entry["bytes"] < weights * 1.01 + 2 * 50272 * width or size == "350m"
        assert len(entry["revision"]) == 40 and entry["tokenizer"] == "opt"
    assert CONFIG["groups"]["paper"] == [f"opt-{size}" for size in SIZES] and CONFIG["corpus"] == "paper"
    budgets = {part: sum(text["tokens"] for text in PAPER[part].values()) for part in ("core", "extra")}
    assert budgets["core"] > 5_000_000 and sum(budgets.values()) > 20_000_000
    assert set(PAPER["core"]) == {"wikipedia", "dm_mathematics", "hackernews", "reddit", "codeparrot"}
    extra = {"wikipedia", "dm_mathematics", "codeparrot", "europarl", "freelaw", "pubmed_abstracts", "stackexchange"}
    assert set(PAPER["extra"]) == extra and PAPER["positions"] == ["wikipedia", "dm_mathematics", "codeparrot"]
