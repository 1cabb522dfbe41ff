"""Figures 7 to 11 and 16 draw what the tables say, whole and readable, for models of every shape."""

from pathlib import Path

import numpy
import polars
import pyarrow
import pytest
from matplotlib.colors import to_hex

from figures_made import BOTH_WIDTHS, check_same_bytes, check_whole, written
from neuroncensus.errors import CensusError
from neuroncensus.figures.positional import COLOURS, draw_positional, plot_positional
from neuroncensus.figures.positional_group import Member, draw_positional_group, plot_positional_group
from neuroncensus.figures.style import WIDTHS
from neuroncensus.findings.positional import classify_positional
from neuroncensus.findings.shapes import TYPES, ShapeSettings
from neuroncensus.jsonfiles import write_json
from neuroncensus.tablefiles import packed, read_metadata, read_table, write_table
from neuroncensus.tables import POSITION_COUNTERS

PAPERS = ShapeSettings(half_width=1 / 512, interval=1 / 128, weak=0.10, strong=0.01, explained=0.90)
LONG = "a-model.with_a_very-long-name-that-somebody-gave-to-it-to-tell-it-from-all-the-others-2026-11-23-checkpoint-123456"
T = 260


def make(
    folder: Path, layers: int, neurons: int = 24, *, windows: int = 300, planted: int = 8, window: int = T, model: str = "opt"
) -> Path:
    """`positional.parquet` and `profiles.parquet` of a model with some neurons of every type in each layer."""
    draw, x = numpy.random.default_rng(layers), numpy.arange(window) / window
    rates = numpy.full((layers, neurons, window), 0.3)
    for layer in range(layers):
        for place in range(planted):
            shape = (0.5 + 0.5 * numpy.sin(2 * numpy.pi * (3 * x + 0.07 * place)), x > 0.5, numpy.clip(0.8 - 2 * x, 0, 1), 0.15 + 0.7 * x)
            rates[layer, place] = shape[place % 4]
    counts = draw.binomial(windows, rates).reshape(-1, window).astype(numpy.int32)
    keys = [pyarrow.array(numpy.repeat(range(layers), neurons)), pyarrow.array(numpy.tile(range(neurons), layers))]
    column = packed(counts)
    told = {"model": model, "model_digest": "d", "corpus": "demo", "window": window, "dtype": "float32", "version": "0"}
    told |= {"domain": "prose", "windows": windows, "first_layer": 0, "end_layer": layers}
    folder.mkdir(parents=True, exist_ok=True)
    write_table(pyarrow.table([*keys, column], schema=POSITION_COUNTERS.schema), folder / "total.parquet", told)
    write_json({"model_digest": "d", "source": "made", "revision": None}, folder / "source.json")
    files = [folder / "total.parquet"], folder / "source.json"
    classify_positional(*files, 0.05, vars(PAPERS), folder / "positional.parquet", folder / "profiles.parquet")
    return folder


def read(folder: Path) -> tuple[polars.DataFrame, polars.DataFrame, dict]:
    tables = [polars.DataFrame(read_table(folder / f"{name}.parquet")) for name in ("positional", "profiles")]
    return tables[0], tables[1], read_metadata(folder / "positional.parquet")


CASES: dict[str, dict] = {
    "one layer": {"layers": 1},
    "12 layers": {"layers": 12},
    "64 layers": {"layers": 64, "neurons": 40},
    "none": {"layers": 4, "planted": 0},
    "few windows": {"layers": 4, "windows": 12},
    "short windows": {"layers": 4, "window": 20},
    "windows of one": {"layers": 2, "window": 1, "planted": 0},
    "windows of two": {"layers": 2, "window": 2, "planted": 0},
    "one neuron": {"layers": 2, "neurons": 1, "planted": 1},
    "long": {"layers": 6, "model": LONG},
}


