"""Figure 1 draws the numbers of the table, whole and readable, for models of every shape."""

from pathlib import Path

import matplotlib
import pytest

from figures_made import BOTH_WIDTHS, check_legend, check_same_bytes, check_whole, written
from neuroncensus.figures.dead import draw_dead, plot_dead
from neuroncensus.figures.style import BLUE, GREY, ORANGE, SKY, VERMILION, WIDTHS
from neuroncensus.tablefiles import write_table
from tables_made import LONG, TOKENS, dead_metadata, make_dead, some_dead

WIDE = "W" * 120


CASES = {
    **{f"{layers} layers": (some_dead(layers), "opt-nano") for layers in (1, 2, 6, 12, 64)},
    "all dead": (make_dead(6, 10, [10] * 6, [4] * 6, [0] * 6), "opt-nano"),
    "one layer all dead": (make_dead(3, 10, [0, 10, 2], [0, 10, 0], [0] * 3), "opt-nano"),
    "none dead": (make_dead(6, 10, [0] * 6, [0] * 6, [0] * 6), "opt-nano"),
    "BOS-only all": (make_dead(2, 10, [0] * 2, [0] * 2, [10] * 2), "opt-nano"),
    "one neuron": (make_dead(1, 1, [0], [0], [0]), "opt-nano"),
    "one dead neuron": (make_dead(1, 1, [1], [1], [0]), "opt-nano"),
    "long name": (some_dead(12), LONG),
    "wide name": (some_dead(6), WIDE),
}


@pytest.mark.parametrize("columns", BOTH_WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_figure_is_whole(case: str, columns: int):
    table, model = CASES[case]
    figure = draw_dead(table, dead_metadata(model), columns)
    check_whole(figure)
    for axes in figure.axes:
        check_legend(axes)
        # Bars and markers stay below the panel's upper edge, but for a full 100 %.
        tops = [bar.get_y() + bar.get_height() for bar in axes.patches if bar.get_zorder() == 2]
        tops += [top for line in axes.lines for top in line.get_ydata()]
        assert all(top < axes.get_ylim()[1] or top == pytest.approx(100) for top in tops)
    assert "".join(figure.get_suptitle().split()).startswith(model)
    assert figure.get_figwidth() == WIDTHS[columns]


@pytest.mark.parametrize("case", ["64 layers", "all dead"])
def test_figure_is_the_same_bytes(case: str, tmp_path: Path):
    table, model = CASES[case]
    check_same_bytes(lambda: draw_dead(table, dead_metadata(model), 2), tmp_path)


def test_a_users_own_settings_have_no_part_in_it(tmp_path: Path):
    table, model = CASES["6 layers"]
    write_table(table.to_arrow(), tmp_path / "dead.parquet", dead_metadata(model))
    plot_dead(tmp_path / "dead.parquet", tmp_path / "one.pdf", columns=1, dpi=100)
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "pdf.fonttype": 3, "savefig.facecolor": "red"}):
        plot_dead(tmp_path / "dead.parquet", tmp_path / "other.pdf", columns=1, dpi=100)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "other.pdf").read_bytes()


def test_bars_are_the_shares_of_the_table():
    dead, proved, bos_only = [0, 7, 20, 3], [0, 2, 20, 3], [1, 0, 0, 5]
    shares = draw_dead(make_dead(4, 20, dead, proved, bos_only), dead_metadata(), 2).axes[0]
    wanted = {
        "dead, proved": [100 * p / 20 for p in proved],
        "dead on this text": [100 * (d - p) / 20 for d, p in zip(dead, proved, strict=True)],
        "BOS-only": [100 * b / 20 for b in bos_only],
    }
    found = {bars.get_label(): [bar.get_height() for bar in bars] for bars in shares.containers}
    assert found == {label: pytest.approx(heights) for label, heights in wanted.items()}
    bottoms = [[bar.get_y() for bar in bars] for bars in shares.containers]
    assert bottoms[1] == pytest.approx(wanted["dead, proved"])
    assert bottoms[2] == pytest.approx([100 * d / 20 for d in dead])
    assert [bar.get_x() + bar.get_width() / 2 for bar in shares.containers[0]] == pytest.approx([0, 1, 2, 3])


def test_line_is_the_mean_of_those_not_dead():
    table = make_dead(4, 20, [0, 7, 20, 3], [0] * 4, [1, 0, 0, 5])
    (line,) = draw_dead(table, dead_metadata(), 2).axes[1].lines
    alive = {
        layer: [row["activations"] / TOKENS for row in table.to_dicts() if row["layer"] == layer and row["activations"]]
        for layer in (0, 1, 3)
    }
    assert line.get_xdata().tolist() == [0, 1, 3]
    assert line.get_ydata().tolist() == pytest.approx([100 * sum(rates) / len(rates) for rates in alive.values()])


@pytest.mark.parametrize("layers", [2, 3, 6, 7, 64])
def test_first_half_is_shaded_and_the_note_says_so(layers: int):
    figure = draw_dead(some_dead(layers), dead_metadata(), 2)
    for axes in figure.axes:
        (shade,) = [patch for patch in axes.patches if patch.get_zorder() == 0]
        assert shade.get_x() + shade.get_width() == layers // 2 - 0.5
    assert "Shaded: first half of the layers." in " ".join(figure.get_supxlabel().split())


def test_one_layer_has_no_half():
    figure = draw_dead(some_dead(1), dead_metadata(), 2)
    assert not [patch for axes in figure.axes for patch in axes.patches if patch.get_zorder() == 0]
    assert "Shaded" not in figure.get_supxlabel()


def test_title_and_note_say_what_was_counted():
    table = make_dead(2, 10, [3, 0], [1, 0], [0, 0])
    figure = draw_dead(table, dead_metadata(), 2)
    assert figure.get_suptitle() == "opt-nano: 3 of 20 neurons dead"
    note = " ".join(figure.get_supxlabel().split())
    assert "1,000 positions in 40 windows of at most 25 tokens, 7 documents of corpus demo; float32." in note
    assert {"no neuron is alive", "no neuron is dead"}.isdisjoint(text.get_text() for text in written(figure))


def test_colours_stay_apart_for_every_kind_of_sight_and_in_grey():
    def luminance(colour: str) -> float:
        red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2

    # Neighbours in a bar differ in lightness or are blue beside yellow, which every common kind of colour blindness keeps apart.
    assert luminance(ORANGE) / luminance(VERMILION) > 1.5
    assert (ORANGE, SKY) == ("#E69F00", "#56B4E9")
    assert luminance(BLUE) < 0.3 and luminance(GREY) < 0.3
