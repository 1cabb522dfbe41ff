"""Figures 3, 4, 14 and 15 across models: detectors of n-grams by relative depth, what they detect, and what of it is new."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullLocator

from neuroncensus.figures.group import (
    LEGEND_NAME,
    Model,
    behind,
    check_alike,
    depth_axis,
    depths,
    labels,
    line_looks,
    other_text,
    text_told,
)
from neuroncensus.figures.ngrams import letter, listed, name_of, percent, say
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
from neuroncensus.findings.agree import read_findings
from neuroncensus.findings.detectors import summarize_detectors

ROW_HEIGHTS = {1: 3.0, 2: 1.6}
"""Inches of the panels of one n, by columns: a row of four, or two rows of two."""
PANELS = 4


def _counts(axes: Axes, highest: int) -> None:
    """Counts of models of every size on one axis: logarithmic, but for 0 and 1, which are as far apart as 1 and 10."""
    axes.set_yscale("symlog", linthresh=1)
    top = 10.0
    while top < 1.2 * highest:
        top *= 10
    axes.set_ylim(-0.12, top)
    axes.set_yticks([0, *(10**power for power in range(len(f"{top:.0f}")))])
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_minor_locator(NullLocator())


def _shares(axes: Axes) -> None:
    axes.set_ylim(-3, 106)
    axes.set_yticks([0, 25, 50, 75, 100], ["0", "", "50", "", "100"])


def _draw_new(axes: Axes, layers: list[dict], key: str, how: dict) -> None:
    """Percent of the n-grams of each layer that detects some."""
    told = [(place, layer) for place, layer in zip(depths(len(layers)), layers, strict=True) if layer["ngrams"]]
    axes.plot([place for place, _ in told], [100 * layer[key] / layer["ngrams"] for _, layer in told], **how)


def _draw_model(panels: Sequence[Axes], layers: list[dict], how: dict) -> None:
    detectors, ngrams, overall, against = panels
    places = depths(len(layers))
    detectors.plot(places, [layer["detectors"] for layer in layers], **how)
    ngrams.plot(places, [layer["ngrams"] for layer in layers], **how)
    ngrams.plot(places, [layer["cumulative"] for layer in layers], color=how["color"], linewidth=0.8, linestyle=(0, (3, 1.5)), zorder=1)
    _draw_new(overall, layers, "new_overall", how)
    _draw_new(against, layers, "new_against_previous", how)


def _told(model: Model) -> str:
    positions = " / ".join(f"{count:,}" for count in model.metadata["positions"])
    return f"{positions} positions of core end one, {text_told(model.metadata)}"


def _note(models: Sequence[Model]) -> str:
    settings = models[0].metadata
    kinds = " / ".join(f"{name_of(n)}s" for n in settings["n"])
    counted = "; ".join(" / ".join(f"{model.summary[str(n)]['overall']['detectors']:,}" for n in settings["n"]) for model in models)
    uncovered = [model.name for model in models if not model.metadata["layers_covered"]]
    what = "their n-grams are not the same, and numbers of detectors are no comparison"
    parts = [
        f"A detector is covered by at most {' / '.join(map(str, settings['detector_covering']))} {kinds}, is active",
        f"{percent(settings['detector_rate'])} of the times or more on those that it detects, and these have",
        f"{percent(settings['detector_share'])} of its activations. Detectors of {kinds}, in the order of the models: {counted}.",
        "Layer l of the L covered stands at (l + 1/2) / L; numbers on a logarithmic axis, with 0. Dashed: distinct ones of all layers",
        "so far. New overall: in no layer below; new next: not in the layer before.",
        *([f"No layer is covered of {listed(uncovered)}."] if uncovered else []),
        f"{behind((model.name, _told(model)) for model in models)}{other_text(models, 'text_core_sha256', what)}",
    ]
    return " ".join(parts)


def draw_detectors_group(models: Sequence[Model], columns: int) -> Figure:
    """Draw detectors by layer, distinct n-grams of each layer and so far, and the shares that are new, a line for each model.

    Args:
        models: at least one, in the order of the group, with `neuroncensus.findings.detectors.summarize_detectors` of
            `detectors.parquet` and `detector_ngrams.parquet`.
        columns: width, in columns of a paper.

    Raises:
        CensusError: models differ in n or in what a detector is.
    """
    check_alike(models, ("n", "detector_covering", "detector_rate", "detector_share"))
    sizes = models[0].metadata["n"]
    names = labels([model.name for model in models], LEGEND_SIZE, LEGEND_NAME)
    looks = line_looks([model.metadata["layers_covered"] for model in models])
    across = 2 * columns
    title, note = f"Detectors of n-grams in {listed([model.name for model in models])}", _note(models)
    with look():
        height = 0.4 + ROW_HEIGHTS[columns] * len(sizes) + legend_height(names, columns) + text_height(title, note, columns)
        figure = Figure(figsize=(WIDTHS[columns], height), layout="constrained")
        (body,) = add_bodies(figure)
        rows = len(sizes) * PANELS // across
        grid = body.subplots(rows, across, squeeze=False).ravel()
        for place, n in enumerate(sizes):
            panels, name = list(grid[PANELS * place : PANELS * (place + 1)]), name_of(n)
            for model, how in zip(models, looks, strict=True):
                _draw_model(panels, model.summary[str(n)]["layers"], how)
            layers = [layer for model in models for layer in model.summary[str(n)]["layers"]]
            _counts(panels[0], max((layer["detectors"] for layer in layers), default=0))
            _counts(panels[1], max((layer["cumulative"] for layer in layers), default=0))
            titles = (f"{name} detectors", "detected", "new overall", "new next")
            units = ("neurons", f"{name}s", f"{name}s, %", f"{name}s, %")
            for number, (axes, kind, unit) in enumerate(zip(panels, titles, units, strict=True)):
                axes.set_title(f"{letter(PANELS * place + number)}  {kind}", pad=4)
                axes.set_ylabel(unit)
                bottom = (PANELS * place + number) // across == rows - 1
                depth_axis(axes, label="relative depth" if bottom else "")
                if number > 1:
                    _shares(axes)
                if not any(layer["detectors"] for layer in layers):
                    say(axes, "no detector" if number == 0 else "none")
        add_legend(body, dict(zip(names, grid[0].lines, strict=True)), columns)
        add_title(figure, title, columns)
        add_note(figure, note, columns)
    return figure


def plot_detectors_group(detectors: Sequence[Path], ngrams: Sequence[Path], out: Path, *, columns: int, dpi: int) -> None:
    """Draw the `detectors.parquet` and `detector_ngrams.parquet` of several models into `out`, a .pdf or .png."""
    models = []
    for files in zip(detectors, ngrams, strict=True):
        tables, told = read_findings(dict(zip(("detectors", "detector_ngrams"), files, strict=True)))
        models.append(Model(told["detectors"], summarize_detectors(*tables.values(), told["detectors"])))
    save(draw_detectors_group(models, columns), out, dpi)
