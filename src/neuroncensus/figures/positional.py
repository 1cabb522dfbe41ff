"""Figures 7, 8, 9 and 16: where positional neurons are, what they look like, and what the oscillatory ones of a layer do together."""

from collections.abc import Mapping
from pathlib import Path

import numpy
import polars
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neuroncensus.errors import CensusError
from neuroncensus.figures.ngrams import listed, say
from neuroncensus.figures.style import GREY, WIDTHS, add_note, add_title, layer_axis, look, save
from neuroncensus.findings.agree import read_findings
from neuroncensus.findings.information import LEAST_WINDOW
from neuroncensus.findings.positional import summarize_positional
from neuroncensus.findings.shapes import BOTH, ONE, OSCILLATORY, OTHER, TYPES

# The paper's colours of the types, of Okabe and Ito's palette or near it, dark for strong and light for weak neurons.
COLOURS = {
    OSCILLATORY: ("#6A2C91", "#C9A6DD"),
    BOTH: ("#C33C00", "#F4B08C"),
    ONE: ("#00805C", "#8FD6BE"),
    OTHER: ("#C79500", "#F7DC7D"),
}
MOST_NAMED = 16
"""Neurons whose ranges have their numbers beside them."""


def draw_map(axes: Axes, table: polars.DataFrame, layers: int, labels: int = 16) -> None:
    """A dot for each positional neuron of `positional.parquet`: layer against neuron, colour by type, dark if strong (figure 8).

    Args:
        axes: a panel.
        table: `positional.parquet`.
        layers: how many the model has.
        labels: of layers, most there is room for.
    """
    found = table.filter("positional")
    neurons = table["neuron"].n_unique()
    size = 9 if len(found) < 400 else 3 if len(found) < 4000 else 1
    for strong in (False, True):  # the dark ones on top
        for kind, (dark, light) in COLOURS.items():
            rows = found.filter((polars.col("type") == kind) & (polars.col("strong") == strong))
            colour = dark if strong else light
            # Tens of thousands of dots as vectors would be slow to look at.
            axes.scatter(rows["layer"], rows["neuron"], s=size, c=colour, linewidths=0, rasterized=len(found) > 4000, zorder=2 + strong)
    layer_axis(axes, layers, labels)
    axes.set_ylim(-0.02 * neurons, 1.02 * neurons)
    axes.set_ylabel("neuron")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    if not len(found):
        axes.text(0.5, 0.5, "no positional neuron", transform=axes.transAxes, ha="center", va="center", color=GREY)


def type_handles() -> list[Line2D]:
    """Entries of a legend of the types."""
    return [Line2D([], [], linestyle="", marker="o", markersize=4, color=COLOURS[kind][0], label=kind) for kind in TYPES]


def _draw_counts(axes: Axes, layers: list[dict]) -> None:
    """Positional neurons of each layer by type, the strong ones of each below its weak ones."""
    base, width = [0] * len(layers), 0.8 if len(layers) <= 24 else 1.0
    for kind, colours in COLOURS.items():
        for strength, colour in zip(("strong", "weak"), colours, strict=True):
            counts = [layer["types"][kind][strength] for layer in layers]
            axes.bar([layer["layer"] for layer in layers], counts, bottom=base, width=width, color=colour, zorder=2)
            base = [low + count for low, count in zip(base, counts, strict=True)]
    layer_axis(axes, len(layers))
    axes.set_ylim(0, max(1.0, 1.1 * max(base)))
    axes.set_ylabel("positional neurons")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _draw_example(axes: Axes, kind: str, table: polars.DataFrame, profiles: polars.DataFrame, compared: str) -> None:
    """Activity over positions of the neuron of a type that tells most of the position, a strong one if there is one (figure 7)."""
    axes.set_ylim(-0.03, 1.03)
    found = table.filter(polars.col("type") == kind).sort("strong", compared, descending=True, maintain_order=True)
    if not len(found):
        axes.set_title(f"{kind}: none", pad=4)
        say(axes, "none")
        axes.set_xticks([])
        return
    row = found.row(0, named=True)
    one = profiles.filter((polars.col("layer") == row["layer"]) & (polars.col("neuron") == row["neuron"]) & (polars.col("domain") == "all"))
    shares = one["fr"][0].to_numpy()
    axes.plot(numpy.arange(len(shares)), shares, color=COLOURS[kind][0], linewidth=0.8)
    axes.set_title(f"{kind}: {row['layer']}/{row['neuron']}", pad=4)
    axes.set_xlabel("position")
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))


def _chosen(layers: list[dict], layer: int | None, model: str) -> dict:
    """The layer of figure 9."""
    if layer is not None and layer >= len(layers):
        raise CensusError(f"positional.ranges_layer is {layer} but model {model} has {len(layers)} layers: name one below, or null")
    return layers[layer] if layer is not None else max(layers, key=lambda told: told["types"][OSCILLATORY]["strong"])


