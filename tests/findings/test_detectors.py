"""Detectors and their n-grams against dictionaries of tuples, with ties and rates on the very edge."""

import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy
import polars
import pyarrow
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from made_text import make_tokenizer
from neuroncensus.errors import CensusError
from neuroncensus.findings.detected import wilson_lower
from neuroncensus.findings.detectors import classify_detectors, summarize_detectors
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from neuroncensus.tables import DETECTOR_NGRAMS, DETECTORS
from ngrams_made import World, find_detectors, pair_reader, write_covering, write_index

SIZES = [1, 2, 4]
LIMITS = {1: 2, 2: 3, 4: 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detectors")
    make_tokenizer(folder / "tokenizer")
    return folder


@st.composite
def worlds(draw, layers: int = 3, neurons: int = 2) -> World:
    """Neurons that answer to a few tokens, with slips, so that there are detectors and near ones; some answer to nothing."""
    windows = draw(st.lists(st.lists(st.integers(4, 8), max_size=12), min_size=1, max_size=6))
    bits = {}
    for key in itertools.product(range(layers), range(neurons)):
        answers = draw(st.sets(st.integers(4, 8), max_size=3))
        slip = st.sampled_from([False] * draw(st.integers(1, 9)) + [True])
        bits[key] = [[(token in answers) != draw(slip) for token in window] for window in windows]
    return World(windows, draw(st.lists(st.integers(0, 3), min_size=len(windows), max_size=len(windows)).map(sorted)), bits)


def classified(world: World, folder: Path, limits: dict[int, int], coverage: float, rate: float, share: float, pieces: int = 1):
    """Both tables and their metadata."""
    write_covering(world, SIZES, coverage, 5, folder / "covering.parquet")
    write_index(world, SIZES, folder / "index.parquet")
    inputs = folder / "covering.parquet", pair_reader(world, pieces), folder / "index.parquet", folder / "tokenizer"
    outputs = folder / "detectors.parquet", folder / "ngrams.parquet"
    classify_detectors(*inputs, limits, rate, share, *outputs)
    tables = [read_table(path) for path in outputs]
    assert [table.schema.equals(kind.schema) for table, kind in zip(tables, (DETECTORS, DETECTOR_NGRAMS), strict=True)] == [True, True]
    metadata = [read_metadata(path) for path in outputs]
    assert metadata[0] == metadata[1]
    return *map(polars.DataFrame, tables), metadata[0]


def check(world: World, detectors: polars.DataFrame, ngrams: polars.DataFrame, rules: tuple) -> list[dict]:
    wanted = find_detectors(world, *rules)
    assert detectors.to_dicts() == [{name: detector[name] for name in DETECTORS.names} for detector in wanted]
    rows = [(d["layer"], d["neuron"], d["n"], *ngram) for d in wanted for ngram in d["ngrams"]]
    assert ngrams.select("layer", "neuron", "n", "ngram", "occurrences", "activations", "in_covering").rows() == rows
    return wanted


@settings(max_examples=100)
@given(
    world=worlds(),
    coverage=st.sampled_from([0.95, 0.6]),
    rate=st.sampled_from([0.95, 0.75, 0.5, 1.0, 0.3333333333333333]),
    share=st.sampled_from([0.95, 0.5, 2 / 3]),
    pieces=st.integers(1, 3),
)
def test_detectors_are_those_of_the_method(folder: Path, world: World, coverage: float, rate: float, share: float, pieces: int):
    detectors, ngrams, metadata = classified(world, folder, LIMITS, coverage, rate, share, pieces)
    check(world, detectors, ngrams, (SIZES, LIMITS, coverage, rate, share))
    expected = {"n": SIZES, "detector_covering": [2, 3, 3], "detector_rate": rate, "detector_share": share, "layers_covered": 3}
    counts = [world.occurrences(n) for n in SIZES]
    expected |= {"positions": [count.total() for count in counts], "ngrams": [len(count) for count in counts], "share": coverage}
    assert {key: metadata[key] for key in expected} == expected


@settings(max_examples=30)
@given(world=worlds(layers=5, neurons=3))
@example(World([[4, 5, 4]], [0], {(layer, 0): [[layer == 2] * 3] for layer in range(5)}))
def test_summary_counts_what_is_new(folder: Path, world: World):
    detectors, ngrams, metadata = classified(world, folder, LIMITS, 0.95, 0.5, 0.5)
    found = find_detectors(world, SIZES, LIMITS, 0.95, 0.5, 0.5)
    summary = summarize_detectors(detectors, ngrams, metadata)
    assert list(summary) == ["1", "2", "4"]
    for n in SIZES:
        of_n = [detector for detector in found if detector["n"] == n]
        layers = [{tuple(row[0]) for d in of_n if d["layer"] == layer for row in d["ngrams"]} for layer in range(5)]
        for layer, numbers in enumerate(summary[str(n)]["layers"]):
            below = set().union(*layers[:layer])
            previous = layers[layer - 1] if layer else set()
            assert numbers == {
                "layer": layer,
                "detectors": sum(d["layer"] == layer for d in of_n),
                "strict": sum(d["layer"] == layer and d["strict"] for d in of_n),
                "ngrams": len(layers[layer]),
                "cumulative": len(below | layers[layer]),
                "new_overall": len(layers[layer] - below),
                "new_against_previous": len(layers[layer] - previous),
            }
        medians = {}
        for name in ("held_out_rate", "held_out_share"):
            values = [d[name] for d in of_n if d[name] is not None]
            medians[name] = pytest.approx(numpy.median(values)) if values else None
        strict = sum(d["strict"] for d in of_n)
        assert summary[str(n)]["overall"] == {"detectors": len(of_n), "strict": strict, "ngrams": len(set().union(*layers))} | medians


def counted(hits: dict[int, tuple[int, int]], document: int = 0) -> World:
    """One neuron; for each token (activations, occurrences), all in one document, each position a window of its own."""
    windows, bits = [], []
    for token, (active, times) in hits.items():
        windows += [[token]] * times
        bits += [[place < active] for place in range(times)]
    return World(windows, [document] * len(windows), {(0, 0): bits})


@pytest.mark.parametrize(
    ("hits", "is_detector"), [((19, 20), True), ((18, 19), False), ((38, 40), True), ((37, 39), False), ((1, 1), True)]
)
def test_a_rate_of_exactly_95_percent_is_enough(folder: Path, hits: tuple[int, int], is_detector: bool):
    world = counted({4: hits})
    detectors, ngrams, _ = classified(world, folder, {1: 1}, 0.95, 0.95, 0.95)
    assert len(check(world, detectors, ngrams, ([1], {1: 1}, 0.95, 0.95, 0.95))) == is_detector


@pytest.mark.parametrize(("missed", "is_detector"), [(1, True), (2, False)])
def test_a_share_of_exactly_95_percent_is_enough(folder: Path, missed: int, is_detector: bool):
    # 19 activations on what is detected; 1 or 2 on a token that also comes without.
    world = counted({4: (19, 19), 5: (missed, 9)})
    detectors, ngrams, _ = classified(world, folder, {1: 2}, 0.95, 0.95, 0.95)
    assert len(check(world, detectors, ngrams, ([1], {1: 2}, 0.95, 0.95, 0.95))) == is_detector


def test_ties_of_the_covering_set_go_to_the_lower_ngram(folder: Path):
    world = counted(dict.fromkeys((9, 4, 7, 5, 8), (1, 1)))
    detectors, ngrams, _ = classified(world, folder, {1: 3}, 0.6, 0.95, 0.95)
    check(world, detectors, ngrams, ([1], {1: 3}, 0.6, 0.95, 0.95))
    assert ngrams.filter("in_covering")["ngram"].to_list() == [[4], [5], [7]]
    assert detectors["strict"].to_list() == [True]


def test_strict_asks_for_the_whole_covering_set(folder: Path):
    # Token 5 is needed to cover 95% but is met without the neuron as often.
    world = counted({4: (90, 90), 5: (10, 20)})
    detectors, ngrams, _ = classified(world, folder, {1: 2}, 0.95, 0.95, 0.9)
    check(world, detectors, ngrams, ([1], {1: 2}, 0.95, 0.95, 0.9))
    assert detectors["strict"].to_list() == [False]


@pytest.mark.parametrize(("document", "rate", "share"), [(0, None, None), (1, None, 0.0)])
def test_held_out_where_all_occurrences_are_on_one_side(folder: Path, document: int, rate: float | None, share: float | None):
    world = counted({4: (3, 3)}, document)
    detectors, ngrams, _ = classified(world, folder, {1: 1}, 0.95, 0.95, 0.95)
    check(world, detectors, ngrams, ([1], {1: 1}, 0.95, 0.95, 0.95))
    assert detectors.select("held_out_rate", "held_out_share").rows() == [(rate, share)]


def test_all_detected_ngrams_are_there_not_only_those_that_cover(folder: Path):
    world = counted({4: (95, 95), **dict.fromkeys(range(5, 10), (1, 1))})
    detectors, ngrams, _ = classified(world, folder, {1: 1}, 0.95, 0.95, 0.95)
    assert (detectors["covering"].to_list(), detectors["detected"].to_list()) == ([1], [6])
    assert ngrams["in_covering"].to_list() == [True] + [False] * 5


def test_nobody_is_asked_when_nobody_passes_the_first_condition(folder: Path):
    world = World([[4, 5, 6, 7]], [0], {(0, 0): [[True] * 4], (1, 0): [[False] * 4]})
    write_covering(world, SIZES, 0.95, 5, folder / "covering.parquet")
    write_index(world, SIZES, folder / "index.parquet")
    outputs = folder / "detectors.parquet", folder / "ngrams.parquet"

    def unwanted(_wanted: polars.DataFrame):
        raise AssertionError

    classify_detectors(
        folder / "covering.parquet", unwanted, folder / "index.parquet", folder / "tokenizer", {1: 3, 2: 2}, 0.95, 0.95, *outputs
    )
    detectors, ngrams = (polars.DataFrame(read_table(path)) for path in outputs)
    assert len(detectors) == len(ngrams) == 0
    summary = summarize_detectors(detectors, ngrams, read_metadata(outputs[0]))
    assert [len(summary[n]["layers"]) for n in ("1", "2")] == [2, 2]
    assert summary["1"]["overall"] == {"detectors": 0, "strict": 0, "ngrams": 0, "held_out_rate": None, "held_out_share": None}
    nothing = {"detectors": 0, "strict": 0, "ngrams": 0, "cumulative": 0, "new_overall": 0, "new_against_previous": 0}
    assert summary["2"]["layers"] == [{"layer": layer} | nothing for layer in (0, 1)]


def test_text_shows_what_the_tokens_hold(folder: Path):
    # Ids of the made tokenizer's bytes: 4 is "!", and so on through the byte alphabet.
    world = World([[4, 5, 5000]], [0], {(0, 0): [[True] * 3]})
    _, ngrams, _ = classified(world, folder, {1: 5, 2: 5}, 0.95, 0.95, 0.95)
    assert ngrams["text"].to_list() == ["!", '"', "<token 5000>", '!"', '"<token 5000>']


def test_many_rows_are_written_in_parts(folder: Path, monkeypatch: pytest.MonkeyPatch):
    world = counted(dict.fromkeys(range(4, 9), (1, 1)))
    whole = classified(world, folder, {1: 5}, 0.95, 0.95, 0.95)[1]
    monkeypatch.setattr("neuroncensus.findings.detected.ROWS", 2)
    assert classified(world, folder, {1: 5}, 0.95, 0.95, 0.95)[1].equals(whole)


@given(times=st.integers(1, 10**12), part=st.fractions(0, 1))
def test_wilson_interval(times: int, part: Fraction):
    hits = max(1, math.floor(times * part))
    frame = polars.DataFrame({"hits": [hits], "times": [times]})
    lower = frame.select(wilson_lower(polars.col("hits"), polars.col("times"))).item()
    # Where the rate lies 1.96 standard errors of the bound itself above the bound: found by halving.
    low, high = 0.0, hits / times
    for _ in range(200):
        middle = (low + high) / 2
        inside = hits / times - middle <= 1.959963984540054 * math.sqrt(middle * (1 - middle) / times)
        low, high = (low, middle) if inside else (middle, high)
    assert lower == pytest.approx(low, rel=1e-6, abs=1e-12)


def test_the_same_bytes_whatever_the_pieces(folder: Path):
    world = counted({4: (19, 20), 5: (7, 7)})
    world.active |= {(layer, 1): [here[::-1] for here in world.active[0, 0]] for layer in range(3)}
    contents = []
    for pieces in (1, 3):
        classified(world, folder, LIMITS, 0.95, 0.5, 0.5, pieces)
        contents.append([(folder / name).read_bytes() for name in ("detectors.parquet", "ngrams.parquet")])
    assert contents[0] == contents[1]


def edited(reader, **changes):
    return lambda wanted: (piece.with_columns(**changes) for piece in reader(wanted))


def test_counts_that_do_not_fit_are_told(folder: Path):
    world = counted({4: (6, 6), 5: (5, 9)})
    reader = pair_reader(world)
    write_covering(world, [1], 0.95, 5, folder / "covering.parquet")
    write_index(world, [1], folder / "index.parquet")

    def classify(reader=reader, limits=None):
        paths = [folder / name for name in ("index.parquet", "tokenizer")]
        outputs = [folder / name for name in ("no detectors.parquet", "no ngrams.parquet")]
        classify_detectors(folder / "covering.parquet", reader, *paths, limits or {1: 2}, 0.95, 0.95, *outputs)

    classify()
    one = polars.col("activations")
    readers = [
        lambda wanted: iter([]),
        lambda wanted: itertools.chain(reader(wanted), reader(wanted)),
        lambda wanted: itertools.chain.from_iterable((piece[:1], piece[1:]) for piece in reader(wanted)),
        edited(reader, activations=one + 1),
        edited(reader, activations=polars.Series([10, 1]), activations_even=polars.Series([10, 1])),  # more than there are
        edited(reader, activations_even=one - 1),
        edited(reader, ngram=polars.col("ngram") + 1),
    ]
    for wrong in readers:
        with pytest.raises(CensusError, match=r"n = 1 of layer 0 neuron 0 do not fit .*covering.parquet and .*index.parquet: delete"):
            classify(wrong)
    for limits in ({1: 6}, {2: 1}):
        with pytest.raises(CensusError, match=r"is of n = \[1\] and covering numbers up to 5, but detectors.covering asks for"):
            classify(limits=limits)
    write_table(
        read_table(folder / "index.parquet"), folder / "index.parquet", read_metadata(folder / "index.parquet") | {"corpus": "other"}
    )
    with pytest.raises(CensusError, match=r"differ in corpus: demo and other"):
        classify()


def test_counts_and_fractions_beyond_64_bits_are_exact(folder: Path):
    # q * activations passes 2^63: 0.9512345678901234 of 3e12 occurrences, and one less.
    times, rate = 3 * 10**12, 0.9512345678901234
    least = math.ceil(Fraction(str(rate)) * times)
    for hits, found in ((least, 1), (least - 1, 0)):
        world = counted({4: (1, 1)})
        write_covering(world, [1], 0.95, 5, folder / "covering.parquet")
        write_index(world, [1], folder / "index.parquet")
        for name, changes in (
            ("covering", {"activations": hits, "activations_even": hits}),
            ("index", {"occurrences": times, "occurrences_even": times}),
        ):
            path = folder / f"{name}.parquet"
            table = read_table(path)
            for column, value in changes.items():
                table = table.set_column(table.column_names.index(column), column, pyarrow.array([value]))
            write_table(table, path, read_metadata(path))
        row = {"layer": [0], "neuron": [0], "n": [1], "ngram": [0], "activations": [hits], "activations_even": [hits]}
        outputs = folder / "detectors.parquet", folder / "ngrams.parquet"
        paths = folder / "index.parquet", folder / "tokenizer"
        classify_detectors(
            folder / "covering.parquet", lambda _, row=row: iter([polars.DataFrame(row)]), *paths, {1: 1}, rate, 0.9, *outputs
        )
        assert len(read_table(outputs[0])) == len(read_table(outputs[1])) == found
