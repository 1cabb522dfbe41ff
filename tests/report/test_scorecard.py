"""The scorecard, on made-up censuses that say what the paper says, and on nudged ones."""

import copy
import inspect
import json
from pathlib import Path

import pytest
import yaml

from neuroncensus.published import read_published
from neuroncensus.report.measures import MEASURES, stages
from neuroncensus.report.scorecard import AGREES, DIFFERS, NOT_COMPARABLE, hold_against, write_scorecard

CONFIG = Path(__file__).parents[2] / "config"
PUBLISHED = read_published(CONFIG / "published.yaml", CONFIG / "schemas" / "published.schema.yaml")
TYPES = ("oscillatory", "both", "one", "other")
LAYERS = 12


def detectors(by_layer: list[int], ngrams: list[int], overall: tuple[int, int]) -> dict:
    layers = [{"detectors": d, "ngrams": g, "new_overall": 0.9 * g} for d, g in zip(by_layer, ngrams, strict=True)]
    return {"overall": {"detectors": overall[0], "ngrams": overall[1]}, "layers": layers}


def positional(types: dict[str, int], oscillating: int) -> dict:
    numbers = {"types": {kind: {"strong": types.get(kind, 0), "weak": 1 if types.get(kind) else 0} for kind in TYPES}}
    oscillation = {"covered": 1.0, "redundant": [], "median_shift_correlation": 0.97} if oscillating else None
    layers = [{"positional": n} for n in (9, 20, 12, 1, 0, 3, 8, 2, 1, 0, 0, 0)]
    layers[1] |= {"types": {"oscillatory": {"strong": oscillating, "weak": 4}}, "oscillation": oscillation}
    information = {"oscillatory": 0.4, "both": 0.5, "one": 0.2, "other": 0.1}
    return {"unreliable": False, "overall": numbers | {"positional": 56, "median_information": information}, "layers": layers}


def census(model: str) -> tuple[dict, dict, dict | None]:
    """Summary, provenance and training run of a census of a model that says what the paper says of it."""
    size = model if model in ("opt-125m", "opt-350m", "opt-66b") else "opt-125m"
    dead = (
        [0.75, 0.8, 0.72, 0.5, 0.3, 0.1, 0, 0.01, 0, 0, 0, 0]
        if size == "opt-66b"
        else [0] * LAYERS
        if size == "opt-350m"
        else [0.3] * 6 + [0] * 6
    )
    frequency = [0.02, 0.01, 0.03, 0.04, 0.05, 0.06, 0.1, 0.09, 0.12, 0.13, 0.14, 0.15]
    layers = [
        {"neurons": 1000, "dead": int(1000 * share), "dead_share": share, "mean_frequency": f}
        for share, f in zip(dead, frequency, strict=True)
    ]
    total = sum(layer["dead"] for layer in layers)
    overall = {"dead": total, "dead_share": total / 12000, "mean_frequency": 0.1}
    large = size == "opt-66b"
    oscillates = model in ("opt-125m", "owt-300000")
    tokens = detectors(
        [500, 1500, 1400, 200, 700, 1051] if large else [0, 10, 50, 40, 8, 0], [300, 900, 1500, 400, 700, 800], (5351, 10400)
    )
    summary = {
        "thresholds": {
            "coverage": {"share": 0.95, "layers": "first_half"},
            "detectors": {"covering": {"1": 5, "2": 50, "3": 50}, "rate": 0.95, "share": 0.95},
            "positional": {"mutual_information": 0.05},
        },
        "dead": {"overall": overall, "layers": layers},
        "coverage": {"1": {"overall": {"cumulative_shares": {"5": 0.001 if size == "opt-350m" else 0.3}}}},
        "detectors": {"1": tokens, "3": detectors([1, 2, 3, 3, 2, 1], [30, 40, 50, 60, 70, 80], (12, 300))},
        "positional": positional({"oscillatory": 30 if oscillates else 0, "both": 2, "one": 9, "other": 3}, 10 if oscillates else 0),
        "updates": {
            "variants": {"detectors": 900, "one_word": 0.8},
            "triggers": {"overall": {"trigger_rank": 3.0, "suppresses_trigger": {"mean": 0.83}}},
        },
    }
    entry = PUBLISHED["models"][model]
    run = {"recipe": "paper", **{key: entry[key] for key in ("positions", "step")}} if "step" in entry else None
    told = {"name": model, "source": entry["source"], "revision": None if run else "7259969"}
    domains = [{"part": "core", "domain": name, "tokens": 1_100_000} for name in PUBLISHED["corpus"]["core"]["domains"]]
    domains += [{"part": "extra", "domain": name, "tokens": 3_900_000} for name in PUBLISHED["corpus"]["all"]["domains"][5:]]
    return summary, {"model": told, "corpus": {"name": "paper", "window": 2048, "domains": domains}}, run


