"""What is dead and why, and what more text would wake (beyond the paper)."""

from pathlib import Path

import numpy
import polars
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuroncensus.figures.ngrams import rounded, say
from neuroncensus.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    WIDTHS,
    add_note,
    add_title,
    layer_axis,
    legend_above,
    look,
    save,
)
from neuroncensus.findings.agree import read_findings
from neuroncensus.findings.saturation import RAREFACTION, SHARD, summarize_saturation

HEIGHTS = {1: 9.4, 2: 5.2}
"""Inches, by columns."""
MARKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"), (VERMILION, "v"), (SKY, "P"))
MOST_NAMED = 6
"""Domains that the legend names; the others share a mark."""


def _draw_shares(axes: Axes, layers: list[dict]) -> None:
    kinds = (
        ("proved dead", "provably_dead", VERMILION),
        ("dead here", "dead_on_this_text", ORANGE),
        ("BOS-only", "bos_only", SKY),
        ("alive", "alive", BLUE),
    )
    base = [0.0] * len(layers)
    for label, key, colour in kinds:
        heights = [100 * layer[key] / layer["neurons"] for layer in layers]
        axes.bar([layer["layer"] for layer in layers], heights, bottom=base, width=0.8, color=colour, label=label, zorder=2)
        base = [low + height for low, height in zip(base, heights, strict=True)]
    axes.set_ylim(0, 100)
    axes.set_ylabel("neurons of the layer, %")
    legend_above(axes, 4)


def _draw_growth(axes: Axes, table: polars.DataFrame) -> None:
    whole = table.filter(polars.col("layer").is_null())
    drawn = whole.filter(polars.col("kind") == RAREFACTION).sort("documents")
    axes.plot(drawn["documents"], drawn["alive"], color=GREY, label="documents in any order, expected", zorder=2)
    shards = whole.filter(polars.col("kind") == SHARD)
    domains = sorted(set(shards["domain"].to_list()))
    for number, domain in enumerate(domains):
        colour, mark = MARKS[number] if number < MOST_NAMED else (GREY, ".")
        of_domain = shards.filter(polars.col("domain") == domain)
        label = domain if number < MOST_NAMED else "other domains" if number == MOST_NAMED else None
        axes.plot(of_domain["documents"], of_domain["alive"], mark, markersize=4, color=colour, label=label, zorder=3)
    axes.set_xscale("log")
    axes.set_xlabel("documents")
    axes.set_ylabel("neurons alive in text")
    axes.legend(loc="lower right")


def _draw_unseen(axes: Axes, layers: list[dict]) -> None:
    numbers = [layer["layer"] for layer in layers]
    dead = [layer["dead_on_this_text"] for layer in layers]
    axes.bar(numbers, dead, width=0.8, color=ORANGE, alpha=0.5, label="dead here", zorder=1)
    ends = [layer["chao2_interval"] or [layer["chao2"]] * 2 for layer in layers]
    least = [layer["chao2"] for layer in layers]
    reach = numpy.abs(numpy.array(ends).T - least)
    axes.errorbar(numbers, least, yerr=reach, fmt="o", markersize=3, linewidth=1, color=BLUE, label="would wake, at least", zorder=2)
    highest = max(*dead, *(high for _, high in ends))
    axes.set_ylim(-0.03 * max(1.0, highest), max(1.0, 1.1 * highest))
    axes.set_ylabel("neurons")
    legend_above(axes, 2)


def _draw_depth(axes: Axes, dead: polars.DataFrame, width: int, layers: int) -> None:
    """How far below zero neurons lie, as a share of what proves them dead: median and range of the dead, median of the others."""
    depth = (polars.col("depth") / width**0.5).alias("share")
    told = dead.select("layer", "dead", depth).drop_nulls("share")
    for flag, label, colour in ((True, "dead: median, all", VERMILION), (False, "not dead: median", BLUE)):
        kind = (
            told.filter(polars.col("dead") == flag)
            .group_by("layer")
            .agg(
                polars.col("share").median().alias("middle"),
                polars.col("share").min().alias("low"),
                polars.col("share").max().alias("high"),
            )
        )
        kind = kind.sort("layer")
        if not len(kind):
            continue
        if flag:
            axes.vlines(kind["layer"], kind["low"], kind["high"], color=colour, linewidth=1, alpha=0.6, zorder=2)
        axes.plot(kind["layer"], kind["middle"], "o", markersize=3 if layers <= 24 else 1.5, color=colour, label=label, zorder=2)
    if not len(told):
        say(axes, "no neuron reads a LayerNorm")
        return
    axes.axhline(1, color=GREY, linewidth=0.8, linestyle=(0, (3, 1.5)), zorder=1)
    axes.set_ylabel("depth / proof")
    legend_above(axes, 2)


def _note(metadata: dict, overall: dict) -> str:
    interval = overall["chao2_interval"]
    span = f" (95% {interval[0]:,.0f} to {interval[1]:,.0f})" if interval else ""
    parts = [
        f"Dead here: on this text, and not proved. b: {overall['documents']:,} documents of corpus {metadata['corpus']},",
        f"{metadata['tokens']:,} positions; a mark is a shard with all before it, in the corpus's order. c: Chao2 over documents;",
        f"in all layers {overall['chao2']:,.0f}{span} or more of {overall['dead_on_this_text']:,} would wake, in text of the same mix.",
        f"A neuron never seen is active in at most {rounded(overall['rate_bound'])} of such documents (95%, it alone).",
        f"d: depth over the square root of the width, which proves a neuron dead from 1 on. {metadata['dtype']}.",
    ]
    return " ".join(parts)


def draw_saturation(table: polars.DataFrame, dead: polars.DataFrame, metadata: dict, columns: int) -> Figure:
    """Draw what kinds of neurons there are by layer, how alive ones grow with text, what would wake, and how deep the dead lie.

    Args:
        table: `saturation.parquet`.
        dead: `dead.parquet`.
        metadata: of `saturation.parquet`.
        columns: width, in columns of a paper.
    """
    summary = summarize_saturation(table, dead)
    layers, overall = summary["layers"], summary["overall"]
    with look():
        figure = Figure(figsize=(WIDTHS[columns], HEIGHTS[columns]), layout="constrained")
        panels = figure.subplots(*((2, 2) if columns == 2 else (4, 1))).ravel()
        titles = ("a  dead and alive", "b  alive, by documents", "c  what more text would wake", "d  how deep the dead lie")
        for axes, title in zip(panels, titles, strict=True):
            axes.set_title(title)
        _draw_shares(panels[0], layers)
        _draw_growth(panels[1], table)
        _draw_unseen(panels[2], layers)
        _draw_depth(panels[3], dead, metadata["d"], len(layers))
        for axes in (panels[0], panels[2], panels[3]):
            layer_axis(axes, len(layers))
        alive = overall["alive"] / overall["neurons"]
        add_title(figure, f"{metadata['model']}: {rounded(alive)} of {overall['neurons']:,} neurons alive on this text", columns)
        add_note(figure, _note(metadata, overall), columns)
    return figure


def plot_saturation(table: Path, dead: Path, out: Path, *, columns: int, dpi: int) -> None:
    """Draw `saturation.parquet` and `dead.parquet` into `out`, a .pdf or .png."""
    tables, told = read_findings({"saturation": table, "dead": dead})
    save(draw_saturation(*tables.values(), told["saturation"], columns), out, dpi)
