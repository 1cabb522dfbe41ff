"""Figures 3, 4, 14 and 15: detectors of n-grams by layer, what they detect, and what of it is new."""

from pathlib import Path

import polars
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from neuroncensus.figures.ngrams import covered_axis, letter, listed, name_of, percent, say
from neuroncensus.figures.style import BLUE, GREY, ORANGE, PALE, SKY, WIDTHS, add_note, add_title, look, save
from neuroncensus.findings.agree import read_findings
from neuroncensus.findings.detectors import summarize_detectors

ROW_HEIGHTS = {1: 1.5, 2: 1.75}
"""Inches of a row of panels, by columns."""


def _scale(axes: Axes, highest: int) -> None:
    axes.set_ylim(0, 1.1 * highest)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))


def _lines(axes: Axes, layers: list[dict], kinds: dict[str, dict]) -> None:
    """A line for each key of the layers."""
    numbers = [layer["layer"] for layer in layers]
    size = 3 if len(layers) <= 24 else 1.5
    for key, how in kinds.items():
        (line,) = axes.plot(numbers, [layer[key] for layer in layers], marker="o", markersize=size, zorder=2)
        line.set(**how)
    _scale(axes, max(layer[key] for layer in layers for key in kinds))


def _draw_detectors(axes: Axes, layers: list[dict]) -> None:
    # Where all are strict, both lines show: the quiet one lies on top, thinner.
    quiet = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (3, 1.5)), "markersize": 1.5}
    _lines(axes, layers, {"detectors": {"color": BLUE, "label": "all"}, "strict": {**quiet, "label": "strict"}})


def _draw_cumulative(axes: Axes, layers: list[dict]) -> None:
    _lines(axes, layers, {"cumulative": {"color": ORANGE, "label": "with all below"}})


def _draw_new(axes: Axes, layers: list[dict]) -> None:
    """Bars of the n-grams of each layer: those in no layer below at the bottom, then those not in the layer before, then the others."""
    numbers = [layer["layer"] for layer in layers]
    width = 0.8 if len(layers) <= 24 else 1.0
    kinds = (
        ("new overall", lambda layer: layer["new_overall"], BLUE),
        ("new again", lambda layer: layer["new_against_previous"] - layer["new_overall"], SKY),
        ("not new", lambda layer: layer["ngrams"] - layer["new_against_previous"], PALE),
    )
    base = [0] * len(layers)
    for label, count, colour in kinds:
        heights = [count(layer) for layer in layers]
        axes.bar(numbers, heights, bottom=base, width=width, color=colour, label=label, zorder=2)
        base = [low + height for low, height in zip(base, heights, strict=True)]
    _scale(axes, max(base))


def _medians(summary: dict, name: str) -> str:
    """Of each n."""
    medians = [numbers["overall"][name] for numbers in summary.values()]
    return " / ".join("-" if median is None else f"{median:.0%}" for median in medians)


def _note(metadata: dict, summary: dict) -> str:
    rate, share = percent(metadata["detector_rate"]), percent(metadata["detector_share"])
    most = " / ".join(map(str, metadata["detector_covering"]))
    positions = " / ".join(f"{count:,}" for count in metadata["positions"])
    parts = [
        f"A detector is covered by at most {most} {' / '.join(name_of(n) + 's' for n in metadata['n'])};",
        f"it detects those at whose occurrences it is active {rate} of the times or more, and they have {share} of its activations.",
        "Strict: all that cover it are detected. New again: in a layer below, but not in the previous one.",
        f"{positions} positions of core end one, corpus {metadata['corpus']}; {metadata['dtype']}.",
    ]
    if any(numbers["overall"]["detectors"] for numbers in summary.values()):
        rates, shares = (_medians(summary, name) for name in ("held_out_rate", "held_out_share"))
        held_out = f"Held out, medians: those detected on half of the documents activate it at {rates} of their occurrences in the others,"
        parts[3:3] = [held_out, f"where they have {shares} of its activations."]
    return " ".join(parts)


def _mosaic(columns: int, count: int) -> str:
    """Panels: detectors, so far, and new of each n, in a row, or in one column with the third below."""
    letters = [[letter(3 * place + number) for number in range(3)] for place in range(count)]
    return ";".join(f"{a}{b}{c}{c}" if columns == 2 else f"{a}{b};{c}{c}" for a, b, c in letters)


def draw_detectors(detectors: polars.DataFrame, ngrams: polars.DataFrame, metadata: dict, columns: int) -> Figure:
    """Draw detectors, distinct detected n-grams so far, and those of each layer with what is new, for each n, for one model.

    Args:
        detectors: `detectors.parquet`.
        ngrams: `detector_ngrams.parquet`.
        metadata: of either file.
        columns: width, in columns of a paper.
    """
    summary = summarize_detectors(detectors, ngrams, metadata)
    mosaic = _mosaic(columns, len(summary))
    with look():
        rows = len(mosaic.split(";"))
        figure = Figure(figsize=(WIDTHS[columns], 1.05 + ROW_HEIGHTS[columns] * rows), layout="constrained")
        panels = figure.subplot_mosaic(mosaic)
        for place, (n, numbers) in enumerate(summary.items()):
            name, layers = name_of(int(n)), numbers["layers"]
            titles = (f"{name} detectors", f"{name}s so far", f"detected {name}s")
            draws = (_draw_detectors, _draw_cumulative, _draw_new)
            for number, (title, draw) in enumerate(zip(titles, draws, strict=True)):
                panel = letter(3 * place + number)
                axes = panels[panel]
                axes.set_title(f"{panel}  {title}", pad=16 if place == 0 else 5)
                axes.set_ylabel("neurons" if number == 0 else f"{name}s")
                if numbers["overall"]["detectors"]:
                    draw(axes, layers)
                else:
                    say(axes, "no layer is covered" if not layers else "no detector" if number == 0 else "none")
                wide = number == 2
                named = place == len(summary) - 1 and (wide or columns == 2)
                covered_axis(axes, len(layers), named=named, labels=16 if wide else 4 * columns)
        for number in range(3):
            # One legend for the panels of a kind, above the first, be it empty.
            kind = [panels[letter(3 * place + number)] for place in range(len(summary))]
            entries = max((axes.get_legend_handles_labels() for axes in kind), key=lambda found: len(found[0]))
            if entries[0]:
                kind[0].legend(*entries, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        found = listed([f"{numbers['overall']['detectors']:,} {name_of(int(n))}" for n, numbers in summary.items()])
        add_title(figure, f"{metadata['model']}: {found} detectors", columns)
        add_note(figure, _note(metadata, summary), columns)
    return figure


def plot_detectors(detectors: Path, ngrams: Path, out: Path, *, columns: int, dpi: int) -> None:
    """Draw `detectors.parquet` and `detector_ngrams.parquet` into `out`, a .pdf or .png."""
    tables, told = read_findings({"detectors": detectors, "detector_ngrams": ngrams})
    save(draw_detectors(*tables.values(), told["detectors"], columns), out, dpi)
