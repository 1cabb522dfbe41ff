"""Positional neurons of made-up counts, domain by domain, against the definitions read naively."""

import itertools
import math
from dataclasses import asdict, replace

import numpy
import polars
import pyarrow
import pytest

from neuroncensus.errors import CensusError
from neuroncensus.findings import positional as finding
from neuroncensus.findings.positional import classify_positional, domain_correlation, summarize_positional
from neuroncensus.findings.positioncounts import reduce_positions
from neuroncensus.findings.shapes import TYPES, ShapeSettings
from neuroncensus.jsonfiles import write_json
from neuroncensus.models.description import Description
from neuroncensus.tablefiles import packed, read_metadata, read_table, unpacked, write_table
from neuroncensus.tables import POSITION_COUNTERS, POSITIONAL, PROFILES
from plans_made import small

PAPERS = ShapeSettings(half_width=1 / 512, interval=1 / 128, weak=0.10, strong=0.01, explained=0.90)
MODEL = Description("opt-nano", small(), ("float16",), ())
SHARED = {"model": "opt-nano", "model_digest": MODEL.digest, "corpus": "demo", "window": 300}
SHARED |= {"dtype": "float32", "device": "cpu", "threads": 2}
COLLECTED = SHARED | {"batch_tokens": 100, "stages": 2, "skip_silent": True, "kind": "counters of positions"}
NEURONS, T = 5, 300


def write_counts(path, active, layers, metadata):
    """A layer a row group is what the collection writes; here one will do."""
    keys = [pyarrow.array(numpy.repeat(layers, NEURONS)), pyarrow.array(numpy.tile(numpy.arange(NEURONS), len(layers)))]
    flat = packed(active.reshape(-1, active.shape[-1]))
    write_table(pyarrow.table([*keys, flat], schema=POSITION_COUNTERS.schema), path, metadata)


