"""The price of a census: against torch's own count of FLOP, the DAG, and the sizes of the published models."""

import itertools
import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from neuroncensus.census import Census
from neuroncensus.collect.devices import resolve_compute
from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import Architecture, read_architecture
from neuroncensus.models.opt import Block
from neuroncensus.report.calibration import calibration_shape, measure_rate
from neuroncensus.report.costs import Domain, Rate, Settings, layer_flops, price
from neuroncensus.report.plan import plan_census, shown_bytes, shown_flops, shown_seconds, write_plan
from workflow_runs import PROJECT, change_config, make_folder, plan, snakemake

OPT_66B = {
    "model_type": "opt",
    "hidden_size": 9216,
    "ffn_dim": 36864,
    "num_hidden_layers": 64,
    "num_attention_heads": 72,
    "max_position_embeddings": 2048,
    "vocab_size": 50272,
    "torch_dtype": "float16",
}
BIG = read_architecture(OPT_66B, "66b")
SETTINGS = Settings(
    model="opt",
    corpus="paper",
    device="cpu",
    dtype="float16",
    shard_tokens=1_000_000,
    batch_tokens=16384,
    stages=2,
    skip_silent=True,
    keep_hidden=False,
    stored="float16",
    origin="folder",
)
RATE = Rate(7.9e14, "cuda, float16")
TEXT = [Domain("core", "prose", 15_000_000, 15), Domain("extra", "prose", 4_500_000, 5), Domain("extra", "code", 500_000, 1)]


def small(**changed) -> Architecture:
    config = {
        "model_type": "opt",
        "hidden_size": 32,
        "ffn_dim": 96,
        "num_hidden_layers": 5,
        "num_attention_heads": 4,
        "max_position_embeddings": 24,
        "vocab_size": 64,
    }
    return read_architecture(config | changed, "small")


def parts(memory) -> dict[str, int]:
    return {part.name: part.bytes for part in memory.parts}


@pytest.mark.parametrize("ffn", [96, 128])
@pytest.mark.parametrize("before", [True, False])
def test_the_flop_of_a_block_are_those_that_torch_counts(ffn, before):
    architecture, windows, length = small(ffn_dim=ffn, do_layer_norm_before=before), 3, 24
    d = architecture.d
    shapes = {f"self_attn.{name}_proj": (d, d) for name in "qkv"} | {"self_attn.out_proj": (d, d), "fc1": (ffn, d), "fc2": (d, ffn)}
    weights = {f"{name}.weight": torch.randn(shape) for name, shape in shapes.items()}
    block = Block(architecture, weights)
    # The decomposed kernel, whose products torch counts in full; the fused one leaves out what lies above the diagonal.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        block(torch.randn(windows, length, d), lambda _values: None)
    counted = {str(name): count for name, count in counter.get_flop_counts()["Global"].items()}
    attention = sum(count for name, count in counted.items() if "bmm" in name)
    assert attention == windows * length * 4 * length * d
    assert windows * length * layer_flops(architecture, length) == counter.get_total_flops() - attention / 2


