"""One look for all figures: sizes of a paper's columns, colours that colour-blind readers can tell apart."""

import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuroncensus.files import atomic_path

WIDTHS = {1: 3.4, 2: 7.0}
"""Inches, by columns."""

# Okabe and Ito's palette.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8C8C8C"
PALE = "#E4E4E4"

_LOOK: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


@contextmanager
def look() -> Generator[None]:
    """The house's settings of matplotlib, for the block."""
    with matplotlib.rc_context(_LOOK):  # ty: ignore[invalid-argument-type]
        yield


def layer_axis(axes: Axes, layers: int) -> None:
    """A horizontal axis of layers, from 0, with the first half shaded."""
    axes.set_xlabel("layer")
    axes.set_xlim(-0.6, layers - 0.4)
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128) if layers / step <= 16)
    axes.set_xticks(range(0, layers, step))
    if layers >= 2:
        axes.axvspan(-0.6, layers // 2 - 0.5, color=PALE, alpha=0.45, linewidth=0, zorder=0)


def add_note(figure: Figure, note: str, columns: int) -> None:
    """What stands behind a figure, in small print below it."""
    wrapped = "\n".join(textwrap.wrap(note, 145 if columns == 2 else 70))
    figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=6.5, color="#555555")


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a figure as its suffix says (.pdf, .png, .svg); the same bytes every time."""
    unstamped: dict[str, dict] = {".pdf": {"CreationDate": None}, ".png": {"Software": None}, ".svg": {"Date": None}}
    with atomic_path(path) as partial:
        figure.savefig(partial, format=path.suffix[1:], dpi=dpi, metadata=unstamped[path.suffix])
