"""What runs again after a change: exactly what depends on it."""

import re
import shutil
from hashlib import sha256
from pathlib import Path

import polars
import pyarrow
import pytest
from pyarrow import parquet

from made_text import make_texts, write_jsonl
from workflow_runs import PROJECT, change_config, contents, copy_folder, plan, snakemake

ORDERED = {"order_ngrams": 3, "index_ngrams": 1}
COVERAGE, DETECTORS = {"classify_coverage": 1, "plot_coverage": 1}, {"classify_detectors": 1, "plot_detectors": 1}
TRIGGERS = {"classify_trigger_updates": 1, "collect_ablation": 1, "plot_updates": 1}
COUNTED = {"reduce_ngrams": 1, "recollect_ngrams": 3, "complete_ngrams": 1} | COVERAGE | DETECTORS | TRIGGERS
SATURATION = {"estimate_saturation": 1, "plot_saturation": 1}
DEAD = {"classify_dead": 1, "plot_dead": 1} | SATURATION
REDUCED = {"reduce_stage": 2, "reduce_frequency": 1, "prove_dead": 1, "join_provenance": 1} | DEAD
UPDATES = {"project_updates": 1, "plot_updates": 1}
SCORED = {"write_scorecard": 1}
BROWSER = {"write_browser": 1}
JOINED = {"join_summary": 1, "join_neurons": 1} | SCORED | BROWSER
BEHIND_COUNTERS = REDUCED | COUNTED | JOINED
POSITIONAL = {"classify_positional": 1, "plot_positional": 1}
COLLECTED = {"collect_stage": 5, "collect_last_stage": 5} | BEHIND_COUNTERS | {"reduce_positions": 2} | POSITIONAL
# Where the text changes, positional neurons are planned once it is known whether there are full windows.
ALL = {"tokenize_shard": 5, "find_full_windows": 1, "collect_stage": 5, "collect_last_stage": 5} | ORDERED | BEHIND_COUNTERS
CORE_COLLECTED = COLLECTED | {"collect_stage": 3, "collect_last_stage": 3}
PLOTS = {f"plot_{name}": 1 for name in ("dead", "coverage", "detectors", "positional", "updates", "saturation")}
TOKENIZED = "resources/corpora/mytext/models/mine/window-16"


def shards(planned: set[str], top: str = "results/mine/collect") -> set[str]:
    """`part/domain/shard` of the jobs that would run."""
    found = {name.removeprefix(f"{top}/").split("/stage-")[0] for name in planned if name.startswith(f"{top}/")}
    return {re.sub(r"(\.order|\.ngrams)?\.parquet$", "", name) for name in found} - {"core/ngrams", "full_windows.json"}


