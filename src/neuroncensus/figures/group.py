"""What the figures of groups have in common: names of models, a line for each, relative depth, and what stands behind them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy
from matplotlib import colormaps
from matplotlib.axes import Axes

from neuroncensus.errors import CensusError
from neuroncensus.figures.ngrams import listed
from neuroncensus.figures.style import PALE, squeezed

MARKS = "os^Dv>P<X"
LEGEND_NAME = 1.5
"""Inches that a model's name has at most in a legend."""


@dataclass(frozen=True)
class Model:
    """A model of a group.

    Attributes:
        metadata: of the table that a figure shows.
        summary: of that table (`neuroncensus.findings`).
    """

    metadata: dict
    summary: dict

    @property
    def name(self) -> str:
        return self.metadata["model"]


def labels(names: Sequence[str], size: float, inches: float) -> list[str]:
    """Names of models cut to a width, with their places in the group in front where two would look the same."""
    cut = [squeezed(name, size, inches) for name in names]
    if len(set(cut)) == len(set(names)):
        return cut
    return [squeezed(f"{place} {name}", size, inches) for place, name in enumerate(names, 1)]


def check_alike(models: Sequence[Model], keys: Iterable[str]) -> None:
    """Compare the settings that one figure has room for once.

    Raises:
        CensusError: two models differ in one; names both and the setting.
    """
    first = models[0]
    for model in models[1:]:
        for key in keys:
            if model.metadata[key] != first.metadata[key]:
                raise CensusError(
                    f"models {first.name} and {model.name} of one group differ in {key}: {first.metadata[key]} and {model.metadata[key]}: "
                    "make the tables of both with one configuration"
                )


def line_looks(layers: Sequence[int]) -> list[dict]:
    """How the line of each model is drawn: from dark to light in the order of the group, each with a mark of its own.

    Args:
        layers: how many each model has.
    """
    colours = colormaps["viridis"](numpy.linspace(0, 0.88, len(layers)))
    return [
        {"color": tuple(colour), "marker": MARKS[place % len(MARKS)], "markersize": 3 if count <= 24 else 1.8, "linewidth": 1, "zorder": 2}
        for place, (colour, count) in enumerate(zip(colours, layers, strict=True))
    ]


def depths(layers: int) -> list[float]:
    """Relative depth of each layer, the middle of its share of the layers: those of the first half are below 0.5.

    **Choice**: models of 2 and of 64 layers stand on one axis, and halves and thirds of all lie in one place.
    """
    return [(layer + 0.5) / layers for layer in range(layers)]


def depth_axis(axes: Axes, *, label: str, half: bool = False) -> None:
    """A horizontal axis of relative depth, with the first half shaded if asked."""
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.set_xlabel(label)
    if half:
        axes.axvspan(0, 0.5, color=PALE, alpha=0.45, linewidth=0, zorder=0)


def text_told(metadata: dict) -> str:
    """What text a table of n-grams is from, and in which arithmetic."""
    return f"windows of at most {metadata['window']} tokens of corpus {metadata['corpus']}; {metadata['dtype']}"


def behind(told: Iterable[tuple[str, str]]) -> str:
    """A sentence of what stands behind each model (its name, what); models of which it is the same together."""
    found: dict[str, list[str]] = {}
    for name, what in told:
        found.setdefault(what, []).append(name)
    if len(found) == 1:
        return f"{next(iter(found))}."
    return "; ".join(f"{listed(names)}: {what}" for what, names in found.items()) + "."


def other_text(models: Sequence[Model], key: str, what: str) -> str:
    """A sentence if models did not read the same tokens: what that means for comparing them, else nothing.

    Args:
        models: of one figure.
        key: of their metadata, the digest of the tokens.
        what: cannot be compared.
    """
    if len({model.metadata[key] for model in models}) == 1:
        return ""
    return f" These models did not read the same tokens (corpus, window or tokenizer differ): {what}."