@pytest.mark.parametrize("columns", BOTH_WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_figure_is_whole(case: str, columns: int, tmp_path: Path):
    table, profiles, metadata = read(make(tmp_path, **CASES[case]))
    figure = draw_positional(table, profiles, metadata, columns)
    check_whole(figure)
    assert figure.get_figwidth() == WIDTHS[columns]
    assert "".join(figure.get_suptitle().split()).startswith(metadata["model"])


def test_figure_is_the_same_bytes(tmp_path: Path):
    told = read(make(tmp_path / "made", 6))
    check_same_bytes(lambda: draw_positional(*told, 2), tmp_path)
    members = [Member(told[0], told[2], None)] * 2
    check_same_bytes(lambda: draw_positional_group(members, 2), tmp_path)


def test_dots_are_the_positional_neurons_in_the_colour_of_their_type(tmp_path: Path):
    table, profiles, metadata = read(make(tmp_path, 5, windows=60))
    axes = draw_positional(table, profiles, metadata, 2).axes[0]
    drawn = {}
    for dots in axes.collections:
        drawn |= {(int(x), int(y)): to_hex(dots.get_facecolor()[0]).upper() for x, y in dots.get_offsets().tolist()}  # type: ignore[index]
    rows = table.filter("positional").to_dicts()
    assert len({row["strong"] for row in rows}) == 2, "both kinds are there"
    assert drawn == {(row["layer"], row["neuron"]): COLOURS[row["type"]][0 if row["strong"] else 1] for row in rows}


def test_bars_examples_and_ranges(tmp_path: Path):
    table, profiles, metadata = read(make(tmp_path, 5))
    figure = draw_positional(table, profiles, metadata, 2, layer=2)
    bars, examples, ranges = figure.axes[1], figure.axes[2:6], figure.axes[6]
    for layer in range(5):
        height = sum(
            bar.get_height() for bar in bars.patches if abs(bar.get_x() + bar.get_width() / 2 - layer) < 0.01 and bar.get_zorder() == 2
        )
        assert height == table.filter((polars.col("layer") == layer) & polars.col("positional")).height
    for kind, axes in zip(TYPES, examples, strict=True):
        shown = axes.get_title("left").removeprefix("c  ")
        best = (
            table.filter((polars.col("type") == kind) & polars.col("strong")).sort("mutual_information", descending=True).row(0, named=True)
        )
        assert shown == f"{kind}: {best['layer']}/{best['neuron']}"
        curve = profiles.filter(layer=best["layer"], neuron=best["neuron"], domain="all")["fr"][0].to_list()
        assert axes.lines[0].get_ydata().tolist() == curve  # type: ignore[union-attr]
    strong = table.filter((polars.col("layer") == 2) & (polars.col("type") == "oscillatory") & polars.col("strong"))["neuron"].to_list()
    assert sorted(int(label.get_text()) for label in ranges.get_yticklabels()) == strong and strong
    assert ranges.get_title("left") == "d  ranges in layer 2"


def test_the_figure_says_where_there_is_nothing(tmp_path: Path):
    figure = draw_positional(*read(make(tmp_path, 3, planted=0)), 2)
    texts = [text.get_text() for text in written(figure)]
    assert "no positional neuron" in texts and texts.count("none") == 4
    assert len(figure.axes) == 6 and "No layer has a strong oscillatory neuron" in " ".join(figure.get_supxlabel().split())


def test_the_note_says_what_stands_behind(tmp_path: Path):
    note = " ".join(draw_positional(*read(make(tmp_path / "a", 3, windows=90)), 2).get_supxlabel().split())
    assert "90 full windows of 260 positions (prose 90), corpus demo; float32. Too few windows" in note
    assert "with weak e 0.05 " in note and "with two changes " in note
    assert "shifted in a circle" in " ".join(draw_positional(*read(make(tmp_path / "c", 3)), 2).get_supxlabel().split())
    note = " ".join(draw_positional(*read(make(tmp_path / "b", 3, window=20)), 2).get_supxlabel().split())
    assert "over text positions alone as windows have under 256 of them" in note and "Too few" not in note


def test_a_layer_that_there_is_not_is_told(tmp_path: Path):
    with pytest.raises(CensusError, match=r"positional.ranges_layer is 3 but model opt has 3 layers"):
        draw_positional(*read(make(tmp_path, 3)), 2, layer=3)


RUN = {"recipe": "nano", "positions": True, "step": 6000}


@pytest.mark.parametrize("columns", BOTH_WIDTHS)
@pytest.mark.parametrize("count", [1, 2, 6, 8])
@pytest.mark.parametrize("trained", [True, False])
def test_group_figure_is_whole(columns: int, count: int, trained: bool, tmp_path: Path):
    table, _, metadata = read(make(tmp_path, 6))
    runs = [RUN | {"positions": place % 2 == 0, "step": 1000 * (1 + place // 2)} for place in range(count)]
    members = [
        Member(table, metadata | {"model": f"{LONG if place == 1 else 'opt'}-{place}"}, run if trained else None)
        for place, run in enumerate(runs)
    ]
    figure = draw_positional_group(members, columns)
    check_whole(figure)
    maps = [axes for axes in figure.findobj(lambda artist: hasattr(artist, "collections")) if axes.collections]
    assert len(maps) == count


def test_checkpoints_stand_in_rows_by_run_and_step(tmp_path: Path):
    table, _, metadata = read(make(tmp_path, 6))
    runs = [RUN | {"step": 9000}, RUN | {"positions": False, "step": 300}, RUN | {"step": 300}, RUN | {"positions": False, "step": 9000}]
    figure = draw_positional_group([Member(table, metadata, run) for run in runs], 2)
    count = int(table["positional"].sum())
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles[:4] == [f"step 300: {count}", f"step 9,000: {count}", f"NoPos 300: {count}", f"NoPos 9,000: {count}"]
    assert titles[4:] == ["nano, positions", "nano, NoPos"]
    of_type = {kind: int((table["type"] == kind).sum()) for kind in TYPES}
    for axes in figure.axes[4:]:
        drawn = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in axes.lines]  # type: ignore[union-attr]
        assert drawn == [([300, 9000], [of_type[kind]] * 2) for kind in TYPES]


def test_files_are_drawn(tmp_path: Path):
    folder = make(tmp_path, 3)
    files = folder / "positional.parquet", folder / "profiles.parquet"
    plot_positional(*files, tmp_path / "one.pdf", layer=None, columns=1, dpi=100)
    plot_positional_group([files[0]] * 2, [RUN, None], tmp_path / "two.png", columns=2, dpi=100)
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("one.pdf", "two.png"))
