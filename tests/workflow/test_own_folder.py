"""A user's own folder: six lines of configuration, own checkpoint, own text of three kinds."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import polars
import pyarrow
import pytest
import yaml
from pyarrow import parquet

from workflow_runs import (
    DEAD_PDF,
    FINDINGS,
    SHARD_TOKENS,
    WINDOW,
    contents,
    copy_folder,
    make_folder,
    plan,
    records,
    snakemake,
)

INT, FLOAT, BOOL, TEXT = pyarrow.int64(), pyarrow.float64(), pyarrow.bool_(), pyarrow.string()
# As the contract has them, written out once more: the tables are what users build on.
COLUMNS = {
    "frequency": {
        **{"layer": INT, "neuron": INT, "part": TEXT, "domain": TEXT, "tokens": INT, "activations": INT},
        **{"activations_bos": INT, "documents": INT, "documents_active": INT},
    },
    "dead": {
        **{"layer": INT, "neuron": INT, "tokens": INT, "activations": INT, "activations_bos": INT, "frequency": FLOAT},
        **{"dead": BOOL, "bos_only": BOOL, "bound": FLOAT, "depth": FLOAT, "provably_dead": BOOL},
    },
    "positional": {
        **{"layer": INT, "neuron": INT, "windows": INT, "fr": FLOAT, "mutual_information": FLOAT, "mutual_information_text": FLOAT},
        **{"mutual_information_corrected": FLOAT, "positional": BOOL, "unreliable": BOOL, "type": TEXT, "strong": BOOL, "changes": INT},
        **{"domain_correlation": FLOAT},
    },
    "profiles": {"layer": INT, "neuron": INT, "domain": TEXT, "windows": INT},
}
KEYS = {"frequency": ["layer", "neuron", "part", "domain"], "dead": ["layer", "neuron"], "positional": ["layer", "neuron"]}
KEYS["profiles"] = ["layer", "neuron", "domain"]
SIX_LINES = """\
models: {mine: {source: checkpoint, corpus: mytext}}
corpora:
  mytext:
    core: {prose: {path: data/*.jsonl, tokens: 100}}
    extra: {letters: {path: data/*.parquet, field: body, tokens: 50}, code: {path: data/code/*.txt, tokens: 60}}
collect: {threads: 1, stages: 1}
"""


def settings(file: Path) -> dict:
    return json.loads(parquet.read_metadata(file).metadata[b"neuroncensus"])


@pytest.mark.slow
def test_six_lines_give_the_figure(tmp_path):
    folder = make_folder(tmp_path)
    assert len(SIX_LINES.splitlines()) == 6
    (folder / "my.yaml").write_text(SIX_LINES, encoding="utf-8")
    run = snakemake(folder, DEAD_PDF)
    assert run.status == 0, run.said
    assert (folder / DEAD_PDF).read_bytes().startswith(b"%PDF")
    assert not (folder / "results" / "opt-nano").exists()


def test_every_finding_is_there(finished):
    results = finished / "results" / "mine"
    assert all((results / name).stat().st_size for name in FINDINGS)
    assert (results / "dead.pdf").read_bytes().startswith(b"%PDF")


def test_a_png_on_request_and_nothing_else(folder):
    run = snakemake(folder, "results/mine/dead.png")
    assert run.status == 0, run.said
    assert (folder / "results/mine/dead.png").read_bytes().startswith(b"\x89PNG")
    assert run.rules == {"plot_dead": 1}


@pytest.mark.parametrize("name", COLUMNS)
def test_tables_have_the_columns_types_and_order_promised(finished, name):
    table = parquet.read_table(finished / f"results/mine/{name}.parquet")
    assert dict(zip(table.schema.names, table.schema.types, strict=True)).items() >= COLUMNS[name].items()
    assert table.schema.names[: len(COLUMNS[name])] == list(COLUMNS[name])
    keys = polars.DataFrame(table).select(KEYS[name]).rows()
    assert keys == sorted(set(keys))
    row_group = parquet.read_metadata(finished / f"results/mine/{name}.parquet").row_group(0)
    assert {row_group.column(number).compression for number in range(row_group.num_columns)} == {"ZSTD"}


def test_tables_count_the_text_asked_for(finished):
    frequency = polars.read_parquet(finished / "results/mine/frequency.parquet")
    asked = {("core", "prose"): 100, ("core", "letters"): 50, ("extra", "prose"): 40, ("extra", "code"): 60}
    found = frequency.group_by("part", "domain").agg(polars.col("tokens").unique(), polars.len())
    assert {(part, domain): tokens for part, domain, tokens, _ in found.rows()} == {key: [tokens] for key, tokens in asked.items()}
    dead = polars.read_parquet(finished / "results/mine/dead.parquet")
    assert dead["tokens"].unique().to_list() == [sum(asked.values())]
    assert len(dead) == 3 * 24 == found["len"].unique().item()
    assert dead["activations"].sum() == frequency["activations"].sum() > 0


@pytest.mark.parametrize("name", COLUMNS)
def test_tables_say_what_they_were_made_of(finished, name):
    said = settings(finished / f"results/mine/{name}.parquet")
    expected = {"model": "mine", "source": "checkpoint", "revision": None, "corpus": "mytext", "dtype": "float32", "device": "cpu"}
    assert said.items() >= (expected | {"version": version("neuroncensus"), "window": WINDOW}).items()


def test_json_files_say_what_they_were_made_of(finished):
    results = finished / "results" / "mine"
    names = ("model", "source", "summary", "provenance", "scorecard")
    model, source, summary, provenance, scorecard = (json.loads((results / f"{name}.json").read_text()) for name in names)
    assert (model["model"], source["source"]) == ("mine", "checkpoint") == (provenance["model"]["name"], provenance["model"]["source"])
    assert provenance["model"]["revision"] is None
    assert summary["dead"]["overall"]["tokens"] == 250
    assert {row["verdict"] for row in scorecard["claims"]} == {"not comparable"}
    assert not [row["id"] for row in scorecard["claims"] if "summary.json has no" in row["why"]]
    assert [layer["layer"] for layer in summary["dead"]["layers"]] == [0, 1, 2]
    assert {(row["part"], row["domain"]): row["tokens"] for row in provenance["corpus"]["domains"]} == {
        ("core", "letters"): 50,
        ("core", "prose"): 100,
        ("extra", "code"): 60,
        ("extra", "prose"): 40,
    }
    assert {row["domain"]: row["source"] for row in provenance["corpus"]["domains"]}["letters"] == {
        "path": "data/letters.parquet",
        "field": "body",
    }
    assert provenance["computed"] == {"device": "cpu", "dtype": "float32", "threads": 1}
    weights = {file["name"]: file["sha256"] for file in provenance["model"]["files"]}
    assert weights == {file["name"]: file["sha256"] for file in model["files"]}


def test_nothing_that_varies_from_machine_to_machine_is_in_a_result(finished):
    place, host = str(finished.parent).encode(), platform.node().encode()
    for name, content in contents(finished).items():
        assert place not in content and b"/tmp/" not in content, name
        if name.endswith(".json"):
            assert not host or host not in content, name


def test_a_second_run_has_nothing_to_do(finished):
    assert snakemake(finished, "-n").nothing_to_do


def test_a_copy_elsewhere_has_nothing_to_do(finished, tmp_path):
    assert plan(copy_folder(finished, tmp_path / "else where" / "ünï"), "--quiet", "host").nothing_to_do


def test_no_record_has_the_folder_in_it(finished):
    found = records(finished)
    assert {f"results/mine/{name}" for name in FINDINGS} <= set(found)
    for name, record in found.items():
        assert str(finished.parent) not in json.dumps(record), name


def test_hidden_states_are_gone_and_nothing_is_half_written(finished):
    left = [str(file) for file in finished.rglob("*") if "hidden" in file.parts or file.name.endswith((".safetensors", ".partial"))]
    assert left == [str(finished / "checkpoint" / "model.safetensors")]


def test_shards_are_those_known_before(finished):
    asked = yaml.safe_load((finished / "my.yaml").read_text())["corpora"]["mytext"]
    expected = {
        f"{part}/{domain}/{shard}"
        for part in ("core", "extra")
        for domain, source in asked[part].items()
        for shard in range(-(-source["tokens"] // SHARD_TOKENS))
    }
    folder = finished / "results" / "mine" / "collect"
    assert {str(file.parent.relative_to(folder)) for file in folder.rglob("stage-1.parquet")} == expected