def rows(summary: dict, provenance: dict, run: dict | None) -> dict[str, dict]:
    return {row["id"]: row for row in hold_against(summary, provenance, PUBLISHED, run)["claims"]}


def asked_of(model: str) -> set[str]:
    return {name for name, claim in PUBLISHED["claims"].items() if model in claim["models"] and "agrees" in claim}


@pytest.mark.parametrize("model", ["opt-66b", "opt-125m", "opt-350m", "owt-50000", "owt-150000", "owt-300000", "owt-nopos-300000"])
def test_a_census_that_says_what_is_published_agrees_in_every_row_about_its_model(model):
    found = rows(*census(model))
    verdicts = {name: row["verdict"] for name, row in found.items()}
    without = {"dead_and_rare"} if model == "opt-350m" else set()
    assert {name for name, verdict in verdicts.items() if verdict == AGREES} == asked_of(model) - without
    assert DIFFERS not in verdicts.values()
    assert not [row for row in found.values() if (row["why"] == "") != (row["verdict"] == AGREES)]
    other = found["nopos_strong" if model.startswith("opt") else "dead_none_350m"]
    assert other["why"] == f"of {'owt-nopos-300000' if model.startswith('opt') else 'opt-350m'}"


NUDGES = {
    "dead_layers_66b": [("dead.layers.2.dead_share", 0.70)],
    "dead_second_half": [("dead.layers.7.dead", 200)],
    "dead_and_rare": [("dead.layers.0.mean_frequency", 0.2), ("dead.layers.1.mean_frequency", 0.3)],
    "covering_few_66b": [("coverage.1.overall.cumulative_shares.5", 0.09)],
    "detectors_stages": [("detectors.1.layers.3.detectors", 1390), ("detectors.1.layers.4.detectors", 1380)],
    "detectors_first_layer": [("detectors.1.layers.0.detectors", 100)],
    "detectors_66b": [("detectors.1.overall.detectors", 4815)],
    "tokens_of_a_layer_66b": [("detectors.1.layers.2.ngrams", 1801)],
    "tokens_66b": [("detectors.1.overall.ngrams", 9999)],
    "new_tokens": [("detectors.1.layers.4.new_overall", 349)],
    "new_trigrams": [("detectors.3.layers.1.new_overall", 19)],
    "one_word_66b": [("updates.variants.one_word", 0.49)],
    "triggers_rank_66b": [("updates.triggers.overall.trigger_rank", 101.0)],
    "triggers_suppressed": [("updates.triggers.overall.suppresses_trigger.mean", 0.79)],
    "two_rises": [("positional.layers.9.positional", 7)],
    "first_third": [("positional.layers.6.positional", 21)],
    "oscillatory_none": [("positional.overall.types.oscillatory.weak", 1)],
    "other_knows_less": [("positional.overall.median_information.other", 0.21)],
}


def nudge(summary: dict, path: str, value: object) -> None:
    *places, last = path.split(".")
    found = summary
    for key in places:
        found = found[int(key)] if isinstance(found, list) else found[key]
    found[int(last) if isinstance(found, list) else last] = value


