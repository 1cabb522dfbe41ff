"""Classes of covering numbers against dictionaries of tuples, and the numbers of the figure."""

import itertools
import shutil
from collections import Counter
from pathlib import Path

import polars
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroncensus.errors import CensusError
from neuroncensus.findings.coverage import class_names, classify_coverage, summarize_coverage
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from neuroncensus.tables import COVERAGE, COVERING
from ngrams_made import COUNTED, World, class_of, covering_set, write_covering, write_frequency


@st.composite
def worlds(draw, layers: int = 2, neurons: int = 3, null: bool = True) -> World:
    """Little text of few tokens, so that everything ties; neurons that are dead, or alive outside core only, among them."""
    windows = draw(st.lists(st.lists(st.integers(0, 4), max_size=9), min_size=1, max_size=5))
    keys = list(itertools.product(range(layers), range(neurons)))
    bits = {key: [draw(st.lists(st.booleans(), min_size=len(w), max_size=len(w))) for w in windows] for key in keys}
    for key in keys:
        if draw(st.integers(0, 3)) == 0:
            bits[key] = [[False] * len(window) for window in windows]
    rotated = {key: [here[1:] + here[:1] for here in bits[key]] for key in keys} if null else {}
    documents = sorted(draw(st.lists(st.integers(0, 3), min_size=len(windows), max_size=len(windows))))
    return World(windows, documents, bits, {key: draw(st.integers(0, 1)) for key in keys}, rotated)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coverage")


def classified(world: World, folder: Path, sizes: list[int], share: float, edges: list[int], most: int) -> tuple[polars.DataFrame, dict]:
    write_covering(world, sizes, share, most, folder / "covering.parquet")
    stages = [folder / "first.parquet", folder / "second.parquet"]
    write_frequency(world, range(1), stages[0])
    write_frequency(world, range(1, 9), stages[1])
    classify_coverage(folder / "covering.parquet", stages, edges, folder / "coverage.parquet")
    table = read_table(folder / "coverage.parquet")
    assert table.schema.equals(COVERAGE.schema)
    return polars.DataFrame(table), read_metadata(folder / "coverage.parquet")


def alive(world: World) -> list[tuple[int, int]]:
    return [key for key in sorted(world.active) if any(map(any, world.active[key])) or world.extra[key]]


@settings(max_examples=60)
@given(
    world=worlds(),
    share=st.sampled_from([0.95, 0.5, 0.3333, 1.0]),
    edges=st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True).map(sorted),
    above=st.integers(0, 4),
)
def test_classes_are_those_of_the_method(folder: Path, world: World, share: float, edges: list[int], above: int):
    sizes = [1, 2, 4]
    table, metadata = classified(world, folder, sizes, share, edges, edges[-1] + above)
    wanted = []
    for key in alive(world):
        for n in sizes:
            counts = world.activations(key, n)
            needed = len(covering_set(counts, share))
            covering = needed if 0 < needed <= edges[-1] else None
            null = class_of(world.nulled(key, n), share, edges)
            wanted.append((*key, n, counts.total(), covering, class_of(counts, share, edges), null))
    assert table.rows() == wanted
    expected = {"edges": edges, "share": share, "layers_covered": 2, "tokens_core": 100, "tokens": 300, "corpus": "demo"}
    assert {key: metadata[key] for key in expected} == expected


@settings(max_examples=40)
@given(world=worlds(), edges=st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True).map(sorted))
def test_summary_counts_neurons_by_class(folder: Path, world: World, edges: list[int]):
    table, metadata = classified(world, folder, [1, 3], 0.95, edges, 20)
    summary = summarize_coverage(table, metadata)
    assert list(summary) == ["1", "3"]
    for n in (1, 3):
        assert [layer["layer"] for layer in summary[str(n)]["layers"]] == [0, 1]
        for numbers, layers in ((summary[str(n)]["overall"], (0, 1)), *((layer, (layer["layer"],)) for layer in summary[str(n)]["layers"])):
            keys = [key for key in alive(world) if key[0] in layers]
            assert numbers["alive"] == len(keys)
            for prefix, count in (("", world.activations), ("null_", world.nulled)):
                classes = Counter(class_of(count(key, n), 0.95, edges) for key in keys)
                assert numbers[f"{prefix}classes"] == {name: classes[name] for name in class_names(edges)}
                sizes = [len(covering_set(count(key, n), 0.95)) for key in keys]
                within = {str(edge): sum(0 < size <= edge for size in sizes) for edge in edges}
                shares = {edge: number / len(keys) if keys else None for edge, number in within.items()}
                assert numbers[f"{prefix}cumulative_shares"] == shares


def test_names_of_classes():
    assert class_names([5, 20, 50, 100, 500]) == ["1-5", "6-20", "21-50", "51-100", "101-500", "over 500", "not seen"]
    assert class_names([1, 2, 4]) == ["1", "2", "3-4", "over 4", "not seen"]
    assert class_names([3]) == ["1-3", "over 3", "not seen"]


