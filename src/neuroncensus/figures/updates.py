"""Figure 5 and what belongs to it: what token detectors write, whether they suppress their triggers, by the weights and in effect."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy
import polars
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuroncensus.corpora.readable import token_reader
from neuroncensus.figures.ngrams import covered_axis, rounded, say
from neuroncensus.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    WIDTHS,
    add_note,
    add_title,
    drawable,
    layer_axis,
    legend_above,
    look,
    save,
    shortened,
)
from neuroncensus.findings.ablation import summarize_ablation
from neuroncensus.findings.agree import read_findings
from neuroncensus.findings.trigger_updates import summarize_trigger_updates
from neuroncensus.findings.updates import DETECTORS, OTHERS, POSITIONAL, summarize_updates

HEIGHTS = {1: 10.4, 2: 5.1}
"""Inches, by columns."""
MOSAICS = {1: "a;b;c;d;e", 2: "aabbcc;ddeeee"}
ROW_HEIGHTS = {1: (1, 1, 1, 1, 1.5), 2: (1, 1.2)}
"""Of the rows of panels, in proportion."""
EXAMPLES, EXAMPLE_SIZE = 9, 5.5
"""Rows of the table of examples, and the size of its letters, in points."""
PLACES = (0.0, 0.17, 0.39, 0.69, 1.0)
"""Where its columns begin, as shares of its width."""
TABLE_WIDTHS = {1: 2.5, 2: 3.7}
"""Inches that it has at least."""


def reach(told: Sequence[dict]) -> list[list[float]]:
    """How far the intervals of means go below and above them; not at all where there is none."""
    ends = [(one["mean"], *(one["interval"] or [one["mean"]] * 2)) for one in told]
    # Percentiles of resamples may leave the mean itself out by a rounding.
    return [[max(0.0, mean - low) for mean, low, _ in ends], [max(0.0, high - mean) for mean, _, high in ends]]


def _bars(axes: Axes, layers: list[dict], name: str, how: dict) -> None:
    """Means of the layers that have one, with their intervals."""
    told = [layer for layer in layers if layer[name]["mean"] is not None]
    numbers, means = [layer["layer"] for layer in told], [layer[name]["mean"] for layer in told]
    axes.errorbar(numbers, means, yerr=reach([layer[name] for layer in told]), fmt="o", markersize=3, linewidth=1, zorder=2, **how)


def in_percent(told: dict) -> dict:
    """A share with its interval, in percent."""
    mean, interval = told["mean"], told["interval"]
    return {"mean": None if mean is None else 100 * mean, "interval": interval and [100 * end for end in interval]}


def _draw_shares(axes: Axes, layers: list[dict], name: str, null: str) -> None:
    percent = [layer | {key: in_percent(layer[key]) for key in (name, null)} for layer in layers]
    _bars(axes, percent, name, {"color": BLUE, "label": "their own"})
    if any(layer[null]["mean"] is not None for layer in percent):
        _bars(axes, percent, null, {"color": GREY, "label": "others' (null)", "markerfacecolor": "white"})
    axes.set_ylim(-3, 103)
    axes.set_ylabel("detectors, %")
    legend_above(axes, 2)


def _draw_effects(axes: Axes, layers: list[dict]) -> None:
    axes.axhline(0, color=GREY, linewidth=0.6, zorder=1)
    _bars(axes, layers, "logit_change", {"color": BLUE, "label": "detectors"})
    if any(layer["matched_logit_change"]["mean"] is not None for layer in layers):
        _bars(axes, layers, "matched_logit_change", {"color": GREY, "label": "matched", "markerfacecolor": "white"})
    axes.set_ylabel("change of trigger's logit")
    legend_above(axes, 2)


def _draw_kurtosis(axes: Axes, layers: list[dict]) -> None:
    kinds = ((OTHERS, "others", GREY), (DETECTORS, "detectors", BLUE), (POSITIONAL, "positional", ORANGE))
    size = 3 if len(layers) <= 24 else 1.5
    for kind, label, colour in kinds:
        told = [(layer["layer"], layer[kind]["median_kurtosis"]) for layer in layers if layer[kind] is not None]
        drawn = [(layer, median) for layer, median in told if median is not None]
        if drawn:
            axes.plot(*zip(*drawn, strict=True), marker="o", markersize=size, color=colour, label=label, zorder=2)
    axes.set_ylabel("median excess kurtosis")
    layer_axis(axes, len(layers), 8)
    legend_above(axes, 3)


def draw_examples(axes: Axes, rows: Sequence[Sequence[str]], places: Sequence[float], inches: float, lines: int) -> None:
    """A table of texts, the first row its header.

    Args:
        axes: where it is drawn.
        rows: of cells.
        places: where columns begin and the last ends, as shares of the width.
        inches: width that it has at least; cells are cut to it.
        lines: how many rows there is room for.
    """
    axes.set_axis_off()
    for number, cells in enumerate(rows):
        for place, end, cell in zip(places[:-1], places[1:], cells, strict=True):
            text = shortened(drawable(cell), EXAMPLE_SIZE, (end - place) * inches - 0.05)
            how: dict = {"color": GREY} if number == 0 else {}
            height = 1 - (number + 0.5) / lines
            axes.text(place, height, text, transform=axes.transAxes, va="center", fontsize=EXAMPLE_SIZE, parse_math=False, **how)


HEADER = ("neuron", "detects", "promotes", "suppresses")


def examples(
    triggers: polars.DataFrame, updates: polars.DataFrame, ngrams: polars.DataFrame, read: Callable[[int], str], most: int
) -> list[list[str]]:
    """Rows of figure 5: some token detectors, in even steps through all of them, and none picked for what it shows."""
    keys = ["layer", "neuron"]
    if not len(triggers):
        return []
    places = numpy.unique(numpy.linspace(0, len(triggers) - 1, min(most, len(triggers))).round().astype(int))
    tokens = ngrams.filter(polars.col("n") == 1).sort("activations", descending=True, maintain_order=True)
    texts = tokens.group_by(keys, maintain_order=True).agg("text")
    rows = triggers.select(keys)[places].join(texts, on=keys, how="left").join(updates, on=keys, how="left").sort(keys)

    def words(ids: Sequence[int]) -> str:
        return "  ".join(read(token) for token in ids)

    return [
        [f"{row['layer']}.{row['neuron']}", "  ".join(row["text"] or []), words(row["promoted"]), words(row["suppressed"])]
        for row in rows.to_dicts()
    ]


def _span(told: dict) -> str:
    """A share with its interval."""
    if told["mean"] is None:
        return "-"
    interval = told["interval"]
    return rounded(told["mean"]) if interval is None else f"{rounded(told['mean'])} ({rounded(interval[0])} to {rounded(interval[1])})"


def _note(metadata: dict, triggers: dict, effects: dict, kinds: dict) -> str:
    strong = "" if kinds["overall"][POSITIONAL] is None else "; positional: strong ones"
    overall, after = triggers["overall"], effects["overall"]
    parts = [f"Intervals: 95%, bootstrap over detectors. d: of the centred logits of updates, 0 for a bell curve{strong}."]
    if overall["detectors"]:
        parts += [
            "A token detector suppresses its trigger if its update's mean logit over the tokens that it detects is below 0;",
            "centred: less the mean of all tokens. Null: the same update at the tokens of the layer's other detectors.",
            f"Overall {_span(overall['suppresses_trigger'])} and centred {_span(overall['suppresses_centred'])} do,",
            f"null {_span(overall['null_suppresses'])} and {_span(overall['null_suppresses_centred'])}.",
            f"c: {after['detectors']:,} detectors zeroed at {after['contexts']:,} occurrences of their tokens: change, at the end of the",
            "network, of that token's logit less the mean logit; matched: neurons of the layer that write as much there.",
            "e: detectors in even steps through all of them, tokens the most extreme first.",
        ]
    return " ".join([*parts, f"Corpus {metadata['corpus']}; {metadata['dtype']}."])


def draw_updates(tables: dict[str, polars.DataFrame], metadata: dict[str, dict], read: Callable[[int], str], columns: int) -> Figure:
    """Draw which token detectors suppress their triggers, raw and centred, what zeroing them does, kurtosis by kind, and examples.

    Args:
        tables: `updates`, `trigger_updates`, `ablation`, `detector_ngrams`, and `positional` where positions are counted.
        metadata: of `trigger_updates` and `ablation`.
        read: text of a token's id.
        columns: width, in columns of a paper.
    """
    told, after = metadata["trigger_updates"], metadata["ablation"]
    triggers = summarize_trigger_updates(tables["trigger_updates"], told)
    effects = summarize_ablation(tables["ablation"], after, told["resamples"], told["seed"])
    kinds = summarize_updates(tables["updates"], tables["trigger_updates"], tables.get("positional"))
    with look():
        figure = Figure(figsize=(WIDTHS[columns], HEIGHTS[columns]), layout="constrained")
        panels = figure.subplot_mosaic(MOSAICS[columns], height_ratios=ROW_HEIGHTS[columns])
        titles = ("a  suppress, raw", "b  suppress, centred", "c  zeroed", "d  how their logits spread", "e  examples")
        for name, title in zip("abcde", titles, strict=True):
            panels[name].set_title(title, pad=16 if name != "e" else 4)
        detectors = triggers["overall"]["detectors"]
        draws = {
            "a": lambda axes: _draw_shares(axes, triggers["layers"], "suppresses_trigger", "null_suppresses"),
            "b": lambda axes: _draw_shares(axes, triggers["layers"], "suppresses_centred", "null_suppresses_centred"),
            "c": lambda axes: _draw_effects(axes, effects["layers"]),
        }
        for name, draw in draws.items():
            axes, some = panels[name], effects["overall"]["detectors"] if name == "c" else detectors
            if some:
                draw(axes)
            else:
                say(axes, "no token detector" if not detectors else "none active in its contexts")
            covered_axis(axes, told["layers_covered"], named=True, labels=4 * columns)
        _draw_kurtosis(panels["d"], kinds["layers"])
        if detectors:
            rows = examples(tables["trigger_updates"], tables["updates"], tables["detector_ngrams"], read, EXAMPLES)
            draw_examples(panels["e"], [HEADER, *rows], PLACES, TABLE_WIDTHS[columns], EXAMPLES + 1)
        else:
            panels["e"].set_axis_off()
            say(panels["e"], "no token detector")
        share = f", {rounded(triggers['overall']['suppresses_trigger']['mean'])} suppress their trigger" if detectors else ""
        add_title(figure, f"{told['model']}: {detectors:,} token detector{'' if detectors == 1 else 's'}{share}", columns)
        add_note(figure, _note(told, triggers, effects, kinds), columns)
    return figure


def plot_updates(tables: dict[str, Path], tokenizer: Path, out: Path, *, columns: int, dpi: int) -> None:
    """Draw what neurons write into `out`, a .pdf or .png.

    Args:
        tables: `updates`, `trigger_updates`, `ablation`, `detector_ngrams`, and `positional` where positions are counted.
        tokenizer: folder of the model's tokenizer.
        out: the figure.
        columns: width, in columns of a paper.
        dpi: of a .png.
    """
    wanted = {"updates": ["layer", "neuron", "kurtosis", "promoted", "suppressed"]}
    frames, metadata = read_findings(tables, wanted)
    save(draw_updates(frames, metadata, token_reader(tokenizer), columns), out, dpi)