@pytest.mark.parametrize("name", sorted(asked_of("opt-66b")))
def test_a_number_nudged_out_of_its_bounds_differs_and_no_other_row_does(name):
    summary, provenance, run = census("opt-66b")
    for path, value in NUDGES[name]:
        nudge(summary, path, value)
    found = rows(summary, provenance, run)
    assert [key for key, row in found.items() if row["verdict"] == DIFFERS] == [name]
    assert " is not " in found[name]["why"]


def test_every_number_that_is_published_is_asked_of_some_model():
    asked = [asked_of(model) for model in PUBLISHED["models"]]
    assert set().union(*asked) == {name for name, claim in PUBLISHED["claims"].items() if "not_comparable" not in claim}


@pytest.mark.parametrize(
    ("change", "apart", "why"),
    [
        (("model", {"source": "models/mine"}), "model opt-66b, of models/mine, is none of the paper's", "other model"),
        (("model", {"revision": None}), "model opt-66b, of facebook/opt-66b, is a folder here, and not the Hub's", "other model"),
        (("corpus", {"name": "demo"}), "corpus demo is not the paper's, which is corpus paper", "other corpus"),
        (("corpus", {"window": 512}), "windows have 512 positions, the paper's 2,048", "other corpus"),
        (("corpus", {"domains": [1, 2, 3, 4, 5, 6, 7, 8]}), "core of the paper and of this census differ in wikipedia", "other corpus"),
        (("corpus", {"tokens": 999_999}), "core of this census has 4,999,995 positions, the paper's over 5,000,000", "other corpus"),
    ],
)
def test_another_model_or_text_is_not_comparable_and_its_numbers_stand_there(change, apart, why):
    summary, provenance, run = census("opt-66b")
    part, values = change
    for key, value in values.items():
        if key == "domains":
            provenance["corpus"][key] = [provenance["corpus"][key][place] for place in value]
        elif key == "tokens":
            for domain in provenance["corpus"]["domains"][:5]:
                domain["tokens"] = value
        else:
            provenance[part][key] = value
    card = hold_against(summary, provenance, PUBLISHED, run)
    assert card["apart"][0] == apart and {row["verdict"] for row in card["claims"]} == {NOT_COMPARABLE}
    found = {row["id"]: row for row in card["claims"]}
    assert found["detectors_66b"]["measured"] == 5351 and found["detectors_66b"]["why"] == why


def test_a_training_run_of_another_step_is_none_of_the_papers():
    summary, provenance, run = census("owt-300000")
    card = hold_against(summary, provenance, PUBLISHED, run | {"step": 200000})
    assert card["paper_model"] is None and card["apart"] == ["model owt-300000, step 200000 of training.paper, is none of the paper's"]


def test_what_was_left_out_or_is_not_there_is_not_comparable_and_says_why():
    summary, provenance, run = census("opt-66b")
    del summary["detectors"]["3"], summary["coverage"]["1"]["overall"]["cumulative_shares"]["5"]
    summary["positional"] = {"left_out": "no full window in domain codeparrot"}
    summary["updates"]["variants"]["one_word"] = None
    summary["detectors"]["1"]["layers"] = [
        layer | {"detectors": 0, "ngrams": 0 if place else 300} for place, layer in enumerate(summary["detectors"]["1"]["layers"])
    ]
    found = rows(summary, provenance, run)
    why = {
        "two_rises": "positional was left out: no full window in domain codeparrot",
        "other_knows_less": "positional was left out: no full window in domain codeparrot",
        "new_trigrams": "coverage.n has no 3",
        "covering_few_66b": "summary.json has no coverage.1.overall.cumulative_shares.5",
        "one_word_66b": "there are no neurons to measure it on",
        "detectors_stages": "there are no detectors",
        "new_tokens": "no layer above the first detects 20 n-grams",
    }
    assert {name: found[name]["why"] for name in why} == why
    assert {(found[name]["verdict"], found[name]["measured"]) for name in why} == {(NOT_COMPARABLE, None)}
    assert found["dead_layers_66b"]["verdict"] == AGREES