def _draw_ranges(axes: Axes, found: dict, window: int) -> None:
    """A line of bars for each strong oscillatory neuron of a layer, the lowest start below, redundant ones light (figure 9)."""
    order = sorted(range(len(found["neurons"])), key=lambda place: (found["ranges"][place], found["neurons"][place]))
    for line, place in enumerate(order):
        redundant = found["neurons"][place] in found["redundant"]
        bars = [(start, end - start + 1) for start, end in found["ranges"][place]]
        axes.broken_barh(bars, (line - 0.35, 0.7), facecolors=COLOURS[OSCILLATORY][redundant], zorder=2)
    axes.set_xlim(0, window)
    axes.set_ylim(-0.7, len(order) - 0.3)
    named = len(order) <= MOST_NAMED
    axes.set_yticks(range(len(order)) if named else [], [str(found["neurons"][place]) for place in order] if named else [])
    axes.set_ylabel("neuron")
    axes.set_xlabel("position")


def _ranges_sentence(layer: dict, layers: list[dict]) -> str:
    found = layer["oscillation"]
    if found is None:
        some = any(other["oscillation"] for other in layers)
        where = f"Layer {layer['layer']} has no" if some else "No layer has a"
        return f"{where} strong oscillatory neuron whose ranges could be shown. "
    told = f"d: the {len(found['neurons'])} strong oscillatory neurons cover {found['covered']:.0%} of positions, "
    told += f"{len(found['redundant'])} of them, light, nothing that the others do not"
    if found["median_shift_correlation"] is None:
        return f"{told}. "
    best = f"{found['median_shift_correlation']:.2f}, the lowest {found['lowest_shift_correlation']:.2f}"
    return f"{told}; of two of their curves, shifted in a circle, the median best correlation is {best}. "


def _counts(types: Mapping[str, int]) -> str:
    return " / ".join(str(types[kind]) for kind in TYPES)


def _note(summary: dict, metadata: dict, chosen: dict) -> str:
    others, domains = summary["overall"]["types_otherwise"], [f"{name} {count:,}" for name, count in summary["domains"].items()]
    counted = {kind: sum(numbers.values()) for kind, numbers in summary["overall"]["types"].items()}
    otherwise = ", ".join(f"with {name.replace('weak', 'weak e')} {_counts(counts)}" for name, counts in others.items())
    parts = [
        f"Positional: over {metadata['mutual_information']:g} nats of mutual information with the position"
        + (f", over text positions alone as windows have under {LEAST_WINDOW} of them." if summary["compared"].endswith("text") else "."),
        f"{' / '.join(TYPES)}: {_counts(counted)}; {otherwise}. Dark: strong; light: weak. {_ranges_sentence(chosen, summary['layers'])}"
        f"{summary['windows']:,} full windows of {summary['window']} positions ({listed(domains)}), corpus {metadata['corpus']}; "
        f"{metadata['dtype']}." + (" Too few windows to rely on the information: under 5 / threshold." if summary["unreliable"] else ""),
    ]
    return " ".join(parts)


def draw_positional(table: polars.DataFrame, profiles: polars.DataFrame, metadata: dict, columns: int, layer: int | None = None) -> Figure:
    """Draw the map of positional neurons, their number by layer, an example of each type, and the ranges of one layer.

    Args:
        table: `positional.parquet`.
        profiles: `profiles.parquet`.
        metadata: of either file.
        columns: width, in columns of a paper.
        layer: whose strong oscillatory neurons' ranges are shown; None takes the layer with the most, the lowest of equals.

    Raises:
        CensusError: the model has no such layer.
    """
    summary = summarize_positional(table, profiles, metadata)
    layers, overall = summary["layers"], summary["overall"]
    chosen = _chosen(layers, layer, metadata["model"])
    oscillation = chosen["oscillation"]
    mosaic = ["aaab", "cdef"] if columns == 2 else ["aa", "bb", "cd", "ef"]
    heights = [2.6, 1.6] if columns == 2 else [2.5, 1.4, 1.25, 1.25]
    if oscillation is not None:
        mosaic, heights = [*mosaic, "g" * len(mosaic[0])], [*heights, 1.7]
    with look():
        figure = Figure(figsize=(WIDTHS[columns], 0.8 + sum(heights)), layout="constrained")
        panels = figure.subplot_mosaic([list(row) for row in mosaic], height_ratios=heights)
        draw_map(panels["a"], table, len(layers))
        panels["a"].set_title("a  map")
        panels["a"].legend(handles=type_handles(), loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
        _draw_counts(panels["b"], layers)
        panels["b"].set_title("b  by layer", pad=4)
        panels["b"].xaxis.set_major_locator(MaxNLocator(4 * (3 - columns) + 1, integer=True))
        for name, kind in zip("cdef", TYPES, strict=True):
            _draw_example(panels[name], kind, table, profiles, summary["compared"])
        panels["c"].set_title(f"c  {panels['c'].get_title('left')}", pad=4)
        panels["c"].set_ylabel("share of windows")
        if columns == 1:
            panels["e"].set_ylabel("share of windows")
        if oscillation is not None:
            panels["g"].set_title(f"d  ranges in layer {chosen['layer']}", pad=4)
            _draw_ranges(panels["g"], oscillation, summary["window"])
        add_title(figure, f"{metadata['model']}: {overall['positional']:,} of {overall['neurons']:,} neurons are positional", columns)
        add_note(figure, _note(summary, metadata, chosen), columns)
    return figure


def plot_positional(table: Path, profiles: Path, out: Path, *, layer: int | None, columns: int, dpi: int) -> None:
    """Draw `positional.parquet` and `profiles.parquet` into `out`, a .pdf or .png."""
    tables, told = read_findings({"positional": table, "profiles": profiles})
    save(draw_positional(*tables.values(), told["positional"], columns, layer), out, dpi)