@pytest.mark.parametrize(
    ("path", "value", "rules"),
    [
        (("figures", "columns"), 1, PLOTS),
        (("figures", "dpi"), 100, PLOTS),
        (("coverage", "edges"), [5, 30, 500], COVERAGE | JOINED),
        (("detectors", "rate"), 0.9, DETECTORS | TRIGGERS | JOINED),
        (("detectors", "covering"), [5, 40, 500], DETECTORS | TRIGGERS | JOINED),
        (("updates", "top"), 5, UPDATES | JOINED),
        (("updates", "seed"), 2, {"classify_trigger_updates": 1, "plot_updates": 1} | JOINED),
        (("ablation", "contexts"), 2, {"collect_ablation": 1, "plot_updates": 1} | JOINED),
        (("detectors", "covering"), [5, 50, 501], CORE_COLLECTED),
        (("coverage", "edges"), [5, 1000], CORE_COLLECTED),
        (("coverage", "share"), 0.9, CORE_COLLECTED),
        (("coverage", "rotation_null"), False, CORE_COLLECTED),
        (("coverage", "layers"), "all", CORE_COLLECTED),
        (("positional", "weak"), 0.2, POSITIONAL | JOINED),
        (("positional", "mutual_information"), 0.1, POSITIONAL | JOINED),
        (("positional", "ranges_layer"), 0, {"plot_positional": 1}),
        (("collect", "threads"), 2, COLLECTED | UPDATES),
        (("collect", "batch_tokens"), 64, COLLECTED),
        (("dtype",), "bfloat16", COLLECTED),
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
    change_config(folder, "text", "corpora", "mytext", "core", "prose", "field")
    change_config(folder, None, "models", "mine", "revision")
    assert plan(folder).nothing_to_do


@pytest.mark.parametrize("key", ["source", "checksums"])
def test_what_is_said_of_the_weights_computes_nothing_again(folder, key):
    weights = sha256((folder / "checkpoint" / "model.safetensors").read_bytes()).hexdigest()
    change_config(folder, {"source": "./checkpoint", "checksums": {"model.safetensors": weights}}[key], "models", "mine", key)
    rules = plan(folder).rules
    assert rules["record_source"] == rules["reduce_frequency"] == rules["join_provenance"] == 1
    assert not {"describe_model", "prove_dead"} & set(rules)
    # Detectors are zeroed again, since their table names the source.
    assert not [rule for rule in rules if ("collect" in rule and rule != "collect_ablation") or "tokenize" in rule]


def test_a_revision_of_a_folder_is_none(folder):
    change_config(folder, "abc", "models", "mine", "revision")
    assert plan(folder).nothing_to_do


def test_more_tokens_collect_the_last_shard_and_new_ones_and_the_extra_ones(folder):
    change_config(folder, 130, "corpora", "mytext", "core", "prose", "tokens")
    run = plan(folder)
    assert shards(run.planned) == shards(run.planned, TOKENIZED) == {"core/prose/1", "core/prose/2", "extra/prose/0"}
    text = {"tokenize_shard": 3, "find_full_windows": 1, "order_ngrams": 2, "index_ngrams": 1}
    assert run.rules == text | {"collect_stage": 3, "collect_last_stage": 3} | BEHIND_COUNTERS | {"recollect_ngrams": 4}


def test_more_tokens_of_extra_leave_core_alone(folder):
    change_config(folder, 70, "corpora", "mytext", "extra", "code", "tokens")
    run = plan(folder)
    assert shards(run.planned) == shards(run.planned, TOKENIZED) == {"extra/code/0", "extra/code/1"}


def test_a_new_domain_keeps_every_shard(folder):
    change_config(folder, {"path": "data/code/*.txt", "tokens": 30}, "corpora", "mytext", "core", "a-first.one")
    run = plan(folder)
    assert shards(run.planned) == shards(run.planned, TOKENIZED) == {"core/a-first.one/0"}
    text = {"tokenize_shard": 1, "order_ngrams": 1, "index_ngrams": 1}
    assert run.rules == text | {"collect_stage": 1, "collect_last_stage": 1} | BEHIND_COUNTERS | {"recollect_ngrams": 4}


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
        ("figures/style.py", PLOTS),
        ("findings/dead.py", {"classify_dead": 1, "plot_dead": 1} | JOINED | SATURATION),
        ("findings/saturation.py", SATURATION | {"join_summary": 1} | SCORED),
        ("report/neurons.py", {"join_neurons": 1} | BROWSER),
        ("report/page/style.css", BROWSER),
        ("models/updates.py", UPDATES | JOINED),
        ("models/opt.py", COLLECTED),
        ("collect/contexts.py", {"collect_ablation": 1, "plot_updates": 1} | JOINED),
        ("findings/coverage.py", COVERAGE | JOINED),
        ("findings/shapes.py", POSITIONAL | JOINED),
        ("findings/covering.py", COUNTED | JOINED),
        ("report/provenance.py", {"join_provenance": 1} | SCORED),
        ("report/measures.py", SCORED),
        ("models/bounds.py", {"prove_dead": 1} | JOINED | DEAD | UPDATES),
        ("collect/stream.py", COLLECTED),
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


def test_a_changed_bound_of_a_published_figure_writes_scorecards_again(finished, project):
    file = project / "config" / "published.yaml"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace("tolerance: 535", "tolerance: 536"), encoding="utf-8")
    try:
        assert plan(finished, project=project).rules == SCORED
    finally:
        file.write_text(before, encoding="utf-8")
