"""What runs again after a change: exactly what depends on it."""

import shutil
from pathlib import Path

import polars
import pyarrow
import pytest
from pyarrow import parquet

from made_text import make_texts, write_jsonl
from workflow_runs import PROJECT, change_config, contents, copy_folder, plan, snakemake

BEHIND_COUNTERS = {"reduce_frequency": 1, "prove_dead": 1, "classify_dead": 1, "plot_dead": 1, "join_summary": 1, "join_provenance": 1}
ALL = {"tokenize_shard": 5, "collect_stage": 5, "collect_last_stage": 5} | BEHIND_COUNTERS
TOKENIZED = "resources/corpora/mytext/models/mine/window-16"


def shards(planned: set[str], top: str = "results/mine/collect") -> set[str]:
    """`part/domain/shard` of the jobs that would run."""
    found = {name.removeprefix(f"{top}/").removesuffix(".parquet") for name in planned if name.startswith(f"{top}/")}
    return {name.split("/stage-")[0] for name in found}


@pytest.mark.parametrize(
    ("path", "value", "rules"),
    [
        (("figures", "columns"), 1, {"plot_dead": 1}),
        (("figures", "dpi"), 100, {"plot_dead": 1}),
        (("coverage", "share"), 0.9, {}),
        (("positional", "weak"), 0.2, {}),
        (("collect", "threads"), 2, {k: v for k, v in ALL.items() if k != "tokenize_shard"}),
        (("collect", "batch_tokens"), 64, {k: v for k, v in ALL.items() if k != "tokenize_shard"}),
        (("dtype",), "bfloat16", {k: v for k, v in ALL.items() if k != "tokenize_shard"}),
        (("models", "mine", "revision"), "abc", {"describe_model": 1} | {k: v for k, v in ALL.items() if k != "tokenize_shard"}),
        (("corpora", "mytext", "windows"), "first", ALL),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else None,
)
def test_a_changed_key_runs_what_reads_it(folder, path, value, rules):
    change_config(folder, value, *path)
    assert plan(folder).rules == rules


def test_keys_written_out_as_their_defaults_change_nothing(folder):
    change_config(folder, 16384, "collect", "batch_tokens")
    change_config(folder, "auto", "dtype")
    change_config(folder, "all", "corpora", "mytext", "windows")
    change_config(folder, 200, "figures", "dpi")
    change_config(folder, {"tokens": 50, "field": "body", "path": "data/letters.parquet"}, "corpora", "mytext", "core", "letters")
    assert plan(folder).nothing_to_do


def test_more_tokens_collect_the_last_shard_and_new_ones_and_the_extra_ones(folder):
    change_config(folder, 130, "corpora", "mytext", "core", "prose", "tokens")
    run = plan(folder)
    assert shards(run.planned) == shards(run.planned, TOKENIZED) == {"core/prose/1", "core/prose/2", "extra/prose/0"}
    assert run.rules == {"tokenize_shard": 3, "collect_stage": 3, "collect_last_stage": 3} | BEHIND_COUNTERS


def test_more_tokens_of_extra_leave_core_alone(folder):
    change_config(folder, 70, "corpora", "mytext", "extra", "code", "tokens")
    run = plan(folder)
    assert shards(run.planned) == shards(run.planned, TOKENIZED) == {"extra/code/0", "extra/code/1"}


def test_a_new_domain_keeps_every_shard(folder):
    change_config(folder, {"path": "data/code/*.txt", "tokens": 30}, "corpora", "mytext", "core", "a-first.one")
    run = plan(folder)
    assert shards(run.planned) == shards(run.planned, TOKENIZED) == {"core/a-first.one/0"}
    assert run.rules == {"tokenize_shard": 1, "collect_stage": 1, "collect_last_stage": 1} | BEHIND_COUNTERS


def test_a_changed_source_file_runs_its_domain_only(folder):
    parquet.write_table(pyarrow.table({"body": make_texts(60, seed=9)}), folder / "data" / "letters.parquet")
    run = plan(folder)
    assert shards(run.planned) == shards(run.planned, TOKENIZED) == {"core/letters/0"}


def test_a_new_file_that_matches_runs_its_domain_only(folder):
    (folder / "data" / "code" / "00a.txt").write_text("the cat", encoding="utf-8")
    assert shards(plan(folder).planned) == {"extra/code/0"}


def test_a_touched_file_of_the_same_content_changes_nothing(folder):
    (folder / "data" / "prose.jsonl").touch()
    (folder / "checkpoint" / "tokenizer.json").touch()
    assert plan(folder).nothing_to_do


@pytest.mark.slow
def test_a_grown_corpus_is_the_same_bytes_as_one_made_in_one_go(folder, tmp_path):
    write_jsonl(folder / "data" / "more.jsonl", make_texts(60, seed=4))
    change_config(folder, 130, "corpora", "mytext", "core", "prose", "tokens")
    change_config(folder, {"path": "data/code/*.txt", "tokens": 30}, "corpora", "mytext", "core", "more")
    fresh = copy_folder(folder, tmp_path / "fresh")
    for name in ("results", "resources", ".snakemake"):
        shutil.rmtree(fresh / name)
    for place in (folder, fresh):
        run = snakemake(place)
        assert run.status == 0, run.said
    assert contents(folder) == contents(fresh)
    assert polars.read_parquet(folder / "results/mine/dead.parquet")["tokens"][0] == 130 + 50 + 40 + 60 + 30


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, to change its code."""
    copy = tmp_path_factory.mktemp("project")
    shutil.copy2(PROJECT / "Snakefile", copy)
    for name in ("config", "workflow", "envs", "src"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return copy


def test_the_place_of_the_project_is_in_no_record(finished, project):
    assert plan(finished, project=project).nothing_to_do


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        ("figures/dead.py", {"plot_dead": 1}),
        ("figures/style.py", {"plot_dead": 1}),
        ("findings/dead.py", {"classify_dead": 1, "plot_dead": 1, "join_summary": 1}),
        ("report/provenance.py", {"join_provenance": 1}),
        ("models/bounds.py", {"prove_dead": 1, "classify_dead": 1, "plot_dead": 1, "join_summary": 1}),
        ("collect/stream.py", {k: v for k, v in ALL.items() if k != "tokenize_shard"}),
        ("corpora/windows.py", ALL),
        ("models/train.py", {}),
        ("census.py", {}),
        ("config.py", {}),
        ("errors.py", {}),
    ],
)
def test_a_changed_file_of_the_package_runs_what_depends_on_it(finished, project, module, rules):
    file = project / "src" / "neuroncensus" / module
    before = file.read_bytes()
    file.write_bytes(before + b"\n# changed\n")
    try:
        assert plan(finished, project=project).rules == rules
    finally:
        file.write_bytes(before)
