"""Positional neurons of made-up counts, domain by domain, against the definitions read naively."""

import math

import numpy
import polars
import pyarrow
import pytest

from neuroncensus.errors import CensusError
from neuroncensus.findings import positional as finding
from neuroncensus.findings.positional import classify_positional, domain_correlation, reduce_positions
from neuroncensus.findings.shapes import ShapeSettings
from neuroncensus.tablefiles import lists, read_metadata, read_table, write_table
from neuroncensus.tables import POSITION_COUNTERS, POSITIONAL, PROFILES

PAPERS = ShapeSettings(half_width=1 / 512, interval=1 / 128, weak=0.10, strong=0.01, explained=0.90)
SHARED = {"model": "opt-nano", "model_digest": "abc", "corpus": "demo", "window": 300, "dtype": "float32", "device": "cpu", "threads": 2}
COLLECTED = SHARED | {"batch_tokens": 100, "stages": 2, "skip_silent": True, "kind": "counters of positions"}
NEURONS, T = 5, 300


def write_counts(path, active, layers, metadata):
    """A layer a row group is what the collection writes; here one will do."""
    keys = [pyarrow.array(numpy.repeat(layers, NEURONS)), pyarrow.array(numpy.tile(numpy.arange(NEURONS), len(layers)))]
    flat = lists(active.reshape(-1, active.shape[-1]).astype(numpy.int32), POSITION_COUNTERS.schema.field("windows_active"))
    write_table(pyarrow.table([*keys, flat], schema=POSITION_COUNTERS.schema), path, metadata)


def made(folder, domains, layers=(0, 1)):
    """Files of domains; `domains`: name to (rates by neuron and position, windows)."""
    random, paths, counts = numpy.random.default_rng(1), [], {}
    for name, (rates, windows) in domains.items():
        active = random.binomial(windows, numpy.broadcast_to(rates, (len(layers), *rates.shape)))
        counts[name] = active, windows
        paths.append(folder / f"{name}.parquet")
        told = SHARED | {"window": rates.shape[1], "domain": name, "windows": windows, "kind": "counters of positions"}
        write_counts(paths[-1], active, list(layers), told)
    return paths, counts


def curves(window=T):
    x = numpy.arange(window) / window
    return numpy.stack([0.5 + 0.5 * numpy.sin(6 * numpy.pi * x), x > 0.5, numpy.clip(0.8 - 2 * x, 0, 1), 0.2 + 0.6 * x, 0 * x + 0.3])


def classified(folder, paths, threshold=0.05):
    classify_positional(paths, threshold, PAPERS, folder / "positional.parquet", folder / "profiles.parquet")
    tables = [read_table(folder / f"{name}.parquet") for name in ("positional", "profiles")]
    assert [table.schema.equals(kind.schema) for table, kind in zip(tables, (POSITIONAL, PROFILES), strict=True)] == [True, True]
    return [polars.DataFrame(table) for table in tables]


def naive_information(shares):
    mean, total = sum(shares) / len(shares), 0.0
    for share in shares:
        total += share * math.log(share / mean) if share else 0
        total += (1 - share) * math.log((1 - share) / (1 - mean)) if share < 1 else 0
    return total / len(shares)


def test_columns_of_two_domains(tmp_path, monkeypatch):
    monkeypatch.setattr(finding, "CHUNK", 2)
    paths, counts = made(tmp_path, {"code": (curves(), 200), "prose": (curves()[:, ::-1], 300)})
    table, profiles = classified(tmp_path, paths)
    total = counts["code"][0] + counts["prose"][0]
    for row in table.rows(named=True):
        shares = (total[row["layer"], row["neuron"]] / 500).tolist()
        assert row["windows"] == 500 and row["fr"] == pytest.approx(sum(shares) / T)
        assert row["mutual_information"] == pytest.approx(naive_information(shares), abs=1e-12)
        assert row["mutual_information_text"] == pytest.approx(naive_information(shares[1:]), abs=1e-12)
        assert row["positional"] == (row["mutual_information"] > 0.05) and not row["unreliable"]
        assert (row["type"] is None) == (row["strong"] is None) == (not row["positional"])
        smoothed = [counts[name][0][row["layer"], row["neuron"], 1:] for name in ("code", "prose")]
        if row["positional"]:
            assert row["domain_correlation"] == pytest.approx(numpy.corrcoef(smoothed)[0, 1])
        else:
            assert row["domain_correlation"] is None
    positional = table.filter("positional").select("layer", "neuron").rows()
    assert positional and len(positional) < len(table)
    assert profiles.select("layer", "neuron", "domain").rows() == [(*key, name) for key in positional for name in ("all", "code", "prose")]
    for layer, neuron, name, windows, shares in profiles.rows():
        active, asked = counts.get(name, (total, 500))
        assert windows == asked and shares == (active[layer, neuron] / windows).tolist()


