"""trigger_updates.parquet against its definition, token by token in float64."""

import polars
import pytest

from neuroncensus.errors import CensusError
from neuroncensus.findings.trigger_updates import summarize_trigger_updates
from neuroncensus.models.trigger_updates import classify_trigger_updates
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from neuroncensus.tables import TRIGGER_UPDATES
from updates_made import MODELS, Made, write_detectors

# Rows 7, 31, 50 and 200 are alike; neuron 9 writes nothing; 0 to 3 are special tokens.
FOUND = {
    (0, 2): [5],
    (0, 9): [5, 6],
    (0, 20): [7, 31, 100],
    (0, 21): [31],
    (0, 33): [60, 61, 62, 63, 64],
    (0, 40): [8, 90],
    (1, 3): [0, 1, 2, 3],
    (2, 4): [77],
    (2, 5): [77, 78],
}


def classified(made: Made, found: dict, **changed) -> polars.DataFrame:
    out = made.description.with_name("trigger_updates.parquet")
    rest = {"resamples": 500, "seed": 3, "device": "cpu", "threads": 1, "out": out} | changed
    classify_trigger_updates(*write_detectors(made, found), made.description, made.folder, made.folder, **rest)
    table = read_table(out)
    assert table.schema.equals(TRIGGER_UPDATES.schema)
    return polars.DataFrame(table)


def mean(values: list) -> float:
    return sum(values) / len(values)


def median(values: list) -> float:
    values, half = sorted(values), len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


@pytest.mark.parametrize("shape", MODELS.values(), ids=MODELS)
def test_triggers_are_those_of_the_method(tmp_path, monkeypatch, shape):
    monkeypatch.setattr("neuroncensus.models.trigger_updates.LOGITS", 300 * 4)
    made = Made(tmp_path, **shape)
    rows = classified(made, FOUND).to_dicts()
    assert [(row["layer"], row["neuron"]) for row in rows] == sorted(FOUND)
    for row in rows:
        key = row["layer"], row["neuron"]
        tokens, logits = FOUND[key], made.logits(*key)
        own, every = [float(logits[token]) for token in tokens], [float(logits[token]) for token in made.tokens]
        average = mean(every)
        assert row["detected"] == len(tokens)
        assert row["mean_logit"] == pytest.approx(mean(own), rel=1e-10, abs=1e-12)
        assert row["mean_logit_centred"] == pytest.approx(mean(own) - average, rel=1e-9, abs=1e-12)
        assert row["suppresses_trigger"] == (mean(own) < 0) and row["suppresses_centred"] == (mean(own) - average < 0)
        assert row["all_suppressed"] == all(value < 0 for value in own)
        assert row["trigger_rank"] == median([sum(other < value for other in every) for value in own])
        if made.about.architecture.pre_layer_norm:
            scaled = made.logits(*key, scaled=True)
            assert row["mean_logit_scaled"] == pytest.approx(mean([scaled[token] for token in tokens]), rel=1e-9, abs=1e-12)
        else:
            assert row["mean_logit_scaled"] is None
        others = [FOUND[other] for other in FOUND if other[0] == key[0] and other != key and not set(FOUND[other]) & set(tokens)]
        for name, less in (("null_suppresses", 0.0), ("null_suppresses_centred", average)):
            wanted = mean([mean([logits[token] for token in theirs]) - less < 0 for theirs in others]) if others else None
            assert row[name] == wanted
    assert [row["null_suppresses"] is None for row in rows] == [False] * 6 + [True] * 3


def test_a_model_without_token_detectors_has_an_empty_table(tmp_path):
    made = Made(tmp_path)
    assert len(classified(made, {})) == 0
    told = read_metadata(tmp_path / "trigger_updates.parquet")
    assert told["resamples"] == 500 and told["seed"] == 3 and told["model"] == "mine"
    summary = summarize_trigger_updates(classified(made, {}), told)
    nothing = {"mean": None, "interval": None}
    assert summary["overall"] == {"detectors": 0, "trigger_rank": None} | dict.fromkeys(list(summary["overall"])[2:], nothing)
    assert [layer["layer"] for layer in summary["layers"]] == [0, 1]


def test_summary_counts_shares_and_their_intervals(tmp_path):
    made = Made(tmp_path)
    table = classified(made, FOUND, resamples=4000)
    summary = summarize_trigger_updates(table, read_metadata(tmp_path / "trigger_updates.parquet"))
    assert summary == summarize_trigger_updates(table, read_metadata(tmp_path / "trigger_updates.parquet"))
    flags = table.filter(layer=0)["suppresses_trigger"].to_list()
    told = summary["layers"][0]
    assert told["detectors"] == 6 and told["suppresses_trigger"]["mean"] == mean(flags)
    assert told["null_suppresses"]["mean"] == pytest.approx(mean(table.filter(layer=0)["null_suppresses"].to_list()))
    assert told["trigger_rank"] == median(table.filter(layer=0)["trigger_rank"].to_list())
    # Resampled shares of six flags are binomial: the ends are its quantiles.
    share, total = mean(flags), 0.0
    assert 0 < share < 1
    quantiles = {}
    for hits in range(7):
        ways = [1, 6, 15, 20, 15, 6, 1][hits]
        total += ways * share**hits * (1 - share) ** (6 - hits)
        for level in (0.025, 0.975):
            if total >= level:
                quantiles.setdefault(level, hits / 6)
    assert told["suppresses_trigger"]["interval"] == pytest.approx(list(quantiles.values()))
    assert summary["layers"][1]["suppresses_trigger"]["interval"] is None  # one detector


def test_what_does_not_fit_is_told(tmp_path):
    made = Made(tmp_path)
    with pytest.raises(CensusError, match=r"layer 0 neuron 2 detects token 315, which the tokenizer does not have"):
        classified(made, {(0, 2): [315]})
    detectors, ngrams = write_detectors(made, FOUND)
    rest = {"resamples": 5, "seed": 3, "device": "cpu", "threads": 1, "out": tmp_path / "no.parquet"}

    def classify():
        classify_trigger_updates(detectors, ngrams, made.description, made.folder, made.folder, **rest)

    table, told = read_table(ngrams), read_metadata(ngrams)
    write_table(table.slice(1), ngrams, told)
    with pytest.raises(CensusError, match=r"has 1 tokens that layer 0 neuron 2 detects, but .* 0: delete both"):
        classify()
    write_table(table, ngrams, told | {"corpus": "other"})
    with pytest.raises(CensusError, match="differ in corpus: demo and other"):
        classify()
    write_table(table, ngrams, told)
    write_table(read_table(detectors), detectors, read_metadata(detectors) | {"model_digest": "other"})
    write_table(table, ngrams, told | {"model_digest": "other"})
    with pytest.raises(CensusError, match="is of other weights than"):
        classify()
    assert not (tmp_path / "no.parquet").exists()
