"""The price of a census: against torch's own count of FLOP, the jobs of the workflow, and the sizes of the published models."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from snakemake.utils import update_config
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from neuroncensus.census import FINDINGS, POSITIONAL_FINDINGS, Census
from neuroncensus.models.architecture import Architecture
from neuroncensus.models.opt import Block
from neuroncensus.report.costs import layer_flops, price
from neuroncensus.report.terms import Domain, Rate, Settings
from neuroncensus.report.updatecosts import ablation_flops, projection_flops
from plans_made import BIG, RATE, SETTINGS, TEXT, parts, small
from workflow_runs import PROJECT, change_config, make_folder, plan


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
    everything = next(finding for finding in found.findings if finding.name == "frequency")
    assert found.positions == 20_000_000 and found.shards == 21
    assert everything.flops == pytest.approx(2.6e18, rel=0.03)
    assert everything.seconds == pytest.approx(3360, rel=0.01)
    assert found.block == pytest.approx(2.0387e9, rel=1e-4) and found.checkpoint == pytest.approx(2 * 65_719_701_504, rel=1e-4)
    assert parts(found.host)["residual stream"] == 18_432_000_000
    assert parts(found.host)["blocks, this and the next"] == 2 * found.block
    assert [len(stage.layers) for stage in found.stages] == [32, 32]
    assert sum(stage.weights_read for stage in found.stages) == pytest.approx(21 * 131.4e9, rel=0.01)


def test_findings_of_ngrams_cost_the_layers_and_the_part_that_they_are_about():
    found = {finding.name: finding for finding in price(BIG, TEXT, 2048, SETTINGS, RATE).findings}
    everything, coverage, detectors = (found[name] for name in ("frequency", "n-grams that cover", "detectors"))
    assert coverage.stages == detectors.stages == (1,) and everything.stages == (1, 2)
    assert coverage.parts == ("core", "extra") and detectors.parts == ("core",)
    assert coverage.flops == everything.flops / 2 and detectors.flops == coverage.flops * 15 / 20
    assert detectors.seconds == detectors.flops / RATE.flops
    assert detectors.weights_read == coverage.weights_read * 15 // 21
    whole = {finding.name: finding for finding in price(BIG, TEXT, 2048, replace(SETTINGS, layers="all"), RATE).findings}
    assert whole["n-grams that cover"].flops == everything.flops and whole["detectors"].stages == (1, 2)


@pytest.mark.parametrize(("changed", "times"), [({}, 2), ({"do_layer_norm_before": False, "word_embed_proj_dim": 16}, 1)])
def test_updates_and_ablations_cost_the_flop_that_torch_counts(changed, times):
    architecture = small(ffn_dim=96, **changed)
    rows, width, window, contexts, matched = 64, architecture.embedding_width, 24, 7, 3
    with FlopCounterMode(display=False) as counter:
        vectors = torch.randn(5 * 96, 32)
        for _ in range(times):
            vectors_here = vectors if width == 32 else vectors @ torch.randn(32, width)
            vectors_here @ torch.randn(width, rows)
    assert projection_flops(architecture) == counter.get_total_flops()
    layer = layer_flops(architecture, window)
    with FlopCounterMode(display=False) as counter:
        keys_values = torch.randn(contexts * window // 2, 32)
        for _ in range(5 * 2):
            keys_values @ torch.randn(32, 32)
        torch.randn(contexts * (2 + matched), width) @ torch.randn(width, rows)
    passes = 5 * layer * (contexts * window // 2 + contexts * (1 + matched))
    assert ablation_flops(architecture, window, contexts, matched, layer) == passes + counter.get_total_flops()


def test_what_neurons_write_is_priced_with_the_products_and_the_contexts():
    found = price(BIG, TEXT, 2048, SETTINGS, RATE)
    projected, ablated = found.extras
    assert projected.flops == 2 * 2 * 64 * 36864 * 9216 * 50272 and projected.seconds == projected.flops / RATE.flops
    # 32 layers of 10 detectors in 5 contexts of 1,024 positions: 1.6 million, which go up in two turns.
    positions = 32 * 10 * 5 * 1024
    assert ablated.flops == pytest.approx(positions / 20e6 * 2.66e18, rel=0.2)
    assert ablated.weights_read == pytest.approx(2 * 131.4e9, rel=0.01)
    by_name = {finding.name: finding for finding in found.findings}
    written, detectors = by_name["what neurons write"], by_name["detectors"]
    assert written.flops == pytest.approx(detectors.flops + projected.flops + ablated.flops)
    assert written.seconds == pytest.approx(detectors.seconds + projected.seconds + ablated.seconds)
    assert parts(found.projection)["embedding"] == 4 * 50272 * 9216 and found.projection.total == pytest.approx(3.2e9, rel=0.1)
    on_cuda = price(BIG, TEXT, 2048, replace(SETTINGS, device="cuda"), RATE).extras[0]
    assert on_cuda.seconds == 16 * projected.seconds


def disk(text, settings) -> dict[str, int]:
    return dict(row[:2] for row in price(small(), text, 24, settings, RATE).disk)


def test_hidden_states_are_written_at_every_boundary_and_kept_once():
    domains, size = [Domain("core", "a", 1000, 10), Domain("core", "b", 50, 1)], 1050 * 32 * 2
    one = {stages: price(small(), domains, 24, replace(SETTINGS, stages=stages, shard_tokens=100), RATE) for stages in (1, 2, 3)}
    for stages, found in one.items():
        assert [stage.hidden_written for stage in found.stages] == [size] * (stages - 1) + [0]
        assert [stage.hidden_read for stage in found.stages] == [0] + [size] * (stages - 1)
    assert {stages: disk(domains, replace(SETTINGS, stages=stages, shard_tokens=100))["hidden states"] for stages in one} == {
        1: 0,
        2: size,
        3: size + 100 * 32 * 2,
    }
    assert disk(domains, replace(SETTINGS, stages=3, keep_hidden=True))["hidden states"] == 2 * size


def test_the_null_doubles_the_counters_of_ngrams_of_the_core():
    text = [Domain("core", "a", 1000, 10), Domain("extra", "a", 1000, 10)]
    found = {null: disk(text, replace(SETTINGS, rotation_null=null)) for null in (False, True)}
    # Two of five layers.
    assert found[False]["counters of n-grams"] == 300 * 2 * 96 * 3 * 10
    assert found[True]["counters of n-grams"] == 2 * found[False]["counters of n-grams"]
    assert disk(text, replace(SETTINGS, layers="all"))["counters of n-grams"] == 300 * 5 * 96 * 6 * 10
    assert found[True]["n-grams of core"] == 1000 * (10 + 3 * 14)


TARGETS = {
    "frequency": ["frequency.parquet"],
    "dead neurons": ["dead.pdf"],
    "n-grams that cover": ["coverage.pdf"],
    "detectors": ["detectors.pdf"],
    "positional neurons": ["positional.pdf"],
    "what neurons write": ["updates.pdf"],
    "saturation": ["saturation.pdf"],
    "all of them": [*FINDINGS, *POSITIONAL_FINDINGS],
}


def priced_jobs(folder: Path, model: str) -> dict[str, dict[str, int]]:
    """The jobs of each finding, by rule, as plan.md has them."""
    config: dict = {}
    for file in [PROJECT / "config" / f"{name}.yaml" for name in ("config", "models", "corpora")] + [folder / "my.yaml"]:
        update_config(config, yaml.safe_load(file.read_text(encoding="utf-8")))
    asked = Census(config, PROJECT).plan_inputs(model)
    settings = Settings(**asked["settings"], device="cpu", dtype="float32")
    text = [Domain(**domain) for domain in asked["domains"]]
    found = price(Architecture(**asked["architecture"]), text, asked["window"], settings, Rate(1e9, "cpu"))
    return {finding.name: finding.jobs for finding in found.findings}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder with a model that has no weights yet."""
    make_folder(tmp_path, layers=3)
    (tmp_path / "checkpoint" / "model.safetensors").unlink()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assert_jobs_are_those_of_the_workflow(folder: Path, model: str) -> None:
    priced = priced_jobs(folder, model)
    with ThreadPoolExecutor(2) as two:  # each is a process
        planned = two.map(lambda files: plan(folder, *(f"results/{model}/{file}" for file in files)).rules, TARGETS.values())
        for name, found in zip(TARGETS, planned, strict=True):
            assert priced[name].items() ^ found.items() == set(), name