def test_66b_costs_what_is_known_of_it():
    found = price(BIG, TEXT, 2048, SETTINGS, RATE)
    everything = found.findings[-1]
    assert found.positions == 20_000_000 and found.shards == 21
    assert everything.flops == pytest.approx(2.6e18, rel=0.03)
    assert everything.seconds == pytest.approx(3360, rel=0.01)
    assert found.block == pytest.approx(2.0387e9, rel=1e-4) and found.checkpoint == pytest.approx(2 * 65_719_701_504, rel=1e-4)
    assert parts(found.host)["residual stream"] == 18_432_000_000
    assert parts(found.host)["blocks, this and the next"] == 2 * found.block
    assert [len(stage.layers) for stage in found.stages] == [32, 32]
    assert sum(stage.weights_read for stage in found.stages) == pytest.approx(21 * 131.4e9, rel=0.01)


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_memory_is_the_sum_of_its_parts(name):
    size = {"float32": 4, "bfloat16": 2}[name]
    architecture = small()
    d, ffn, rows, shard, layers = 32, 96, 48, 120, 3
    settings = replace(SETTINGS, dtype=name, shard_tokens=shard, batch_tokens=50, skip_silent=False)
    found = price(architecture, [Domain("core", "a", 130, 2)], 24, settings, RATE)
    weights = 4 * d * d + 2 * d * ffn + 9 * d + ffn
    staying = 250_000_000 + shard * d * size + 42 * ffn * layers + 24 * ffn + 4 * ffn * (shard // 24 + 2)
    blocks = 2 * weights * size + d * ffn * (size + 2) + max(7 * d, 3 * d + ffn) * rows * size
    table = 64 * d + 26 * d
    embedding = table * size + 64 * d * (size + 2)
    assert found.host.total == staying + max(blocks, embedding) and found.device is None
    skipping = price(architecture, [Domain("core", "a", 130, 2)], 24, replace(settings, skip_silent=True), RATE)
    network = (3 * d + ffn) * rows * size + int(0.8 * rows * ffn) * size + int(0.8 * d * ffn) * size
    assert skipping.host.total == staying + 2 * weights * size + d * ffn * (size + 2) + max(7 * d * rows * size, network)


def test_on_cuda_the_stream_stays_on_the_host_and_the_blocks_do_not():
    found = price(BIG, TEXT, 2048, replace(SETTINGS, device="cuda"), RATE)
    assert found.device is not None
    assert "residual stream" not in parts(found.device) and "blocks, this and the next" not in parts(found.host)
    assert 18.4e9 < found.host.total < 19e9 and found.device.total < 24e9


def test_hidden_states_are_written_at_every_boundary_and_kept_once():
    domains, size = [Domain("core", "a", 1000, 10), Domain("core", "b", 50, 1)], 1050 * 32 * 2
    one = {stages: price(small(), domains, 24, replace(SETTINGS, stages=stages, shard_tokens=100), RATE) for stages in (1, 2, 3)}
    for stages, found in one.items():
        assert [stage.hidden_written for stage in found.stages] == [size] * (stages - 1) + [0]
        assert [stage.hidden_read for stage in found.stages] == [0] + [size] * (stages - 1)
    disk = {stages: dict(row[:2] for row in found.disk)["hidden states"] for stages, found in one.items()}
    assert disk == {1: 0, 2: size, 3: size + 100 * 32 * 2}
    kept = price(small(), domains, 24, replace(SETTINGS, stages=3, keep_hidden=True), RATE)
    assert dict(row[:2] for row in kept.disk)["hidden states"] == 2 * size


@pytest.fixture
def folder(tmp_path):
    make_folder(tmp_path)
    (tmp_path / "checkpoint" / "model.safetensors").unlink()
    change_config(tmp_path, 1e9, "plan", "flops")
    return tmp_path


def page_of(folder: Path, model: str) -> str:
    done = snakemake(folder, f"results/{model}/plan.md")
    assert done.status == 0, done.said
    return (folder / "results" / model / "plan.md").read_text(encoding="utf-8")


def jobs_told(page: str) -> dict[str, int]:
    (jobs,) = re.findall(r"^Jobs of all of them, by rule: (.*)\.$", page, re.MULTILINE)
    return {name: int(count) for name, count in (entry.split(" ") for entry in jobs.split(", "))}


def bare_run(folder: Path, model: str) -> dict[str, int]:
    return plan(folder, *(f"results/{model}/{name}" for name in ("dead.pdf", "summary.json", "provenance.json"))).rules


def test_jobs_and_shards_are_those_of_the_workflow(folder):
    change_config(folder, 3, "collect", "stages")
    page = page_of(folder, "mine")
    assert jobs_told(page) == bare_run(folder, "mine")
    assert "1.0 GFLOP/s on cpu, float32, 1 thread, given by `plan.flops`" in page
    assert not (folder / "resources").exists() and str(folder) not in page


@pytest.mark.slow
def test_jobs_of_one_stage_and_of_one_finding_are_those_of_the_workflow(folder):
    change_config(folder, 1, "collect", "stages")
    page = page_of(folder, "mine")
    assert jobs_told(page) == bare_run(folder, "mine")
    for name, target in (("frequency", "frequency.parquet"), ("dead neurons", "dead.pdf")):
        (told,) = re.findall(rf"^\| {name} (?:\|[^|]*){{3}}\| (\d+)", page, re.MULTILINE)
        assert int(told) == sum(plan(folder, f"results/mine/{target}").rules.values())


@pytest.mark.slow
def test_a_model_that_is_yet_to_be_trained_is_priced_with_its_training(folder):
    change_config(folder, {"train": "nano", "corpus": "mytext"}, "models", "later")
    change_config(folder, 200, "collect", "shard_tokens")
    page = page_of(folder, "later")
    assert jobs_told(page) == bare_run(folder, "later")
    assert "The model is trained first: " in page


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
    assert sum(domain["shards"] for domain in asked["domains"]) * len(census.stages) == len(census.counter_files("big"))
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
    assert measure_rate(small(), resolve_compute("cpu", "bfloat16", 1), 24, 100) > 0


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
            "too small for collect.batch_tokens 16384: a job needs 10.0 GB but .* has 8.0 GB, 2.0 GB too little: set it to 4096",
        ),
        (5e9, "Device memory too small for one block and one window: .* need 6.. GB but the device has 5.0 GB: 1.. GB are missing"),
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
        "A census of opt on corpus paper: 20,000,000 positions in 21 shards go through 64 layers, which is 2.66e18 FLOP in 70 jobs: "
        "about **56.1 minutes** on one device. A collect job needs "
    )
    tables = [line for line in lines if line.startswith("|")]
    assert all(line.count("|") == following.count("|") for line, following in itertools.pairwise(lines) if line[:1] == following[:1] == "|")
    assert len(tables) > 30


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (shown_bytes(0), "0 B"),
        (shown_bytes(999), "1.0 kB"),
        (shown_bytes(940), "940 B"),
        (shown_bytes(18_432_000_000), "18.4 GB"),
        (shown_seconds(0.1), "under 2 seconds"),
        (shown_seconds(119), "119 seconds"),
        (shown_seconds(3370), "56.2 minutes"),
        (shown_seconds(4 * 3600), "4.0 hours"),
        (shown_seconds(2e9), "23,148.1 days"),
        (shown_flops(2.661e18), "2.66e18"),
        (shown_flops(0), "0"),
    ],
)
def test_numbers_are_shown_in_units_that_people_read(shown, text):
    assert shown == text
