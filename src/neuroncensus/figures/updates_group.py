"""Figure 5 across models: which token detectors suppress their triggers, what zeroing them does, how logits spread, and examples."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuroncensus.corpora.readable import token_reader
from neuroncensus.figures.group import Model, behind, labels, other_text, text_told
from neuroncensus.figures.ngrams import listed, say
from neuroncensus.figures.style import BLUE, GREY, WIDTHS, add_bodies, add_note, add_title, legend_above, look, save, text_height
from neuroncensus.figures.updates import EXAMPLES, HEADER, draw_examples, examples, in_percent, reach
from neuroncensus.findings.ablation import summarize_ablation
from neuroncensus.findings.agree import read_findings
from neuroncensus.findings.trigger_updates import summarize_trigger_updates
from neuroncensus.findings.updates import DETECTORS, OTHERS, summarize_updates

MOSAICS = {1: "ab;cd", 2: "abcd"}
TICK_SIZE = 7
NAMES = {1: 0.7, 2: 1.0}
"""Inches of a model's name, by columns."""
PLACES = {1: (0.0, 0.2, 0.34, 0.52, 0.76, 1.0), 2: (0.0, 0.14, 0.23, 0.44, 0.72, 1.0)}
"""Where columns of the table of examples begin, as shares of its width."""
TABLE_WIDTHS = {1: 3.1, 2: 6.6}
"""Inches that it has at least."""


def _draw_means(axes: Axes, told: Sequence[dict], how: dict) -> None:
    """A mean with its interval for each model that has one, the first on top."""
    places = [place for place, one in enumerate(told) if one["mean"] is not None]
    if places:
        means = [told[place] for place in places]
        axes.errorbar([one["mean"] for one in means], places, xerr=reach(means), fmt="o", markersize=3, linewidth=1, zorder=2, **how)
        axes.margins(x=0.08)


def _draw_shares(axes: Axes, models: Sequence[Model], name: str, null: str) -> None:
    overall = [model.summary["triggers"]["overall"] for model in models]
    _draw_means(axes, [in_percent(numbers[name]) for numbers in overall], {"color": BLUE, "label": "own"})
    _draw_means(axes, [in_percent(numbers[null]) for numbers in overall], {"color": GREY, "label": "null", "markerfacecolor": "white"})
    axes.set_xlim(-4, 104)
    axes.set_xlabel("detectors, %")


def _draw_effects(axes: Axes, models: Sequence[Model]) -> None:
    overall = [model.summary["effects"]["overall"] for model in models]
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=1)
    _draw_means(axes, [numbers["logit_change"] for numbers in overall], {"color": BLUE, "label": "own"})
    matched = [numbers["matched_logit_change"] for numbers in overall]
    _draw_means(axes, matched, {"color": GREY, "label": "matched", "markerfacecolor": "white"})
    axes.set_xlabel("change of logit")


def _draw_kurtosis(axes: Axes, models: Sequence[Model]) -> None:
    kinds = ((DETECTORS, "own", {"color": BLUE}), (OTHERS, "others", {"color": GREY, "markerfacecolor": "white"}))
    for kind, label, how in kinds:
        medians = [model.summary["kinds"]["overall"][kind]["median_kurtosis"] for model in models]
        _draw_means(axes, [{"mean": median, "interval": None} for median in medians], how | {"label": label})
    axes.set_xlabel("excess kurtosis")


def _told(model: Model) -> str:
    metadata = model.metadata
    return f"{metadata['tokens_core']:,} positions of core, {text_told(metadata)}"


def _note(models: Sequence[Model]) -> str:
    detectors = ", ".join(f"{model.summary['triggers']['overall']['detectors']:,}" for model in models)
    effects = [model.summary["effects"]["overall"] for model in models]
    zeroed = ", ".join(f"{numbers['detectors']:,} at {numbers['contexts']:,}" for numbers in effects)
    what = "their token detectors detect other tokens"
    parts = [
        f"Token detectors, in the order of the models: {detectors}. Own: of these; intervals: 95%, bootstrap over them. a: the update's",
        "mean logit over the detected tokens is below 0; b: less the mean of all tokens; null: the same update at the tokens of the",
        f"layer's other detectors. c: detectors zeroed at occurrences of their tokens ({zeroed}): change, at the end of the network, of",
        "that token's logit less the mean logit; matched: neurons of the layer that write as much there. d: medians, of the centred logits",
        "of updates, 0 for a bell curve. e: detectors in even steps through all of a model, tokens the most extreme first.",
        behind((model.name, _told(model)) for model in models),
    ]
    return " ".join(parts) + other_text(models, "text_core_sha256", what)


