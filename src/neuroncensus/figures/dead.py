"""Figure 1: dead neurons by layer, and how often the others are active."""

from pathlib import Path

import polars
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuroncensus.figures.style import BLUE, GREY, ORANGE, SKY, VERMILION, WIDTHS, add_note, add_title, layer_axis, legend_above, look, save
from neuroncensus.findings.dead import summarize_dead
from neuroncensus.tablefiles import read_metadata, read_table
from neuroncensus.tables import DEAD

HEIGHTS = {1: 4.9, 2: 3.1}
"""Inches, by columns."""


def _say(axes: Axes, what: str) -> None:
    axes.text(0.5, 0.5, what, transform=axes.transAxes, ha="center", va="center", color=GREY)


def _draw_shares(axes: Axes, layers: list[dict]) -> None:
    kinds = (
        ("dead, proved", [layer["provably_dead"] for layer in layers], VERMILION),
        ("dead on this text", [layer["dead"] - layer["provably_dead"] for layer in layers], ORANGE),
        ("BOS-only", [layer["bos_only"] for layer in layers], SKY),
    )
    base = [0.0] * len(layers)
    for label, counts, colour in kinds:
        heights = [100 * count / layer["neurons"] for count, layer in zip(counts, layers, strict=True)]
        axes.bar([layer["layer"] for layer in layers], heights, bottom=base, width=0.8, color=colour, label=label, zorder=2)
        base = [low + height for low, height in zip(base, heights, strict=True)]
    if not any(base):
        _say(axes, "no neuron is dead")
    axes.set_ylim(0, min(100.0, max(5.0, 1.1 * max(base))))
    axes.set_ylabel("neurons of the layer, %")
    axes.set_title("a  dead neurons")
    legend_above(axes, 3)


def _draw_rates(axes: Axes, layers: list[dict]) -> None:
    alive = [(layer["layer"], 100 * layer["mean_frequency"]) for layer in layers if layer["mean_frequency"] is not None]
    axes.set_title("b  how often the others are active")
    axes.set_ylabel("frequency, % of positions")
    if not alive:
        _say(axes, "no neuron is alive")
        axes.set_yticks([])
        return
    numbers, means = zip(*alive, strict=True)
    marker_size = 3 if len(layers) <= 24 else 2
    axes.plot(numbers, means, marker="o", markersize=marker_size, color=BLUE, label="mean over the layer's neurons not dead", zorder=2)
    axes.set_ylim(0, 1.1 * max(means))
    legend_above(axes, 1)


def draw_dead(table: polars.DataFrame, metadata: dict, columns: int) -> Figure:
    """Draw figure 1a (shares of dead neurons by layer) and 1b (mean frequency of the others) for one model.

    Args:
        table: `dead.parquet`.
        metadata: of that file.
        columns: width, in columns of a paper.
    """
    summary = summarize_dead(table)
    layers, overall = summary["layers"], summary["overall"]
    with look():
        figure = Figure(figsize=(WIDTHS[columns], HEIGHTS[columns]), layout="constrained")
        shares, rates = figure.subplots(*((1, 2) if columns == 2 else (2, 1)))
        _draw_shares(shares, layers)
        _draw_rates(rates, layers)
        for axes in (shares, rates):
            layer_axis(axes, len(layers))
        add_title(figure, f"{metadata['model']}: {overall['dead']:,} of {overall['neurons']:,} neurons dead", columns)
        note = (
            "Proved: no input makes them active. BOS-only: active at the first token of a window, the same in all, and nowhere else. "
            f"{overall['tokens']:,} positions in {metadata['windows']:,} windows of at most {metadata['window']} tokens, "
            f"{overall['documents']:,} documents of corpus {metadata['corpus']}; {metadata['dtype']}."
            f"{' Shaded: first half of the layers.' if len(layers) >= 2 else ''}"
        )
        add_note(figure, note, columns)
    return figure


def plot_dead(table: Path, out: Path, *, columns: int, dpi: int) -> None:
    """Draw `dead.parquet` into `out`, a .pdf or .png."""
    figure = draw_dead(polars.DataFrame(read_table(table, DEAD.names)), read_metadata(table), columns)
    save(figure, out, dpi)
