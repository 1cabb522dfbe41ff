"""Figures 2, 12 and 13 across models: how many n-grams cover a neuron, the models beside each other and n below each other."""

from collections.abc import Sequence
from pathlib import Path

import polars
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuroncensus.figures.coverage import add_class_legend, draw_classes, legend_names
from neuroncensus.figures.group import Model, behind, check_alike, labels, other_text, text_told
from neuroncensus.figures.ngrams import covered_axis, listed, name_of, percent, rounded
from neuroncensus.figures.style import (
    LABEL_SIZE,
    NOTE_SIZE,
    WIDTHS,
    add_bodies,
    add_note,
    add_title,
    legend_height,
    look,
    save,
    text_height,
)
from neuroncensus.findings.coverage import class_names, summarize_coverage
from neuroncensus.tablefiles import read_metadata, read_table

ACROSS = {1: 4, 2: 8}
"""Most models beside each other, by columns of a paper."""
ROW_HEIGHT = 1.1
"""Inches of a row of panels."""
COLUMNS = ("layer", "n", "class", "null_class")


def _told(model: Model) -> str:
    metadata = model.metadata
    return f"{metadata['tokens_core']:,} positions of core, {metadata['tokens']:,} with extra, {text_told(metadata)}"


def _note(models: Sequence[Model]) -> str:
    settings = models[0].metadata
    null = f" Line: neurons covered by at most {settings['edges'][-1]} where n-grams are rotated against activations within each window."
    what = "their n-grams are not the same, and how many cover a neuron is no comparison"
    told = behind((model.name, _told(model)) for model in models)
    return (
        f"Alive neurons by the least number of n-grams that have {percent(settings['share'])} of their activations in core; not seen: "
        "active only outside core or where no n-gram ends. Above each panel: how many are covered by "
        f"{class_names(settings['edges'])[0]} in all its layers."
        f"{null if settings['rotation_null'] else ''} {told}{other_text(models, 'text_core_sha256', what)}"
    )


def _name(axes: Axes, name: str) -> None:
    """The model's name, above what the title of the panel says."""
    axes.annotate(name, (0, 1), (0, 11), xycoords="axes fraction", textcoords="offset points", fontsize=NOTE_SIZE, fontweight="bold")


def draw_coverage_group(models: Sequence[Model], columns: int) -> Figure:
    """Draw the shares of the classes by layer, a panel for each model and n.

    Args:
        models: at least one, in the order of the group, with `neuroncensus.findings.coverage.summarize_coverage` of `coverage.parquet`.
        columns: width, in columns of a paper.

    Raises:
        CensusError: models differ in n, edges, share or whether there is a null.
    """
    check_alike(models, ("n", "edges", "share", "rotation_null"))
    edges, sizes = models[0].metadata["edges"], sorted(models[0].metadata["n"])
    rows = -(-len(models) // ACROSS[columns])
    across = -(-len(models) // rows)
    names = labels([model.name for model in models], 1.15 * NOTE_SIZE, (WIDTHS[columns] - 0.6) / across - 0.1)
    title, note = f"How many n-grams cover a neuron of {listed([model.name for model in models])}", _note(models)
    with look():
        height = 0.3 + ROW_HEIGHT * rows * len(sizes) + legend_height(legend_names(edges), columns) + text_height(title, note, columns)
        figure = Figure(figsize=(WIDTHS[columns], height), layout="constrained")
        (body,) = add_bodies(figure)
        panels = body.subplots(rows * len(sizes), across, squeeze=False)
        for axes in panels.ravel():
            axes.set_axis_off()
        for place, (model, name) in enumerate(zip(models, names, strict=True)):
            for number, n in enumerate(sizes):
                axes = panels[place // across * len(sizes) + number, place % across]
                axes.set_axis_on()
                numbers = model.summary[str(n)]
                layers, overall = numbers["layers"], numbers["overall"]
                draw_classes(axes, layers, edges, across)
                covered_axis(axes, len(layers), named=number == len(sizes) - 1, labels=max(2, 16 // across))
                first = class_names(edges)[0]
                share = rounded(overall["classes"][first] / overall["alive"]) if overall["alive"] else " "
                axes.set_title(share, pad=3, fontsize=NOTE_SIZE, fontweight="normal")
                if number == 0:
                    _name(axes, name)
                if place % across == 0:
                    axes.set_ylabel(f"{name_of(n)}s")
                else:
                    axes.tick_params(labelleft=False)
        body.supylabel("alive neurons, %", fontsize=LABEL_SIZE)
        add_class_legend(body, panels.ravel(), edges, columns)
        add_title(figure, title, columns)
        add_note(figure, note, columns)
    return figure


def plot_coverage_group(tables: Sequence[Path], out: Path, *, columns: int, dpi: int) -> None:
    """Draw the `coverage.parquet` of several models into `out`, a .pdf or .png."""
    models = []
    for path in tables:
        metadata = read_metadata(path)
        models.append(Model(metadata, summarize_coverage(polars.DataFrame(read_table(path, COLUMNS)), metadata)))
    save(draw_coverage_group(models, columns), out, dpi)
