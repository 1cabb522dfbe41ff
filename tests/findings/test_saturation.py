"""Rarefaction and Chao2 against exact fractions and against text of known rates; accumulation against sets of documents."""

import itertools
import math
from fractions import Fraction

import numpy
import polars
import pytest
import torch
from safetensors.torch import load_file, save_file

from census_made import Run
from naive import TOLERANCE, forward_values
from neuroncensus.corpora.shards import read_shard
from neuroncensus.errors import CensusError
from neuroncensus.findings.saturation import chao2, estimate_saturation, grid, rarefy, summarize_saturation
from neuroncensus.models.describe import describe_model
from neuroncensus.models.origin import record_source
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from neuroncensus.tables import SATURATION


def closed_form(frequencies: list[int], documents: int, drawn: int) -> Fraction:
    """`S - sum_k Q_k C(m-k, t) / C(m, t)`, exactly."""
    whole = math.comb(documents, drawn)
    return sum(
        (Fraction(count) * (1 - Fraction(math.comb(documents - k, drawn), whole)) for k, count in enumerate(frequencies) if k), Fraction(0)
    )


@pytest.mark.parametrize("documents", [1, 2, 7, 300, 5000])
def test_rarefaction_is_the_closed_form(documents):
    draw = numpy.random.default_rng(documents)
    frequencies = draw.integers(0, 50, documents + 1)
    for drawn in {1, 2, documents // 2, documents - 1, documents} - {0}:
        if drawn <= documents:
            wanted = float(closed_form(frequencies.tolist(), documents, drawn))
            assert rarefy(frequencies, documents, drawn) == pytest.approx(wanted, rel=1e-11)
    assert rarefy(frequencies, documents, documents) == frequencies[1:].sum()


def test_rarefaction_of_many_documents_is_safe():
    """Binomials of half a million digits; the log-gamma form loses a few digits to their size."""
    documents, drawn, k = 10**6, 123_456, 37
    frequencies = numpy.zeros(k + 1, dtype=int)
    frequencies[k] = 1000
    missed = math.prod((Fraction(documents - drawn - i, documents - i) for i in range(k)), start=Fraction(1))
    assert rarefy(frequencies, documents, drawn) == pytest.approx(float(1000 * (1 - missed)), rel=1e-12)
    logs = [math.lgamma(documents - k + 1), math.lgamma(documents - drawn + 1)]
    logs += [-math.lgamma(documents - k - drawn + 1), -math.lgamma(documents + 1)]
    assert rarefy(frequencies, documents, drawn) == pytest.approx(1000 * -math.expm1(sum(logs)), rel=1e-6)


@pytest.mark.parametrize(("once", "twice", "documents", "most"), [(10, 4, 20, 10**6), (100, 0, 7, 10**6), (2, 9, 3, 10**6), (50, 3, 40, 5)])
def test_chao2_is_the_closed_form(once, twice, documents, most):
    found = chao2(numpy.array([17, once, twice, 5]), documents, most)
    factor = Fraction(documents - 1, documents)
    unseen = factor * once * (once - 1) / (2 * (twice + 1))
    variance = factor * Fraction(once * (once - 1), 2 * (twice + 1)) + factor**2 * Fraction(
        once * (2 * once - 1) ** 2, 4 * (twice + 1) ** 2
    )
    variance += factor**2 * Fraction(once**2 * twice * (once - 1) ** 2, 4 * (twice + 1) ** 4)
    spread = math.exp(1.959963984540054 * math.sqrt(math.log(1 + variance / unseen**2)))
    wanted = [float(unseen), float(unseen) / spread, float(unseen) * spread]
    assert list(found) == pytest.approx([min(value, most) for value in wanted])


@pytest.mark.parametrize("once", [0, 1])
def test_chao2_of_nothing_seen_once_has_no_interval(once):
    assert chao2(numpy.array([5, once, 3]), 10, 100) == (0.0, None, None)
    assert chao2(numpy.array([5]), 1, 100) == (0.0, None, None)


def simulated(draw: numpy.random.Generator, rates: numpy.ndarray, documents: int) -> numpy.ndarray:
    """Q_k of neurons of known rates per document."""
    return numpy.bincount(draw.binomial(documents, rates))


def test_rarefaction_and_chao2_hold_on_text_of_known_rates():
    """Rates from 1 in 10,000 documents to all: rarefaction is what fewer documents give, Chao2 a lower bound of what was missed."""
    draw, documents = numpy.random.default_rng(1), 400
    rates = 10 ** draw.uniform(-4, 0, 3000)
    below = inside = 0
    for _ in range(40):
        frequencies = simulated(draw, rates, documents)
        missed = int(frequencies[0])
        least, low, _ = chao2(frequencies, documents, 10**9)
        assert low is not None
        below += least <= 1.25 * missed
        inside += low <= missed
    assert below == inside == 40
    means = {t: numpy.mean([rarefy(simulated(draw, rates, documents), documents, t) for _ in range(30)]) for t in (20, 100, 300)}
    for drawn, mean in means.items():
        assert mean == pytest.approx((1 - (1 - rates) ** drawn).sum(), rel=0.01)
    # All of one rate: there the estimate is of the number itself, and its interval holds it.
    alike, hits, estimates = numpy.full(2000, 0.005), 0, []
    for _ in range(100):
        frequencies = simulated(draw, alike, documents)
        least, low, high = chao2(frequencies, documents, 10**9)
        assert low is not None and high is not None
        estimates.append(least / frequencies[0])
        hits += low <= frequencies[0] <= high
    assert numpy.mean(estimates) == pytest.approx(1, abs=0.05) and hits >= 88


def test_a_neuron_never_seen_is_rarer_than_the_bound():
    for documents in (1, 50, 10_000):
        assert (1 - (1 - 0.05 ** (1 / documents))) ** documents == pytest.approx(0.05)


@pytest.mark.parametrize("documents", [1, 2, 10, 1000, 123_457])
def test_the_grid_rises_from_one_document_to_all(documents):
    points = grid(documents)
    assert points[0] == 1 and points[-1] == documents and points == sorted(set(points)) and len(points) <= 52


def make_rare(run: Run) -> None:
    """Lower the biases, so that neurons are active in many documents, in few, or in none."""
    path = run.model / "model.safetensors"
    tensors = load_file(path)
    for name in [name for name in tensors if name.endswith("fc1.bias")]:
        tensors[name] -= torch.linspace(0, 5, len(tensors[name]))
    save_file(tensors, path, metadata={"format": "pt"})
    describe_model(run.model, model="mine", out=run.description)
    record_source(run.description, run.model, source="model", checksums=None, out=run.source)


def seen_so_far(run: Run, threshold: float) -> list[list[int]]:
    """Neurons of each layer above a threshold at a text position of the shards so far, by transformers' own forward pass."""
    alive, found = 0, []
    for *_, path in run.shards:
        text = read_shard(path)
        windows = [text.tokens[start:end].tolist() for start, end in itertools.pairwise(text.offsets)]
        alive = sum(((value[:, 1:] > threshold).any(axis=1) for value in forward_values(run.model, windows)), start=alive) > 0
        found.append(alive.sum(axis=1).tolist())
    return found


def test_a_census_is_saturated_as_its_documents_say(tmp_path):
    run = Run(tmp_path, layers=3)
    make_rare(run)
    fewest, most_seen = (seen_so_far(run, threshold) for threshold in (TOLERANCE, -TOLERANCE))
    counters = run.counters()
    run.counters = lambda: counters
    _, _, dead_file = run.finish()
    out = tmp_path / "saturation.parquet"
    estimate_saturation(dead_file, run.description, counters, out)
    table, dead = read_table(out), polars.DataFrame(read_table(dead_file))
    assert table.schema.equals(SATURATION.schema) and read_metadata(out)["d"] == 32
    table = polars.DataFrame(table)
    keys = [(layer is None, layer or 0, documents) for layer, documents in table.select("layer", "documents").iter_rows()]
    assert keys == sorted(keys)
    documents = dead["documents"][0]
    texts = [read_shard(path) for *_, path in run.shards]
    for layer in (0, 1, 2, None):
        part = dead if layer is None else dead.filter(layer=layer)
        frequencies = numpy.bincount(part["documents_active"])
        rows = table.filter(polars.col("layer").eq_missing(layer))
        drawn, seen = (rows.filter(kind=kind) for kind in ("rarefaction", "shard"))
        assert drawn["documents"].to_list() == grid(documents)
        for t, tokens, alive in drawn.select("documents", "tokens", "alive").iter_rows():
            assert alive == pytest.approx(float(closed_form(frequencies.tolist(), documents, t))) and tokens == 300 * t // documents
        assert seen.select("part", "domain", "shard").rows() == [shard[:3] for shard in run.shards]
        read: set = set()
        positions = 0
        for row, (_, domain, *_), text in zip(seen.to_dicts(), run.shards, texts, strict=True):
            read |= {(domain, int(document)) for document in text.document}
            positions += int(text.lengths.sum())
            assert (row["documents"], row["tokens"]) == (len(read), positions)
        for count, *ends in zip(seen["alive"], fewest, most_seen, strict=True):
            low, high = (sum(end) if layer is None else end[layer] for end in ends)
            assert low <= count <= high and high - low <= 2
        alive = seen["alive"].to_list()
        assert alive == sorted(alive) and alive[-1] == (part["documents_active"] > 0).sum() and alive[0] < alive[-1]
        most = int((part["dead"] & ~part["provably_dead"]).sum())
        assert {tuple(row) for row in rows.select("chao2", "chao2_lower", "chao2_upper").rows()} == {chao2(frequencies, documents, most)}
        assert rows["rate_bound"].to_list() == pytest.approx([1 - 0.05 ** (1 / t) for t in rows["documents"]])
    summary = summarize_saturation(table, dead)
    overall = summary["overall"]
    assert overall["neurons"] == len(dead) == sum(layer["neurons"] for layer in summary["layers"])
    assert overall["provably_dead"] + overall["dead_on_this_text"] == dead["dead"].sum()
    assert overall["alive"] == len(dead) - dead["dead"].sum() - dead["bos_only"].sum() and overall["bos_only"] == dead["bos_only"].sum()
    assert overall["active_in_one"] == (dead["documents_active"] == 1).sum() and overall["documents"] == documents


def test_a_domain_in_both_parts_shares_no_document(tmp_path):
    """Extra goes on after core's last document, so that none is counted twice; within a part one lies in several shards."""
    run = Run(tmp_path, layers=1)
    seen: dict = {}
    for part, domain, shard, path in run.shards:
        seen.setdefault((part, domain), []).append((shard, set(read_shard(path).document.tolist())))
    core, extra = (set().union(*(documents for _, documents in seen[part, "prose"])) for part in ("core", "extra"))
    assert core and extra and max(core) < min(extra)
    assert any(first & second for (_, first), (_, second) in zip(seen["core", "prose"], seen["core", "prose"][1:], strict=False))


def test_files_that_do_not_fit_are_told(tmp_path):
    run = Run(tmp_path, layers=3)
    counters = run.counters()
    run.counters = lambda: counters
    _, _, dead = run.finish()
    out = tmp_path / "no.parquet"
    with pytest.raises(CensusError, match=r"the shards have \d+ neurons alive in \d+ documents, but .*: delete it"):
        estimate_saturation(dead, run.description, [files[:-1] for files in counters], out)
    with pytest.raises(CensusError, match="are not of one shard"):
        estimate_saturation(dead, run.description, [counters[0], counters[1][::-1]], out)
    write_table(read_table(dead), dead, read_metadata(dead) | {"corpus": "other"})
    with pytest.raises(CensusError, match="differ in corpus"):
        estimate_saturation(dead, run.description, counters, out)
    assert not out.exists()
