"""Positional neurons in whole runs: with full windows, without, and where the corpus names no domain for them."""

import json
from pathlib import Path

import polars
import pytest

from neuroncensus.corpora.fullwindows import read_full_windows
from workflow_runs import WINDOW, change_config, copy_folder, make_folder, plan, snakemake

POSITIONAL = ["positional.parquet", "profiles.parquet", "positional.pdf"]


def summary(folder: Path) -> dict:
    return json.loads((folder / "results/mine/summary.json").read_text(encoding="utf-8"))["positional"]


def test_a_bare_run_has_positional_neurons_where_there_are_full_windows(finished):
    found = read_full_windows(finished / "resources/corpora/mytext/models/mine/window-16/full_windows.json")
    assert list(found) == ["prose"] and found["prose"] > 0
    table = polars.read_parquet(finished / "results/mine/positional.parquet")
    assert len(table) == 3 * 24 and table["windows"].unique().to_list() == [found["prose"]]
    assert polars.read_parquet(finished / "results/mine/neurons.parquet").select(table.columns).equals(table)
    assert summary(finished)["domains"] == found and summary(finished)["overall"]["neurons"] == 72
    assert (finished / "results/mine/positional.pdf").read_bytes().startswith(b"%PDF")
    frequency = polars.read_parquet(finished / "results/mine/frequency.parquet").filter(domain="prose").group_by("layer", "neuron")
    active = frequency.agg(polars.col("activations").sum())
    most = table.join(active, on=["layer", "neuron"]).filter(
        polars.col("fr") * polars.col("windows") * WINDOW > polars.col("activations") + 1e-6
    )
    assert not len(most), "no more activations in full windows than in all"


@pytest.mark.slow
def test_a_domain_without_a_full_window_is_left_out_of_a_bare_run_and_told_where_it_is_asked_for(tmp_path):
    folder = make_folder(tmp_path / "mine", layers=2)
    (folder / "data" / "short").mkdir()
    for number in range(40):
        (folder / "data" / "short" / f"{number:02}.txt").write_text("the cat", encoding="utf-8")
    change_config(folder, {"path": "data/short/*.txt", "tokens": 30}, "corpora", "mytext", "core", "short")
    change_config(folder, ["short", "prose"], "corpora", "mytext", "positions")
    run = snakemake(folder)
    assert run.status == 0, run.said
    assert not [name for name in POSITIONAL if (folder / "results/mine" / name).exists()]
    assert summary(folder) == {"left_out": "no full window in domain short"}
    neurons = polars.read_parquet(folder / "results/mine/neurons.parquet")
    assert len(neurons) == 2 * 24 and neurons["positional"].null_count() == neurons["type"].null_count() == len(neurons)
    assert snakemake(folder, "-n").nothing_to_do
    for name in POSITIONAL:
        run = snakemake(folder, f"results/mine/{name}")
        assert run.status != 0 and "no full window in domain short: none of its windows has 16 positions" in run.last_lines, run.said
        assert not (folder / "results/mine" / name).exists()


def test_a_corpus_without_positions_is_told_before_any_job_and_left_out_of_a_bare_run(folder):
    change_config(folder, None, "corpora", "mytext", "positions")
    config = (folder / "my.yaml").read_text(encoding="utf-8")
    (folder / "my.yaml").write_text(config.replace("    positions: null\n", ""), encoding="utf-8")
    run = snakemake(folder, "results/mine/positional.pdf", "-n")
    assert run.status != 0 and "corpora.mytext has no positions, so mine has no positional neurons to be found" in run.last_lines, run.said
    rules = plan(folder).rules
    assert not [rule for rule in rules if "positional" in rule or rule in ("reduce_positions", "find_full_windows")]
    # The shards of the domain that was named lose their position counters: its positions are part of what they were collected for.
    assert rules["collect_stage"] == 3


@pytest.mark.slow
def test_a_later_stage_is_not_waited_for(finished, tmp_path):
    folder = copy_folder(finished, tmp_path / "copy")
    (folder / "results/mine/positions/prose/stage-1.parquet").unlink()
    assert plan(folder, "results/mine/positions/prose/stage-1.parquet").rules == {"reduce_positions": 1}
