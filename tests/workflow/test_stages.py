"""Stages, and what lies between two of them."""

import json
from pathlib import Path

import polars
import pytest

from workflow_runs import change_config, copy_folder, make_folder, plan, records, snakemake

COUNTERS = "results/mine/collect/core/letters/0/stage-2.parquet"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder in which nothing has run."""
    return make_folder(tmp_path_factory.mktemp("fresh") / "mine", layers=3)


def hidden(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("stage-*.safetensors"))


@pytest.mark.parametrize(("stages", "first", "last"), [(1, None, 5), (2, 5, 5), (3, 10, 5), (7, 30, 5)])
def test_as_many_jobs_as_stages_and_shards(fresh, tmp_path, stages, first, last):
    folder = copy_folder(fresh, tmp_path / "copy")
    change_config(folder, stages, "collect", "stages")
    rules = plan(folder).rules
    assert (rules.get("collect_stage"), rules["collect_last_stage"]) == (first, last)


def test_a_finding_of_one_model_needs_nothing_else(fresh):
    rules = plan(fresh, "results/mine/frequency.parquet").rules
    text, model = {"tokenize_shard", "order_ngrams"}, {"describe_model", "record_source"}
    assert set(rules) == text | model | {"collect_stage", "collect_last_stage", "reduce_stage", "reduce_frequency"}


def test_a_later_stage_asked_after_hidden_states_are_gone_runs_the_earlier_one_again(folder):
    (folder / COUNTERS).unlink()
    assert plan(folder, COUNTERS).rules == {"collect_stage": 1, "collect_last_stage": 1}


@pytest.mark.slow
@pytest.mark.parametrize("stages", [1, 3])
def test_stages_do_not_change_a_finding(fresh, finished, tmp_path, stages):
    folder = copy_folder(fresh, tmp_path / "copy")
    change_config(folder, stages, "collect", "stages")
    run = snakemake(folder, "results/mine/dead.parquet")
    assert run.status == 0, run.said
    tables = [polars.read_parquet(place / "results/mine/dead.parquet") for place in (folder, finished)]
    assert tables[0].equals(tables[1])
    assert hidden(folder) == []


@pytest.mark.slow
def test_kept_hidden_states_stay_and_spare_the_earlier_stage(fresh, tmp_path):
    folder = copy_folder(fresh, tmp_path / "copy")
    change_config(folder, True, "collect", "keep_hidden")
    assert snakemake(folder, COUNTERS).status == 0
    assert hidden(folder) == ["results/mine/hidden/core/letters/0/stage-1.safetensors"]
    before = (folder / COUNTERS).read_bytes()
    (folder / COUNTERS).unlink()
    run = snakemake(folder, COUNTERS)
    assert run.rules == {"collect_last_stage": 1}
    assert (folder / COUNTERS).read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("scratch", ["scratch", "absolute"])
def test_scratch_holds_hidden_states_and_is_left_empty(fresh, tmp_path, scratch):
    folder = copy_folder(fresh, tmp_path / "copy")
    place = tmp_path / "else where" if scratch == "absolute" else folder / scratch
    change_config(folder, str(place) if scratch == "absolute" else scratch, "collect", "scratch")
    change_config(folder, True, "collect", "keep_hidden")
    assert snakemake(folder, COUNTERS).status == 0
    assert [file.name for file in place.rglob("*") if file.is_file()] == ["stage-1.safetensors"]
    assert str(tmp_path) not in json.dumps(records(folder))
    change_config(folder, False, "collect", "keep_hidden")
    (folder / COUNTERS).unlink()
    run = snakemake(folder, COUNTERS)
    assert run.status == 0, run.said
    assert not [file for file in place.rglob("*") if file.is_file()]
