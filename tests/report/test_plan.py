"""plan.md: the page itself, from a configuration, in words and tables."""

import itertools
import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml

from neuroncensus.census import Census
from neuroncensus.collect.devices import resolve_compute
from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import Architecture
from neuroncensus.report.calibration import calibration_shape, measure_rate
from neuroncensus.report.costs import price
from neuroncensus.report.plan import plan_census, write_plan
from plans_made import BIG, OPT_66B, RATE, SETTINGS, TEXT, small
from workflow_runs import PROJECT, change_config, make_folder, snakemake


@pytest.fixture
def folder(tmp_path):
    """A user's folder with a model that has no weights yet."""
    make_folder(tmp_path)
    (tmp_path / "checkpoint" / "model.safetensors").unlink()
    change_config(tmp_path, 1e9, "plan", "flops")
    return tmp_path


def page_of(folder: Path, model: str) -> str:
    done = snakemake(folder, f"results/{model}/plan.md")
    assert done.status == 0, done.said
    return (folder / "results" / model / "plan.md").read_text(encoding="utf-8")


def page_with(tmp_path: Path, **changed) -> str:
    write_plan(price(BIG, TEXT, 2048, replace(SETTINGS, **changed), RATE), tmp_path / "plan.md")
    return (tmp_path / "plan.md").read_text(encoding="utf-8")


def test_a_plan_needs_no_weights_and_reads_no_text(folder):
    page = page_of(folder, "mine")
    assert "1.0 GFLOP/s on cpu, float32, 1 thread, given by `plan.flops`" in page
    assert not (folder / "resources").exists() and str(folder) not in page


@pytest.mark.slow
def test_a_model_that_is_yet_to_be_trained_is_priced_with_its_training(folder):
    change_config(folder, {"train": "nano", "corpus": "mytext"}, "models", "later")
    change_config(folder, 200, "collect", "shard_tokens")
    assert "The model is trained first: " in page_of(folder, "later")


def test_the_page_says_what_the_null_and_later_stages_cost(tmp_path):
    page = page_with(tmp_path)
    assert "The rotation null (`coverage.rotation_null`, which is on) doubles it" in page
    assert "temporary, as `collect.keep_hidden` is false: a target of a later stage that is asked for when they are gone runs" in page
    other = page_with(tmp_path, rotation_null=False, keep_hidden=True)
    assert "`coverage.rotation_null`, which is off" in other and "Hidden states between stages are kept" in other
    assert "Hidden states between stages" not in page_with(tmp_path, stages=1)


def test_66b_is_priced_from_its_config_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("big").mkdir()
    Path("big/config.json").write_text(json.dumps(OPT_66B), encoding="utf-8")
    files = [yaml.safe_load((PROJECT / "config" / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("config", "models", "corpora")]
    config = {key: value for file in files for key, value in file.items()}
    config["models"]["big"] = {"source": "big", "corpus": "demo"}
    census = Census(config, PROJECT)
    asked = census.plan_inputs("big")
    assert Architecture(**asked["architecture"]) == BIG and asked["settings"]["stored"] == "float16"
    assert sum(domain["shards"] for domain in asked["domains"]) * len(census.stages) == len(
        [file for stage in census.stages for file in census.counter_files("big", stage)]
    )
    plan_census(**asked, flops=7.9e14, out=Path("plan.md"))
    page = Path("plan.md").read_text(encoding="utf-8")
    assert "64 layers" in page and "790.0 TFLOP/s" in page and "stored as float16" in page and str(tmp_path) not in page


def test_a_rate_is_measured_where_none_is_given(tmp_path):
    terms = {key: value for key, value in asdict(SETTINGS).items() if key not in ("device", "dtype")}
    domains = [asdict(domain) for domain in TEXT]
    compute = {"device": "cpu", "dtype": "float32", "threads": 1}
    plan_census(asdict(small()), domains, 24, terms | {"batch_tokens": 64}, compute, None, tmp_path / "plan.md")
    page = (tmp_path / "plan.md").read_text(encoding="utf-8")
    assert (
        "on cpu, float32, 1 thread, measured for this page, counting included, in a block of made-up weights of the model's shape" in page
    )


def test_a_shape_is_halved_until_it_is_quickly_made():
    shape = calibration_shape(BIG, 4, 128_000_000)
    assert (shape.d, shape.ffn, shape.heads, shape.n_layers) == (1152, 4608, 9, 1)
    assert replace(calibration_shape(BIG, 2, 4_000_000_000), n_layers=64) == BIG
    assert measure_rate(small(), resolve_compute("cpu", "bfloat16", 1), 24, 100, skip=True) > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_that_is_elsewhere_needs_a_given_rate(tmp_path):
    terms = {key: value for key, value in asdict(SETTINGS).items() if key not in ("device", "dtype")}
    arguments = asdict(BIG), [asdict(domain) for domain in TEXT], 2048, terms, {"device": "cuda", "dtype": "auto", "threads": 1}
    with pytest.raises(CensusError, match=r"^device is cuda but torch finds no CUDA device to measure: set plan\.flops"):
        plan_census(*arguments, None, tmp_path / "plan.md")
    plan_census(*arguments, 7.9e14, tmp_path / "plan.md")
    page = (tmp_path / "plan.md").read_text(encoding="utf-8")
    assert "on cuda, float16, given" in page and "Memory of a collect job, device" in page and "The device has" not in page


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        (24e9, "The device has 24.0 GB: enough."),
        (
            8e9,
            "too small for collect.batch_tokens 16384: a job needs 9.8 GB but .* has 8.0 GB, 1.8 GB too little: set it to 8192",
        ),
        (5e9, "Device memory too small for one block and one window: .* need 5.9 GB but the device has 5.0 GB: 9.+ MB are missing"),
    ],
)
def test_a_device_that_is_too_small_is_told_with_figures(tmp_path, memory, words):
    found = price(BIG, TEXT, 2048, replace(SETTINGS, device="cuda"), replace(RATE, memory=int(memory)))
    write_plan(found, tmp_path / "plan.md")
    assert re.search(words, (tmp_path / "plan.md").read_text(encoding="utf-8"))


def test_the_page_begins_with_the_totals(tmp_path):
    write_plan(price(BIG, TEXT, 2048, SETTINGS, RATE), tmp_path / "plan.md")
    lines = (tmp_path / "plan.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# Plan: opt"
    assert lines[2].startswith(
        "A census of opt on corpus paper: 20,000,000 positions in 21 shards go through 64 layers, which is with all "
        "that reads the weights 2.92e18 FLOP in 124 jobs: about **61.6 minutes** on one device. A collect job needs "
    )
    assert {"## What neurons write, beside the collection", "## Memory of project_updates, host"} <= set(lines)
    tables = [line for line in lines if line.startswith("|")]
    assert all(line.count("|") == following.count("|") for line, following in itertools.pairwise(lines) if line[:1] == following[:1] == "|")
    assert len(tables) > 30