def made(folder, domains, layers=(0, 1), stages=1):
    """Files of domains, stages outside; `domains`: name to (rates by neuron and position, windows)."""
    random, counts = numpy.random.default_rng(1), {}
    for name, (rates, windows) in domains.items():
        counts[name] = random.binomial(windows, numpy.broadcast_to(rates, (len(layers), *rates.shape))), windows
    paths, cuts = [], [len(layers) * stage // stages for stage in range(stages + 1)]
    for start, end in itertools.pairwise(cuts):
        for name, (active, windows) in counts.items():
            paths.append(folder / f"{name}-{start}.parquet")
            told = SHARED | {"window": active.shape[2], "domain": name, "windows": windows, "version": "1"}
            told |= {"first_layer": start, "end_layer": end}
            write_counts(paths[-1], active[start:end], list(layers[start:end]), told)
    return paths, counts


def curves(window=T):
    x = numpy.arange(window) / window
    return numpy.stack([0.5 + 0.5 * numpy.sin(6 * numpy.pi * x), x > 0.5, numpy.clip(0.8 - 2 * x, 0, 1), 0.2 + 0.6 * x, 0 * x + 0.3])


def classified(folder, paths, threshold=0.05):
    source = folder / "source.json"
    write_json({"model_digest": MODEL.digest, "source": "here", "revision": None}, source)
    classify_positional(paths, source, threshold, vars(PAPERS), folder / "positional.parquet", folder / "profiles.parquet")
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
    paths, counts = made(tmp_path, {"code": (curves(), 200), "prose": (curves()[:, ::-1], 300)}, stages=2)
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
    assert (told["source"], told["revision"], told["version"]) == ("here", None, "1")


def test_a_domain_of_few_windows_has_no_curve_of_its_own(tmp_path):
    paths, counts = made(tmp_path, {"code": (curves(), 29), "prose": (curves(), 30)})
    table, profiles = classified(tmp_path, paths)
    assert set(profiles["domain"]) == {"all", "prose"} and set(profiles["windows"]) == {59, 30}
    assert table["domain_correlation"].null_count() == len(table)
    layer, neuron, _, _, shares = profiles.row(0)
    assert shares == ((counts["code"][0] + counts["prose"][0])[layer, neuron] / 59).tolist()


def test_files_of_other_text_or_in_another_order_are_refused(tmp_path):
    paths, _ = made(tmp_path, {"code": (curves(), 40), "prose": (curves(), 50)}, stages=2)
    for order in ([1, 0, 2, 3], [0, 1, 3, 2], [0, 1, 0, 1], [2, 3, 0, 1], [0, 1, 2]):
        with pytest.raises(CensusError, match=r"not of one census|differ"):
            classified(tmp_path, [paths[place] for place in order])
    assert not (tmp_path / "positional.parquet").exists()


def naive_types(shares, windows, e, changes_to_oscillate):
    """Type of a curve, from METHOD's words."""
    text, half, least = shares[1:], len(shares) // 512, max(4, len(shares) // 128)
    smoothed = [sum(text[max(0, p - half) : p + half + 1]) / len(text[max(0, p - half) : p + half + 1]) for p in range(len(text))]
    kinds = [-1 if s <= e else 1 if s >= 1 - e else 0 for s in smoothed]
    runs = [(kind, len(list(run))) for kind, run in itertools.groupby(kinds)]
    extreme = [kind for kind, long in runs if kind and long >= least]
    changes = sum(a != b for a, b in itertools.pairwise(extreme))
    if changes >= changes_to_oscillate:
        return "oscillatory"
    return "both" if changes else "one" if extreme else "other"


def test_summary_counts_types_and_other_choices(tmp_path):
    x = numpy.arange(T) / T
    two, faint = numpy.select([x < 0.3, x < 0.6], [1, 0], 1.0), numpy.where(x < 0.5, 0.15, 0.5)
    rates = numpy.stack([curves()[0], two, 0.93 * (x > 0.5) + 0.03, faint, 0.2 + 0.6 * x])
    paths, _ = made(tmp_path, {"prose": (rates, 4000)})
    table, profiles = classified(tmp_path, paths)
    found = summarize_positional(table, profiles, read_metadata(tmp_path / "positional.parquet"))
    assert (found["windows"], found["window"], found["compared"], found["unreliable"]) == (4000, T, "mutual_information", False)
    shares = {row["layer"] * NEURONS + row["neuron"]: list(row["fr"]) for row in profiles.filter(domain="all").to_dicts()}
    for layer, told in [(None, found["overall"]), *enumerate(found["layers"])]:
        rows = [row for row in table.to_dicts() if row["positional"] and layer in (None, row["layer"])]
        assert told["neurons"] == (10 if layer is None else 5) and told["positional"] == len(rows) > 0
        for kind in TYPES:
            of_kind = [row for row in rows if row["type"] == kind]
            assert told["types"][kind] == {
                "strong": sum(row["strong"] for row in of_kind),
                "weak": sum(not row["strong"] for row in of_kind),
            }
            median = numpy.median([row["mutual_information"] for row in of_kind]) if of_kind else None
            assert told["median_information"][kind] == (pytest.approx(median) if of_kind else None)
            for name, e, changes in (("weak 0.05", 0.05, 3), ("weak 0.20", 0.2, 3), ("two changes", 0.1, 2)):
                curves_here = [shares[row["layer"] * NEURONS + row["neuron"]] for row in rows]
                expected = sum(naive_types(curve, 4000, e, changes) == kind for curve in curves_here)
                assert told["types_otherwise"][name][kind] == expected, (name, kind)
    others = found["overall"]["types_otherwise"]
    assert others["two changes"]["oscillatory"] == 2 * found["overall"]["types"]["oscillatory"]["strong"] == 4
    assert others["weak 0.05"] != others["weak 0.20"]
    for layer in found["layers"]:
        assert layer["oscillation"]["neurons"] == [0] and layer["oscillation"]["median_shift_correlation"] is None
        assert layer["oscillation"]["redundant"] == []
        inside = [p for p in range(1, T) if shares[layer["layer"] * NEURONS][p] >= 0.5]
        assert [p for start, end in layer["oscillation"]["ranges"][0] for p in range(start, end + 1)] == inside
        assert layer["oscillation"]["covered"] == len(inside) / (T - 1)


def test_summary_of_no_positional_neuron(tmp_path):
    paths, _ = made(tmp_path, {"prose": (0 * curves() + 0.5, 100)})
    table, profiles = classified(tmp_path, paths)
    found = summarize_positional(table, profiles, read_metadata(tmp_path / "positional.parquet"))
    assert found["overall"]["positional"] == 0 and found["unreliable"] is False
    assert set(found["overall"]["types_otherwise"]["two changes"].values()) == {0}
    assert [layer["oscillation"] for layer in found["layers"]] == [None, None]


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


@pytest.fixture
def described(tmp_path):
    """`model.json` of the model whose shards these are."""
    path = tmp_path / "model.json"
    write_json(asdict(MODEL), path)
    return path


def write_shards(folder, full_windows=(3, 0), **other):
    """Shards of two layers; returns the files, and their sum."""
    random, total, files = numpy.random.default_rng(2), numpy.zeros((2, NEURONS, T), dtype=int), []
    for shard, windows in enumerate(full_windows):
        active = random.integers(0, windows + 1, (2, NEURONS, T))
        total += active
        files.append(folder / f"{shard}.parquet")
        told = COLLECTED | {"first_layer": 4, "end_layer": 6, "domain": "prose", "shard": shard, "full_windows": windows}
        write_counts(files[-1], active, [4, 5], told | (other if shard else {}))
    return files, total


def test_shards_are_added_up(tmp_path, described):
    files, total = write_shards(tmp_path, (3, 0, 5))
    reduce_positions(files, described, tmp_path / "prose.parquet")
    table = read_table(tmp_path / "prose.parquet")
    told = read_metadata(tmp_path / "prose.parquet")
    assert (told["windows"], told["first_layer"], told["end_layer"]) == (8, 4, 6)
    assert unpacked(table["windows_active"], T).reshape(total.shape).tolist() == total.tolist()
    assert table["layer"].to_pylist() == [4] * NEURONS + [5] * NEURONS


def test_what_cannot_be_added_up_is_told(tmp_path, described):
    files, _ = write_shards(tmp_path, (0, 0))
    with pytest.raises(CensusError, match="no full window in domain prose: none of its windows has 300 positions"):
        reduce_positions(files, described, tmp_path / "out.parquet")
    for key, value in {"domain": "code", "dtype": "float16", "model": "other", "first_layer": 3}.items():
        files, _ = write_shards(tmp_path, **{key: value})
        with pytest.raises(CensusError, match=f"differ in {key}"):
            reduce_positions(files, described, tmp_path / "out.parquet")
    files, _ = write_shards(tmp_path)
    write_json(asdict(replace(MODEL, architecture=small(ffn_dim=32))), described)
    with pytest.raises(CensusError, match="is of other weights than"):
        reduce_positions(files, described, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
