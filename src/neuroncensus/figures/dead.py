"""Figure 1: dead neurons by layer, and how often the others are active."""

from pathlib import Path

import polars
from matplotlib.figure import Figure

from neuroncensus.figures.style import BLUE, GREY, ORANGE, SKY, VERMILION, WIDTHS, add_note, layer_axis, look, save
from neuroncensus.findings.dead import summarize_dead
from neuroncensus.tablefiles import read_metadata, read_table


def draw_dead(table: polars.DataFrame, metadata: dict, columns: int) -> Figure:
    """Draw figure 1a (shares of dead neurons by layer) and 1b (mean frequency of the others) for one model.

    Args:
        table: `dead.parquet`.
        metadata: of that file.
        columns: width, in columns of a paper.
    """
    summary = summarize_dead(table)
    layers, overall = summary["layers"], summary["overall"]
    number = [layer["layer"] for layer in layers]
    with look():
        figure = Figure(figsize=(WIDTHS[columns], 2.6 if columns == 2 else 4.6), layout="constrained")
        shares, rates = figure.subplots(*((1, 2) if columns == 2 else (2, 1)))

        kinds = (
            ("dead for every input (proved)", [layer["provably_dead"] for layer in layers], VERMILION),
            ("dead on this text", [layer["dead"] - layer["provably_dead"] for layer in layers], ORANGE),
            ("active at BOS only", [layer["bos_only"] for layer in layers], SKY),
        )
        base = [0.0] * len(layers)
        for label, counts, colour in kinds:
            heights = [100 * count / layer["neurons"] for count, layer in zip(counts, layers, strict=True)]
            shares.bar(number, heights, bottom=base, width=0.8, color=colour, label=label, zorder=2)
            base = [low + height for low, height in zip(base, heights, strict=True)]
        shares.set_ylabel("neurons of the layer, %")
        shares.set_ylim(0, min(100.0, max(5.0, 1.45 * max(base))))
        shares.set_title("a  dead neurons")
        shares.legend(loc="upper left", ncols=1)

        alive = [(layer["layer"], 100 * layer["mean_frequency"]) for layer in layers if layer["mean_frequency"] is not None]
        if alive:
            rates.plot(*zip(*alive, strict=True), marker="o", markersize=3, color=BLUE, zorder=2)
        else:
            rates.text(0.5, 0.5, "no neuron is alive", transform=rates.transAxes, ha="center", va="center", color=GREY)
        rates.set_ylim(bottom=0)
        rates.set_ylabel("mean frequency of those\nnot dead, % of positions")
        rates.set_title("b  how often the others are active")
        for axes in (shares, rates):
            layer_axis(axes, len(layers))

        figure.suptitle(
            f"{metadata['model']}: {overall['dead']:,} of {overall['neurons']:,} neurons are dead", x=0.01, ha="left", fontsize=9
        )
        note = (
            f"{overall['tokens']:,} positions in {metadata['windows']:,} windows of at most {metadata['window']} tokens, "
            f"{overall['documents']:,} documents of corpus {metadata['corpus']}; {metadata['dtype']}. Shaded: first half of the layers."
        )
        add_note(figure, note, columns)
    return figure


def plot_dead(table: Path, out: Path, *, columns: int, dpi: int) -> None:
    """Draw `dead.parquet` into `out`, a .pdf or .png."""
    figure = draw_dead(polars.DataFrame(read_table(table)), read_metadata(table), columns)
    save(figure, out, dpi)