def test_jobs_of_every_finding_are_those_of_the_workflow(folder):
    change_config(folder, 3, "collect", "stages")
    assert_jobs_are_those_of_the_workflow(folder, "mine")


@pytest.mark.slow
@pytest.mark.parametrize("stages", [1, 2, 5])
@pytest.mark.parametrize("layers", ["first_half", "all"])
def test_jobs_are_those_of_the_workflow_whatever_the_stages(folder, stages, layers):
    change_config(folder, stages, "collect", "stages")
    change_config(folder, layers, "coverage", "layers")
    assert_jobs_are_those_of_the_workflow(folder, "mine")


@pytest.mark.slow
def test_jobs_of_a_model_that_is_yet_to_be_trained_are_those_of_the_workflow(folder):
    change_config(folder, {"train": "nano", "corpus": "mytext"}, "models", "later")
    change_config(folder, 200, "collect", "shard_tokens")
    assert_jobs_are_those_of_the_workflow(folder, "later")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["opt-66b", "whole", "mine"])
def test_jobs_of_a_model_from_the_hub_are_those_of_the_workflow(folder, model):
    change_config(folder, {"hub": "org/data", "files": ["a.jsonl", "b.jsonl"], "tokens": 90}, "corpora", "mytext", "extra", "more")
    shape = {"num_hidden_layers": 3, "hidden_size": 16, "ffn_dim": 24, "num_attention_heads": 4, "vocab_size": 320}
    change_config(
        folder,
        {"source": "org/whole", "corpus": "mytext", "architecture": shape | {"max_position_embeddings": 16}, "tokenizer": "opt"},
        *("models", "whole"),
    )
    if model == "opt-66b":
        change_config(folder, 1_000_000, "collect", "shard_tokens")
    assert_jobs_are_those_of_the_workflow(folder, model)
