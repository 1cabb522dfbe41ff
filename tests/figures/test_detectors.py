"""Figures 3, 4, 14 and 15 draw the numbers of both tables, whole and readable, for models of every shape."""

from pathlib import Path

import polars
import pytest

from figures_made import BOTH_WIDTHS, check_legend, check_same_bytes, check_whole, written
from neuroncensus.figures.detectors import draw_detectors, plot_detectors
from neuroncensus.figures.style import WIDTHS
from neuroncensus.tablefiles import write_table
from neuroncensus.tables import DETECTOR_NGRAMS, DETECTORS
from tables_made import LONG, make_detectors

Made = tuple[polars.DataFrame, polars.DataFrame, dict]


CASES = {
    "1 layer": make_detectors(1, [1, 2]),
    "6 layers": make_detectors(6, [1, 2, 3]),
    "12 layers, 5 n": make_detectors(12, [1, 2, 3, 4, 5]),
    "64 layers": make_detectors(64, [1, 2, 3]),
    "many": make_detectors(2, [1, 2], 30, times=100),
    "no tokens": make_detectors(6, [1, 2, 3], without=(1,)),
    "no detectors": make_detectors(6, [1, 2, 3], 0),
    "no layer": make_detectors(0, [1, 2]),
    "long name": make_detectors(12, [3], model=LONG),
}


@pytest.mark.parametrize("columns", BOTH_WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_figure_is_whole(case: str, columns: int):
    *tables, metadata = CASES[case]
    figure = draw_detectors(*tables, metadata, columns)
    check_whole(figure)
    for axes in figure.axes:
        check_legend(axes)
        tops = [bar.get_y() + bar.get_height() for bar in axes.patches if bar.get_zorder() == 2]
        tops += [top for line in axes.lines for top in line.get_ydata()]
        assert all(top < axes.get_ylim()[1] for top in tops)
    assert "".join(figure.get_suptitle().split()).startswith(metadata["model"])
    assert figure.get_figwidth() == WIDTHS[columns]
    assert len(figure.axes) == 3 * len(metadata["n"])


@pytest.mark.parametrize("case", ["6 layers"])
def test_figure_is_the_same_bytes(case: str, tmp_path: Path):
    *tables, metadata = CASES[case]
    check_same_bytes(lambda: draw_detectors(*tables, metadata, 2), tmp_path)


def test_files_are_drawn(tmp_path: Path):
    detectors, ngrams, metadata = CASES["6 layers"]
    write_table(detectors.to_arrow().cast(DETECTORS.schema), tmp_path / "detectors.parquet", metadata)
    write_table(ngrams.to_arrow().cast(DETECTOR_NGRAMS.schema), tmp_path / "ngrams.parquet", metadata)
    plot_detectors(tmp_path / "detectors.parquet", tmp_path / "ngrams.parquet", tmp_path / "one.pdf", columns=1, dpi=100)
    assert (tmp_path / "one.pdf").stat().st_size > 1000


@pytest.mark.parametrize("columns", BOTH_WIDTHS)
@pytest.mark.parametrize("case", ["12 layers, 5 n", "many", "1 layer"])
def test_lines_and_bars_are_the_numbers_of_the_tables(case: str, columns: int):
    detectors, ngrams, metadata = CASES[case]
    figure = draw_detectors(detectors, ngrams, metadata, columns)
    panels = {axes.get_title("left").split()[0]: axes for axes in figure.axes}
    for place, n in enumerate(metadata["n"]):
        lines, cumulative, bars = (panels["abcdefghijklmno"[3 * place + number]] for number in range(3))
        rows = [row for row in detectors.to_dicts() if row["n"] == n]
        layers = range(metadata["layers_covered"])
        grams = [{tuple(row["ngram"]) for row in ngrams.to_dicts() if row["n"] == n and row["layer"] == layer} for layer in layers]
        below = [set().union(*grams[:layer]) for layer in range(len(layers) + 1)]
        before = [set(), *grams]
        drawn = {line.get_label(): line.get_ydata().tolist() for axes in (lines, cumulative) for line in axes.lines}
        assert drawn == {
            "all": [sum(row["layer"] == layer for row in rows) for layer in layers],
            "strict": [sum(row["layer"] == layer and row["strict"] for row in rows) for layer in layers],
            "with all below": [len(found) for found in below[1:]],
        }
        new = [len(found - below[layer]) for layer, found in enumerate(grams)]
        against = [len(found - before[layer]) for layer, found in enumerate(grams)]
        tops = {kind.get_label(): [bar.get_y() + bar.get_height() for bar in kind] for kind in bars.containers}
        assert tops == {"new overall": new, "new again": against, "not new": [len(found) for found in grams]}


def test_the_figure_says_where_there_is_nothing():
    for case, what, times in (("no detectors", "no detector", 3), ("no layer", "no layer is covered", 6), ("no tokens", "no detector", 1)):
        *tables, metadata = CASES[case]
        texts = [text.get_text() for text in written(draw_detectors(*tables, metadata, 2))]
        assert texts.count(what) == times
    # The legend stands above the first panel though that one is empty.
    *tables, metadata = CASES["no tokens"]
    assert all(axes.get_legend() is not None for axes in draw_detectors(*tables, metadata, 2).axes[:3])


def test_title_and_note_say_what_was_counted():
    *tables, metadata = CASES["6 layers"]
    figure = draw_detectors(*tables, metadata, 2)
    number, *_ = counts = [len(tables[0].filter(polars.col("n") == n)) for n in (1, 2, 3)]
    assert number and figure.get_suptitle() == "opt-nano: {} token, {} bigram and {} trigram detectors".format(*counts)
    note = " ".join(figure.get_supxlabel().split())
    assert "at most 5 / 50 / 50 tokens / bigrams / trigrams" in note
    assert "1,234,566 / 1,234,565 / 1,234,564 positions of core end one, corpus demo; float32." in note
    for name, behind in (("held_out_rate", "of their occurrences in the others"), ("held_out_share", "of its activations. 1,234")):
        medians = [tables[0].filter(polars.col("n") == n)[name].median() for n in (1, 2, 3)]
        assert " / ".join(f"{median:.0%}" for median in medians) + " " + behind in note
    *tables, metadata = CASES["no detectors"]
    assert "Held out" not in " ".join(draw_detectors(*tables, metadata, 2).get_supxlabel().split())
