"""What the figures of n-grams have in common: names of n, panels, and axes of the layers covered."""

import string
from collections.abc import Sequence

from matplotlib.axes import Axes

from neuroncensus.figures.style import GREY, layer_axis

_NAMES = {1: "token", 2: "bigram", 3: "trigram"}


def name_of(n: int) -> str:
    """`token`, `bigram`, `trigram`, `4-gram`."""
    return _NAMES.get(n, f"{n}-gram")


def listed(values: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(values[:-1]), *values[-1:])))


def percent(share: float) -> str:
    """A share as a setting has it: `95%`."""
    return f"{100 * share:g}%"


def rounded(share: float) -> str:
    """A share as found, to two digits: `19%`, `2.9%`, `0.045%`."""
    return f"{100 * share:.0f}%" if share >= 0.1 else f"{100 * share:.2g}%"


def letter(place: int) -> str:
    """Of a panel."""
    return string.ascii_lowercase[place]


def say(axes: Axes, what: str) -> None:
    """Words in place of data."""
    axes.text(0.5, 0.5, what, transform=axes.transAxes, ha="center", va="center", color=GREY)
    axes.set_yticks([])


def covered_axis(axes: Axes, layers: int, *, named: bool, labels: int) -> None:
    """A horizontal axis of the layers covered, which may be half of the model's: none is shaded.

    Args:
        layers: how many, from 0.
        named: say that they are layers.
        labels: most numbers there is room for.
    """
    layer_axis(axes, layers, labels)
    for patch in [patch for patch in axes.patches if patch.get_zorder() == 0]:
        patch.remove()
    if not named:
        axes.set_xlabel("")
