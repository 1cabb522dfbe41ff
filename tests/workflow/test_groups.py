"""Figures of groups in whole runs: which are drawn when, and what the report says of them."""

import json
import zipfile

import pytest

from workflow_runs import change_config, plan, snakemake

FINDINGS = ("dead", "coverage", "detectors", "positional", "updates")


@pytest.mark.slow
def test_a_group_is_drawn_from_its_models(folder):
    change_config(folder, {"pair": ["mine", "yours"]}, "groups")
    change_config(folder, {"source": "checkpoint", "corpus": "mytext"}, "models", "yours")
    rules = plan(folder, "results/groups/pair/positional.png").rules
    assert rules["plot_positional_group"] == 1 and rules["classify_positional"] == 1 and "plot_positional" not in rules
    # Not all of its models are run, so a bare run leaves it alone.
    assert snakemake(folder, "-n").nothing_to_do


def test_a_bare_run_draws_the_groups_of_which_it_has_every_model(folder):
    change_config(folder, {"alone": ["mine"]}, "groups")
    assert plan(folder).rules == {f"plot_{finding}_group": 1 for finding in FINDINGS}


@pytest.mark.slow
def test_a_group_of_one_model_is_drawn_and_stands_in_the_report(folder):
    change_config(folder, {"alone": ["mine"]}, "groups")
    run = snakemake(folder)
    assert run.status == 0, run.said
    assert {f"{name}.pdf" for name in FINDINGS} == {file.name for file in (folder / "results/groups/alone").glob("*.pdf")}
    assert snakemake(folder, "-n").nothing_to_do
    run = snakemake(folder, "--report", "report.zip")
    assert run.status == 0, run.said
    with zipfile.ZipFile(folder / "report.zip") as file:
        (page,) = [name for name in file.namelist() if name.endswith("report.html")]
        text = file.read(page).decode()
    told, _ = json.JSONDecoder().raw_decode(text, text.index("var results = {") + len("var results = "))
    labels = {name: item["labels"] for name, item in told.items()}
    assert all(item["caption"].startswith("<p>") for item in told.values())
    models = {f"results/mine/{name}.pdf": {"model": "mine", "finding": name} for name in (*FINDINGS, "saturation")}
    assert labels == models | {f"results/groups/alone/{name}.pdf": {"group": "alone", "finding": name} for name in FINDINGS}
