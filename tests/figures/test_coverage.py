"""Figures 2, 12 and 13 draw the classes of the table, whole and readable, for models of every shape."""

from pathlib import Path

import polars
import pytest
from matplotlib.colors import to_rgb

from figures_made import BOTH_WIDTHS, check_same_bytes, check_whole, written
from neuroncensus.figures.coverage import draw_coverage, plot_coverage
from neuroncensus.figures.ngrams import rounded
from neuroncensus.figures.style import WIDTHS
from neuroncensus.findings.coverage import class_names
from neuroncensus.tablefiles import write_table
from neuroncensus.tables import COVERAGE
from tables_made import LONG, make_coverage

Made = tuple[polars.DataFrame, dict]


CASES = {
    "1 layer": make_coverage(1, [1, 2]),
    "6 layers": make_coverage(6, [1, 2, 3]),
    "12 layers, 5 n": make_coverage(12, [1, 2, 3, 4, 5], [5, 50]),
    "64 layers": make_coverage(64, [1, 2, 3]),
    "one edge": make_coverage(6, [1], [3]),
    "twelve edges": make_coverage(6, [1, 2], [2**k for k in range(12)]),
    "long": make_coverage(6, [1, 2, 3, 4], [1, 2, 1000000], null=False, model=LONG),
    "a dead layer": make_coverage(6, [1, 2], dead=range(2, 3)),
    "all dead": make_coverage(6, [1, 2, 3], dead=range(6)),
    "no layer": make_coverage(0, [1, 2, 3]),
}


@pytest.mark.parametrize("columns", BOTH_WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_figure_is_whole(case: str, columns: int):
    table, metadata = CASES[case]
    figure = draw_coverage(table, metadata, columns)
    check_whole(figure)
    (panels,) = figure.subfigs
    for legend in panels.legends:
        box = legend.get_window_extent()
        assert all(box.y0 >= axes.bbox.y1 for axes in panels.axes) and box.x1 <= figure.bbox.x1
    assert "".join(figure.get_suptitle().split()).startswith(metadata["model"])
    assert figure.get_figwidth() == WIDTHS[columns]
    assert len([axes for axes in figure.axes if axes.axison]) == len(metadata["n"])


@pytest.mark.parametrize("case", ["12 layers, 5 n"])
def test_figure_is_the_same_bytes(case: str, tmp_path: Path):
    table, metadata = CASES[case]
    check_same_bytes(lambda: draw_coverage(table, metadata, 2), tmp_path)


def test_a_file_is_drawn(tmp_path: Path):
    table, metadata = CASES["6 layers"]
    write_table(table.to_arrow().cast(COVERAGE.schema), tmp_path / "coverage.parquet", metadata)
    plot_coverage(tmp_path / "coverage.parquet", tmp_path / "one.pdf", columns=1, dpi=100)
    assert (tmp_path / "one.pdf").stat().st_size > 1000


@pytest.mark.parametrize("case", ["6 layers", "one edge", "a dead layer", "long"])
def test_bars_and_lines_are_the_shares_of_the_table(case: str):
    table, metadata = CASES[case]
    names = class_names(metadata["edges"])
    for n, axes in zip(metadata["n"], draw_coverage(table, metadata, 2).axes, strict=False):
        rows = [row for row in table.to_dicts() if row["n"] == n]
        layers = sorted({row["layer"] for row in rows})
        base = dict.fromkeys(layers, 0.0)
        for name, bars in zip(names, axes.containers, strict=True):
            assert bars.get_label() == name
            assert [bar.get_x() + bar.get_width() / 2 for bar in bars] == pytest.approx(layers)
            assert [bar.get_y() for bar in bars] == pytest.approx(list(base.values()))
            for layer, bar in zip(layers, bars, strict=True):
                assert bar.get_height() == pytest.approx(100 * sum(row["class"] == name for row in rows if row["layer"] == layer) / 20)
                base[layer] += bar.get_height()
        assert list(base.values()) == pytest.approx([100] * len(layers))
        lines = [line for collection in axes.collections for line in collection.get_segments()]
        within = [100 * sum(row["null_class"] in names[:-2] for row in rows if row["layer"] == layer) / 20 for layer in layers]
        assert [line[0][1] for line in lines] == (pytest.approx(within) if metadata["rotation_null"] else [])
        assert all((line[0][0] + line[1][0]) / 2 == pytest.approx(layer) for line, layer in zip(lines, layers, strict=False))


def test_the_figure_says_where_there_is_nothing():
    for case, what in (("all dead", "no neuron is alive"), ("no layer", "no layer is covered")):
        texts = [text.get_text() for text in written(draw_coverage(*CASES[case], 2))]
        assert texts.count(what) == 3


def test_title_note_and_panels_say_what_was_counted():
    table, metadata = CASES["6 layers"]
    figure = draw_coverage(table, metadata, 2)
    assert figure.get_suptitle() == "opt-nano: how many n-grams cover a neuron"
    note = " ".join(figure.get_supxlabel().split())
    assert "1,000 positions of core, 4,321 with extra, corpus demo; float32." in note and "at most 500 where n-grams are rotated" in note
    share = table.filter((polars.col("n") == 2) & (polars.col("class") == "1-5")).height / 120
    assert figure.axes[1].get_title("left") == f"b  bigrams: {share:.0%} by 1-5"
    assert share >= 0.1 and [rounded(part) for part in (0, 0.0004321, 0.0987, 0.0999, 1)] == ["0%", "0.043%", "9.9%", "10%", "100%"]
    assert "rotated" not in draw_coverage(*CASES["long"], 2).get_supxlabel()


def test_classes_go_from_dark_to_light():
    axes = draw_coverage(*CASES["twelve edges"], 2).axes[0]
    lights = [
        sum(weight * part for weight, part in zip((0.21, 0.72, 0.07), to_rgb(bars[0].get_facecolor()[:3]), strict=True))
        for bars in axes.containers
    ]
    assert lights[:-2] == sorted(lights[:-2]) and lights[-3] - lights[0] > 0.6
