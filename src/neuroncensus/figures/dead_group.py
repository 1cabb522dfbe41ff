"""Figure 1 across models: dead neurons by relative depth, and how often the others are active."""

from collections.abc import Sequence
from pathlib import Path

import polars
from matplotlib.figure import Figure

from neuroncensus.figures.group import LEGEND_NAME, Model, behind, depth_axis, depths, labels, line_looks, other_text
from neuroncensus.figures.ngrams import listed, rounded, say
from neuroncensus.figures.style import (
    LEGEND_SIZE,
    WIDTHS,
    add_bodies,
    add_legend,
    add_note,
    add_title,
    legend_height,
    look,
    save,
    text_height,
)
from neuroncensus.findings.dead import summarize_dead
from neuroncensus.tablefiles import read_metadata, read_table

HEIGHTS = {1: 4.5, 2: 2.4}
"""Inches of the panels, by columns."""
COLUMNS = ("layer", "dead", "provably_dead", "bos_only", "activations", "frequency", "tokens", "documents")


def _told(model: Model) -> str:
    metadata, overall = model.metadata, model.summary["overall"]
    return (
        f"{overall['tokens']:,} positions in {metadata['windows']:,} windows of at most {metadata['window']} tokens, "
        f"{overall['documents']:,} documents of corpus {metadata['corpus']}; {metadata['dtype']}"
    )


def _note(models: Sequence[Model]) -> str:
    counted = ", ".join(f"{model.summary['overall']['dead']:,} of {model.summary['overall']['neurons']:,}" for model in models)
    what = "more or other text may wake neurons that less of it leaves silent"
    told = behind((model.name, _told(model)) for model in models)
    return (
        f"Layer l of L stands at (l + 1/2) / L; shaded: first half. Dead neurons, in this order: {counted}. {told}"
        f"{other_text(models, 'text_sha256', what)}"
    )


def draw_dead_group(models: Sequence[Model], columns: int) -> Figure:
    """Draw figure 1a (shares of dead neurons by relative depth) and 1b (mean frequency of the others), a line for each model.

    Args:
        models: at least one, in the order of the group, with `neuroncensus.findings.dead.summarize_dead` of `dead.parquet`.
        columns: width, in columns of a paper.
    """
    names = labels([model.name for model in models], LEGEND_SIZE, LEGEND_NAME)
    shown = [f"{name}: {rounded(model.summary['overall']['dead_share'])}" for name, model in zip(names, models, strict=True)]
    title, note = f"Dead neurons of {listed([model.name for model in models])}", _note(models)
    with look():
        height = HEIGHTS[columns] + legend_height(shown, columns) + text_height(title, note, columns)
        figure = Figure(figsize=(WIDTHS[columns], height), layout="constrained")
        (body,) = add_bodies(figure)
        dead, rates = body.subplots(*((1, 2) if columns == 2 else (2, 1)))
        lines = {}
        for label, model, how in zip(shown, models, line_looks([len(model.summary["layers"]) for model in models]), strict=True):
            layers = model.summary["layers"]
            places = depths(len(layers))
            (lines[label],) = dead.plot(places, [100 * layer["dead_share"] for layer in layers], **how)
            alive = [(place, layer["mean_frequency"]) for place, layer in zip(places, layers, strict=True) if layer["dead_share"] < 1]
            if alive:
                rates.plot([place for place, _ in alive], [100 * frequency for _, frequency in alive], **how)
        dead.set_title("a  dead neurons", pad=4)
        dead.set_ylabel("neurons of the layer, %")
        rates.set_title("b  how often the others are active", pad=4)
        rates.set_ylabel("frequency, % of positions")
        for axes, least in ((dead, 5.0), (rates, 0.0)):
            highest = max(least, 1.08 * max((max(line.get_ydata()) for line in axes.lines), default=1.0))
            axes.set_ylim(-0.02 * highest, highest)
            depth_axis(axes, label="relative depth", half=True)
        if not rates.lines:
            say(rates, "no neuron is alive")
        add_legend(body, lines, columns)
        add_title(figure, title, columns)
        add_note(figure, note, columns)
    return figure


def plot_dead_group(tables: Sequence[Path], out: Path, *, columns: int, dpi: int) -> None:
    """Draw the `dead.parquet` of several models into `out`, a .pdf or .png."""
    models = [Model(read_metadata(path), summarize_dead(polars.DataFrame(read_table(path, COLUMNS)))) for path in tables]
    save(draw_dead_group(models, columns), out, dpi)