def test_few_windows_and_other_thresholds_compare_no_row_that_hangs_on_them():
    summary, provenance, run = census("opt-66b")
    summary["positional"]["unreliable"] = True
    summary["thresholds"]["detectors"] |= {"rate": 0.9, "covering": {"1": 6}}
    found = rows(summary, provenance, run)
    assert found["two_rises"]["why"] == "too few full windows"
    assert found["detectors_66b"]["why"] == "detectors.covering of n = 1 is 6, the paper's 5; detectors.rate is 0.9, the paper's 0.95"
    assert found["covering_few_66b"]["verdict"] == found["dead_second_half"]["verdict"] == AGREES


def test_page_has_a_row_a_claim_and_the_json_is_what_was_found(tmp_path):
    summary, provenance, run = census("opt-66b")
    nudge(summary, "detectors.1.overall.detectors", 1686.5)
    for name, value in (("summary", summary), ("provenance", provenance)):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    written = []
    for copied in ("a", "b"):
        out = tmp_path / copied / "scorecard.md", tmp_path / copied / "scorecard.json"
        write_scorecard(tmp_path / "summary.json", tmp_path / "provenance.json", PUBLISHED, run, *out)
        written.append([file.read_text(encoding="utf-8") for file in out])
    page, told = written[0]
    assert written[0] == written[1] and str(tmp_path) not in page + told
    assert json.loads(told) == hold_against(summary, provenance, PUBLISHED, run)
    table = [line.split(" | ") for line in page.splitlines() if line.startswith("| ") and not line.startswith("| paper |")]
    assert len(table) == len(PUBLISHED["claims"]) and {len(row) for row in table} == {8}
    assert "**17 agree, 1 differ, 19 are not comparable.**" in page
    (row,) = [row for row in table if "5351" in row[2]]
    assert row[:2] == ["| figure 3", "opt-66b"] and row[4:] == ["5,351 ± 535", "1,686", "**differs**", "1,686 is not 5,351 ± 535 |"]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], ""),
        ([0, 0], ""),
        ([5, 5, 5], ""),
        ([0, 10, 4], "rise fall"),
        ([100, 91, 99, 40], "fall"),
        ([100, 90, 100, 0], "fall rise fall"),
        ([1, 2, 3, 100, 95, 97, 93, 80, 84, 78], "rise fall"),
        ([0, 5, 0, 2, 0], "rise fall rise fall"),
    ],
)
def test_stages_are_those_that_an_eye_sees(values, found):
    assert " ".join(stages(values)) == found


def test_functions_and_their_arguments_are_those_of_the_measures():
    schema = yaml.safe_load((CONFIG / "schemas" / "published.schema.yaml").read_text(encoding="utf-8"))
    claims = schema["properties"]["claims"]["additionalProperties"]["properties"]
    assert claims["function"]["enum"] == sorted(MEASURES)
    used = [claim for claim in PUBLISHED["claims"].values() if "function" in claim]
    assert {claim["function"] for claim in used} == set(MEASURES)
    for claim in used:
        inspect.signature(MEASURES[claim["function"]]).bind({}, **claim.get("arguments", {}))


def test_models_corpus_and_domains_are_those_of_the_configuration():
    models, corpora = (yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))[name] for name in ("models", "corpora"))
    for name, entry in PUBLISHED["models"].items():
        train = {"train": entry["source"].removeprefix("training."), "step": entry.get("step")}
        assert models[name].get("source") == entry["source"] or models[name].items() >= train.items()
        assert entry.get("positions", True) == models[name].get("positions", True)
    paper, asked = corpora["paper"], copy.deepcopy(PUBLISHED["corpus"])
    assert list(paper["core"]) == asked["core"]["domains"] and set(paper["core"] | paper["extra"]) == set(asked["all"]["domains"])
    tokens = [sum(text["tokens"] for text in paper[part].values()) for part in ("core", "extra")]
    assert tokens[0] >= asked["core"]["tokens"] and sum(tokens) >= asked["all"]["tokens"]