def test_planted_types_in_one_domain(tmp_path):
    paths, _ = made(tmp_path, {"prose": (curves(), 2000)}, layers=(3,))
    table, _ = classified(tmp_path, paths)
    assert table["type"].to_list() == ["oscillatory", "both", "one", "other", None]
    assert table["strong"].to_list() == [True, True, True, True, None]
    assert table["domain_correlation"].null_count() == 5
    told = read_metadata(tmp_path / "positional.parquet")
    assert told["domains"] == {"prose": 2000} and told["mutual_information"] == 0.05 and told["half_width"] == 1 / 512


def test_short_windows_go_by_the_text(tmp_path):
    bos = numpy.zeros((NEURONS, 64))
    bos[:, 0] = 1
    paths, _ = made(tmp_path, {"prose": (bos, 50)}, layers=(0,))
    table, profiles = classified(tmp_path, paths)
    assert (table["mutual_information"] > 0.05).all() and not table["positional"].any() and table["unreliable"].all()
    assert len(profiles) == 0


@pytest.mark.parametrize("window", [1, 2, 3])
def test_windows_of_next_to_nothing(tmp_path, window):
    flat = numpy.full((NEURONS, window), 0.5)
    paths, _ = made(tmp_path, {"code": (flat, 40), "prose": (flat, 1)}, layers=(0,))
    table, _ = classified(tmp_path, paths)
    assert table["windows"].to_list() == [41] * NEURONS
    assert table["mutual_information_text"].null_count() == (NEURONS if window == 1 else 0)
    assert not table.select(polars.col(polars.Float64).is_nan().any()).row(0).count(True)


def test_lowest_correlation_and_constant_curves():
    x = numpy.linspace(0, 1, 50)
    found = domain_correlation([numpy.stack([x, x]), numpy.stack([x**2, x]), numpy.stack([1 - x, 0 * x])])
    assert found[0] == pytest.approx(-1) and numpy.isnan(found[1])


def write_shards(folder, full_windows=(3, 0), **other):
    """Two shards in two stages of a layer each; returns the files by stage, and their sum by layer."""
    random, stages, total = numpy.random.default_rng(2), [], numpy.zeros((2, NEURONS, T), dtype=int)
    for stage in (0, 1):
        files = []
        for shard, windows in enumerate(full_windows):
            active = random.integers(0, windows + 1, (1, NEURONS, T))
            total[stage] += active[0]
            files.append(folder / f"{stage}-{shard}.parquet")
            told = COLLECTED | {"domain": "prose", "shard": shard, "full_windows": windows} | (other if shard else {})
            write_counts(files[-1], active, [stage], told)
        stages.append(files)
    return stages, total


def test_shards_are_added_up(tmp_path):
    stages, total = write_shards(tmp_path, (3, 0, 5))
    reduce_positions(stages, tmp_path / "prose.parquet")
    table = read_table(tmp_path / "prose.parquet")
    assert read_metadata(tmp_path / "prose.parquet")["windows"] == 8
    assert numpy.array(table["windows_active"].to_pylist()).reshape(total.shape).tolist() == total.tolist()
    assert table["layer"].to_pylist() == [0] * NEURONS + [1] * NEURONS


def test_what_cannot_be_added_up_is_told(tmp_path):
    stages, _ = write_shards(tmp_path, (0, 0))
    with pytest.raises(CensusError, match="no full window in domain prose: none of its windows has 300 positions"):
        reduce_positions(stages, tmp_path / "out.parquet")
    for key, value in {"domain": "code", "dtype": "float16", "model": "other"}.items():
        stages, _ = write_shards(tmp_path, **{key: value})
        with pytest.raises(CensusError, match=f"differ in {key}"):
            reduce_positions(stages, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
