"""The loss curve draws the table's numbers, whole and readable, for long runs and for one step."""

from pathlib import Path

import numpy
import polars
import pytest

from figures_made import BOTH_WIDTHS, check_legend, check_same_bytes, check_whole
from neuroncensus.figures.loss import draw_loss, plot_loss
from neuroncensus.figures.style import WIDTHS
from neuroncensus.models.train import LOSS_SCHEMA


def make_table(rows: int, checkpoints: list[int], *, tokens: int = 512, loss: float = 9.0) -> polars.DataFrame:
    step = numpy.arange(1, rows + 1)
    losses = loss * (0.4 + 0.6 * numpy.exp(-step / 20))
    held = [float(losses[s - 1]) + 0.1 if s in checkpoints else None for s in step]
    columns = {"step": step, "tokens": step * tokens, "learning_rate": 1e-3 / step, "loss": losses, "held_out_loss": held}
    return polars.DataFrame(columns, schema=LOSS_SCHEMA)


CASES = {
    "long run": make_table(480, [120, 240, 480]),
    "one row": make_table(1, [1]),
    "few rows": make_table(6, [3, 6]),
    "billions of tokens": make_table(300, [50, 150, 300], tokens=10**7),
    "hardly any loss": make_table(100, [100], loss=1e-6),
    "huge loss": make_table(100, [100], loss=1e9),
}


@pytest.mark.parametrize("columns", BOTH_WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_figure_is_whole(case: str, columns: int):
    figure = draw_loss(CASES[case], columns)
    check_whole(figure)
    check_legend(figure.axes[0])
    assert figure.get_figwidth() == WIDTHS[columns]


def test_figure_is_the_same_bytes(tmp_path: Path):
    check_same_bytes(lambda: draw_loss(CASES["long run"], 1), tmp_path)


@pytest.mark.parametrize("case", CASES)
def test_lines_are_the_table(case: str):
    table = CASES[case]
    training, held_out = draw_loss(table, 2).axes[0].lines
    assert training.get_xdata().tolist() == pytest.approx([row["tokens"] / 1e6 for row in table.to_dicts()])
    assert training.get_ydata().tolist() == table["loss"].to_list()
    kept = [row for row in table.to_dicts() if row["held_out_loss"] is not None]
    assert list(held_out.get_xdata()) == pytest.approx([row["tokens"] / 1e6 for row in kept])
    assert list(held_out.get_ydata()) == [row["held_out_loss"] for row in kept]


def test_a_single_point_is_to_be_seen():
    training, held_out = draw_loss(CASES["one row"], 2).axes[0].lines
    assert training.get_marker() == "."
    assert held_out.get_marker() == "o"


@pytest.mark.parametrize("suffix", ["pdf", "png"])
def test_files_are_what_their_names_say(tmp_path: Path, suffix: str):
    CASES["long run"].write_parquet(tmp_path / "loss.parquet")
    plot_loss(tmp_path / "loss.parquet", tmp_path / f"loss.{suffix}", columns=1, dpi=100)
    assert (tmp_path / f"loss.{suffix}").read_bytes().startswith({"pdf": b"%PDF", "png": b"\x89PNG"}[suffix])