def made(folder: Path, null: bool = True) -> tuple[Path, Path]:
    """A dead neuron, one active outside core only, one with two tokens; the bits of the null are all off."""
    bits = {(0, 0): [[False] * 3], (0, 1): [[False] * 3], (0, 2): [[True, True, False]]}
    off = {key: [[False] * 3] for key in bits} if null else {}
    world = World([[7, 8, 9]], [0], bits, {(0, 0): 0, (0, 1): 4, (0, 2): 0}, off)
    write_covering(world, [1, 2], 0.95, 5, folder / "covering.parquet")
    write_frequency(world, range(1), folder / "frequency.parquet")
    return folder / "covering.parquet", folder / "frequency.parquet"


def test_who_is_alive_and_who_is_not_seen(tmp_path: Path):
    covering, frequency = made(tmp_path)
    classify_coverage(covering, [frequency], [1, 5], tmp_path / "out.parquet")
    assert polars.DataFrame(read_table(tmp_path / "out.parquet")).rows() == [
        (0, 1, 1, 0, None, "not seen", "not seen"),
        (0, 1, 2, 0, None, "not seen", "not seen"),
        (0, 2, 1, 2, 2, "2-5", "not seen"),
        (0, 2, 2, 1, 1, "1", "not seen"),
    ]


def test_without_a_null_its_numbers_are_null(tmp_path: Path):
    covering, frequency = made(tmp_path, null=False)
    classify_coverage(covering, [frequency], [5], tmp_path / "out.parquet")
    table = polars.DataFrame(read_table(tmp_path / "out.parquet"))
    assert table["null_class"].to_list() == [None] * 4
    summary = summarize_coverage(table, read_metadata(tmp_path / "out.parquet"))
    assert summary["1"]["overall"]["null_classes"] is None and summary["1"]["layers"][0]["null_cumulative_shares"] is None
    assert summary["1"]["overall"]["classes"] == {"1-5": 1, "over 5": 0, "not seen": 1}


def test_no_layer_and_no_neuron_alive(tmp_path: Path):
    world = World([[1, 2]], [0], {(0, 0): [[False, False]]}, {(0, 0): 0})
    table, metadata = classified(world, tmp_path, [1], 0.95, [5], 5)
    summary = summarize_coverage(table, metadata)["1"]
    assert summary["overall"]["alive"] == 0 and summary["layers"][0]["cumulative_shares"] == {"5": None}
    empty = read_metadata(tmp_path / "covering.parquet") | {"layers_covered": 0}
    write_table(COVERING.schema.empty_table(), tmp_path / "covering.parquet", empty)
    # A model of one layer: its first half, the first stage, has none.
    write_frequency(world, range(0), tmp_path / "first.parquet")
    classify_coverage(tmp_path / "covering.parquet", [tmp_path / "first.parquet"], [5], tmp_path / "out.parquet")
    summary = summarize_coverage(polars.DataFrame(read_table(tmp_path / "out.parquet")), read_metadata(tmp_path / "out.parquet"))
    assert summary["1"]["layers"] == [] and summary["1"]["overall"]["alive"] == 0


def test_large_counts_are_exact(tmp_path: Path):
    covering, frequency = made(tmp_path)
    huge = 3 * 2**40
    for path, key in ((covering, "activations"), (frequency, "activations")):
        table = polars.DataFrame(read_table(path))
        table = table.with_columns(polars.when((polars.col("neuron") == 2) & (polars.col(key) > 0)).then(huge).otherwise(key).alias(key))
        schema = COVERING.schema if path == covering else read_table(path).schema
        write_table(table.to_arrow().cast(schema), path, read_metadata(path))
    classify_coverage(covering, [frequency], [5], tmp_path / "out.parquet")
    assert read_table(tmp_path / "out.parquet")["activations"].to_pylist()[-1] == huge


def test_the_same_bytes(tmp_path: Path):
    covering, frequency = made(tmp_path)
    for name in ("one", "two"):
        classify_coverage(covering, [frequency], [5], tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_files_that_do_not_fit_are_told(tmp_path: Path):
    covering, frequency = made(tmp_path)
    with pytest.raises(CensusError, match=r"covering numbers up to 5, but coverage.edges ends with 6: delete it"):
        classify_coverage(covering, [frequency], [6], tmp_path / "out.parquet")
    other = tmp_path / "other.parquet"
    write_table(read_table(frequency), other, COUNTED | {"dtype": "bfloat16"})
    with pytest.raises(CensusError, match=r"other.parquet differ in dtype: float32 and bfloat16"):
        classify_coverage(covering, [other], [5], tmp_path / "out.parquet")
    fewer = read_table(frequency).filter(pyarrow.array([neuron != 2 for neuron in read_table(frequency)["neuron"].to_pylist()]))
    write_table(fewer, other, COUNTED)
    with pytest.raises(CensusError, match=r"has 2 activations of layer 0 neuron 2, but .*other.parquet 0 in core"):
        classify_coverage(covering, [other], [5], tmp_path / "out.parquet")
    write_table(read_table(frequency), other, COUNTED | {"tokens_core": 101})
    with pytest.raises(CensusError, match=r"other.parquet differ in tokens_core: 100 and 101: delete both"):
        classify_coverage(covering, [other], [5], tmp_path / "out.parquet")
    shutil.copy(frequency, other)
    other.write_bytes(other.read_bytes()[:-50])
    with pytest.raises(CensusError, match="corrupt"):
        classify_coverage(covering, [other], [5], tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
