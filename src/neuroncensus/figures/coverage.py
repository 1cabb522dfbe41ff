"""Figures 2, 12 and 13: how many n-grams cover a neuron, by layer."""

from collections.abc import Iterable
from pathlib import Path

import numpy
import polars
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import withStroke

from neuroncensus.figures.ngrams import covered_axis, letter, name_of, percent, rounded, say
from neuroncensus.figures.style import BLACK, GREY, PALE, WIDTHS, add_bodies, add_legend, add_note, add_title, legend_height, look, save
from neuroncensus.findings.coverage import class_names, summarize_coverage
from neuroncensus.tablefiles import read_metadata, read_table
from neuroncensus.tables import COVERAGE

ROW_HEIGHTS = {1: 1.35, 2: 1.75}
"""Inches of a row of panels, by columns."""
ACROSS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3}
"""Panels beside each other in two columns, by their number."""


def _looks(edges: list[int]) -> list[dict]:
    """How each class is drawn: dark for few n-grams to light for many, grey above the last edge, hatched for not seen."""
    shades = colormaps["viridis"](numpy.linspace(0, 1, len(edges)))
    within = [{"color": tuple(shade)} for shade in shades]
    return [*within, {"color": PALE}, {"facecolor": "white", "edgecolor": GREY, "hatch": "/////", "linewidth": 0}]


def _null_name(edges: list[int]) -> str:
    return f"up to {edges[-1]}, rotated"


def legend_names(edges: list[int]) -> list[str]:
    """What a legend of the classes names, the null last."""
    return [*class_names(edges), _null_name(edges)]


def draw_classes(axes: Axes, layers: list[dict], edges: list[int], across: int = 1) -> None:
    """Bars of the shares of all classes, up to 100%; a line across each where the null's share within the last edge ends.

    Args:
        axes: a panel.
        layers: of the summary of one n.
        edges: of the classes.
        across: how many panels share the width with it; narrow bars have no room for gaps.
    """
    alive = [layer for layer in layers if layer["alive"]]
    if not alive:
        say(axes, "no neuron is alive" if layers else "no layer is covered")
        return
    numbers = numpy.array([layer["layer"] for layer in alive])
    width = 0.8 if len(layers) * across <= 24 else 1.0
    base = numpy.zeros(len(alive))
    for name, how in zip(class_names(edges), _looks(edges), strict=True):
        heights = numpy.array([100 * layer["classes"][name] / layer["alive"] for layer in alive])
        axes.bar(numbers, heights, bottom=base, width=width, label=name, zorder=2, **how)
        base += heights
    if alive[0]["null_classes"] is not None:
        ends = [100 * layer["null_cumulative_shares"][str(edges[-1])] for layer in alive]
        lines = axes.hlines(ends, numbers - width / 2, numbers + width / 2, zorder=3, label=_null_name(edges))
        lines.set(color=BLACK, linewidth=0.7, path_effects=[withStroke(linewidth=1.8, foreground="white")])
    axes.set_ylim(0, 100)


def add_class_legend(body: SubFigure, panels: Iterable[Axes], edges: list[int], columns: int) -> None:
    """A legend of the classes that are drawn in some panel, and of the null."""
    drawn = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    if drawn:
        add_legend(body, {name: drawn[name] for name in legend_names(edges) if name in drawn}, columns)


def _title(place: int, n: int, overall: dict, edges: list[int]) -> str:
    first = class_names(edges)[0]
    counted = f": {rounded(overall['classes'][first] / overall['alive'])} by {first}" if overall["alive"] else ""
    return f"{letter(place)}  {name_of(n)}s{counted}"


def _note(metadata: dict) -> str:
    parts = [
        f"Alive neurons by the least number of n-grams that have {percent(metadata['share'])} of their activations in core;",
        "not seen: active only outside core or where no n-gram ends.",
        f"{metadata['tokens_core']:,} positions of core, {metadata['tokens']:,} with extra,",
        f"corpus {metadata['corpus']}; {metadata['dtype']}.",
    ]
    if metadata["rotation_null"]:
        null = f"Line: neurons covered by at most {metadata['edges'][-1]} where n-grams are rotated against activations within each window."
        parts.insert(2, null)
    return " ".join(parts)


def draw_coverage(table: polars.DataFrame, metadata: dict, columns: int) -> Figure:
    """Draw the shares of the classes by layer, a panel for each n, for one model.

    Args:
        table: `coverage.parquet`.
        metadata: of that file.
        columns: width, in columns of a paper.
    """
    summary, edges = summarize_coverage(table, metadata), metadata["edges"]
    across = ACROSS[len(summary)] if columns == 2 else 1
    down = -(-len(summary) // across)
    with look():
        height = 0.95 + ROW_HEIGHTS[columns] * down + legend_height(legend_names(edges), columns)
        figure = Figure(figsize=(WIDTHS[columns], height), layout="constrained")
        (body,) = add_bodies(figure)
        panels = body.subplots(down, across, squeeze=False).ravel()
        for place, (axes, (n, numbers)) in enumerate(zip(panels, summary.items(), strict=False)):
            draw_classes(axes, numbers["layers"], edges)
            bottom = place + across >= len(summary)
            covered_axis(axes, len(numbers["layers"]), named=bottom, labels=16 // across + 4)
            axes.set_title(_title(place, int(n), numbers["overall"], edges), pad=5)
            if place % across == 0:
                axes.set_ylabel("alive neurons, %")
        for axes in panels[len(summary) :]:
            axes.set_axis_off()
        add_class_legend(body, panels, edges, columns)
        add_title(figure, f"{metadata['model']}: how many n-grams cover a neuron", columns)
        add_note(figure, _note(metadata), columns)
    return figure


def plot_coverage(table: Path, out: Path, *, columns: int, dpi: int) -> None:
    """Draw `coverage.parquet` into `out`, a .pdf or .png."""
    figure = draw_coverage(polars.DataFrame(read_table(table, COVERAGE.names)), read_metadata(table), columns)
    save(figure, out, dpi)