def draw_updates_group(models: Sequence[Model], columns: int) -> Figure:
    """Draw, a row for each model, which token detectors suppress their triggers, what zeroing them does, kurtosis, and examples.

    Args:
        models: at least one, in the order of the group, with the metadata of `trigger_updates.parquet`. In their summaries
            `triggers`, `effects` and `kinds` are what `summarize_trigger_updates`, `summarize_ablation` and `summarize_updates` of
            `neuroncensus.findings` tell, `examples` rows of `neuroncensus.figures.updates.examples`.
        columns: width, in columns of a paper.
    """
    names = labels([model.name for model in models], TICK_SIZE, NAMES[columns])
    rows = [[name, *row] for model, name in zip(models, names, strict=True) for row in model.summary["examples"]]
    heights = [(3 - columns) * (0.95 + 0.18 * len(models)), 0.4 + 0.14 * (len(rows) + 1)]
    title, note = f"What token detectors write in {listed([model.name for model in models])}", _note(models)
    with look():
        figure = Figure(figsize=(WIDTHS[columns], 0.3 + sum(heights) + text_height(title, note, columns)), layout="constrained")
        body, below = add_bodies(figure, heights)
        panels = body.subplot_mosaic(MOSAICS[columns]) | {"e": below.subplots()}
        _draw_shares(panels["a"], models, "suppresses_trigger", "null_suppresses")
        _draw_shares(panels["b"], models, "suppresses_centred", "null_suppresses_centred")
        _draw_effects(panels["c"], models)
        _draw_kurtosis(panels["d"], models)
        titles = ("a  suppress, raw", "b  centred", "c  zeroed", "d  spread", "e  examples")
        for name, kind in zip("abcde", titles, strict=True):
            panels[name].set_title(kind, pad=16 if name != "e" else 4)
        for name in "abcd":
            axes = panels[name]
            axes.set_ylim(len(models) - 0.5, -0.5)
            first = name == "a" or (name == "c" and columns == 1)
            axes.set_yticks(range(len(models)), names if first else [""] * len(models), parse_math=False)
            axes.grid(axis="y", linewidth=0.4, color=GREY, alpha=0.4)
            axes.tick_params(axis="y", length=0)
            if axes.containers:
                legend_above(axes, 2)
            else:
                say(axes, "no token detector")
        if rows:
            draw_examples(panels["e"], [("model", *HEADER), *rows], PLACES[columns], TABLE_WIDTHS[columns], len(rows) + 1)
        else:
            panels["e"].set_axis_off()
            say(panels["e"], "no token detector")
        add_title(figure, title, columns)
        add_note(figure, note, columns)
    return figure


def plot_updates_group(tables: Mapping[str, Sequence[Path]], tokenizers: Sequence[Path], out: Path, *, columns: int, dpi: int) -> None:
    """Draw what neurons of several models write into `out`, a .pdf or .png.

    Args:
        tables: `updates`, `trigger_updates`, `ablation` and `detector_ngrams`, of each model.
        tokenizers: folder of each model's tokenizer.
        out: the figure.
        columns: width, in columns of a paper.
        dpi: of a .png.
    """
    models, most = [], max(1, EXAMPLES // len(tokenizers))
    wanted = {"updates": ["layer", "neuron", "kurtosis", "promoted", "suppressed"]}
    for place, tokenizer in enumerate(tokenizers):
        files = {name: of_models[place] for name, of_models in tables.items()}
        found, metadata = read_findings(files, wanted)
        told, triggers, updates = metadata["trigger_updates"], found["trigger_updates"], found["updates"]
        summary = {
            "triggers": summarize_trigger_updates(triggers, told),
            "effects": summarize_ablation(found["ablation"], metadata["ablation"], told["resamples"], told["seed"]),
            "kinds": summarize_updates(updates, triggers, None),
            "examples": examples(triggers, updates, found["detector_ngrams"], token_reader(tokenizer), most),
        }
        models.append(Model(told, summary))
    save(draw_updates_group(models, columns), out, dpi)
