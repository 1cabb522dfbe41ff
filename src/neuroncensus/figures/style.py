"""One look for all figures: sizes of a paper's columns, colours that colour-blind readers can tell apart."""

import math
import textwrap
from bisect import bisect_right
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font

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

TITLE_SIZE, LABEL_SIZE, LEGEND_SIZE, NOTE_SIZE = 9, 8, 7, 6.5
MARGIN = 0.02
"""Free at the left and right of a title or note, as a share of the figure's width."""

_LOOK: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.labelsize": LABEL_SIZE,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": LEGEND_SIZE,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.2,
    "legend.borderpad": 0,
    "legend.borderaxespad": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 16,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "neuroncensus",
}


@contextmanager
def look() -> Generator[None]:
    """The house's settings of matplotlib, for the block; a user's own have no part in them."""
    with style.context(["default", _LOOK]):
        yield


def layer_axis(axes: Axes, layers: int, labels: int = 16) -> None:
    """A horizontal axis of layers, from 0, with the first half shaded.

    Args:
        axes: a panel.
        layers: how many.
        labels: most numbers there is room for.
    """
    axes.set_xlabel("layer")
    # Few layers stand together in the middle instead of spreading into blocks.
    middle, half = (layers - 1) / 2, max(layers, 6) / 2 + 0.1
    axes.set_xlim(middle - half, middle + half)
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128) if layers / step <= labels)
    axes.set_xticks(range(0, layers, step))
    if layers >= 2:
        left = middle - half if layers >= 6 else -0.5
        axes.axvspan(left, layers // 2 - 0.5, color=PALE, alpha=0.45, linewidth=0, zorder=0)


def legend_above(axes: Axes, columns: int) -> None:
    """A legend between the panel and its title, where it covers nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)


def _legend_columns(labels: Sequence[str], columns: int) -> int:
    """How many entries of a legend fit beside each other above all panels."""
    # Beside its text an entry has a handle, a pad and a space, of 1.2, 0.5 and 1.2 letters.
    return max(1, int(72 * WIDTHS[columns] * (1 - 2 * MARGIN) / (2.9 * LEGEND_SIZE + max(_extent(label, LEGEND_SIZE) for label in labels))))


def legend_height(labels: Sequence[str], columns: int) -> float:
    """Inches that the lines of `add_legend` take."""
    return 0.15 * math.ceil(len(labels) / _legend_columns(labels, columns))


def add_bodies(figure: Figure, heights: Sequence[float] = (1,)) -> list[SubFigure]:
    """Parts of a figure below each other, of these relative heights, that begin where title and note do."""
    grid = figure.add_gridspec(len(heights), 2, width_ratios=[MARGIN, 1 - MARGIN], height_ratios=heights)
    return [figure.add_subfigure(grid[row, 1]) for row in range(len(heights))]


def add_legend(body: SubFigure, entries: dict[str, Artist], columns: int) -> None:
    """A legend above all panels of a body."""
    how: dict = {"ncols": _legend_columns(list(entries), columns), "borderaxespad": 0}
    body.legend(list(entries.values()), list(entries), loc="outside upper left", **how)


@cache
def _font() -> FT2Font:
    return get_font(findfont(FontProperties()))


def _extent(line: str, size: float) -> float:
    """Width of a line of text, in points."""
    font = _font()
    font.set_size(100, 72)
    font.set_text(line)
    # FreeType measures in 64ths, and on a coarse grid of pixels letters come out wider than they are designed.
    return font.get_width_height()[0] / 64 * size / 100 * 1.06


def drawable(text: str) -> str:
    """The text with letters that the figures' font does not have as `\N{REPLACEMENT CHARACTER}`."""
    return "".join(letter if _font().get_char_index(ord(letter)) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def shortened(text: str, size: float, inches: float) -> str:
    """As much of a line as fits, with `…` where it is cut."""
    if _extent(text, size) <= 72 * inches:
        return text
    most = bisect_right(range(len(text)), 72 * inches, key=lambda letters: _extent(text[:letters] + "…", size))
    return text[: max(0, most - 1)] + "…"


def squeezed(text: str, size: float, inches: float) -> str:
    """Both ends of a line, as much as fits, with `…` between them where it is cut: names of models differ at their ends."""
    if _extent(text, size) <= 72 * inches:
        return text

    def cut(kept: int) -> str:
        return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"

    return cut(max(2, bisect_right(range(len(text)), 72 * inches, key=lambda kept: _extent(cut(kept), size)) - 1))


def _fitted(text: str, size: float, inches: float) -> str:
    """The text in as many lines as it takes to fit; a long name is broken where it must be."""
    points = 72 * inches * (1 - 2 * MARGIN)
    letters = max(1, math.ceil(1.2 * len(text) * points / max(1.0, _extent(text, size))))
    lines = textwrap.wrap(text, letters, break_on_hyphens=False)
    while letters > 1 and max(_extent(line, size) for line in lines) > points:
        letters -= 1
        lines = textwrap.wrap(text, letters, break_on_hyphens=False)
    return "\n".join(lines)


def text_height(title: str, note: str, columns: int) -> float:
    """Inches that a title and a note take, which are long where they tell of many models."""
    return sum(
        size * 1.25 / 72 * (1 + _fitted(text, size, WIDTHS[columns]).count("\n")) for text, size in ((title, TITLE_SIZE), (note, NOTE_SIZE))
    )


def add_title(figure: Figure, title: str, columns: int) -> None:
    """What a figure shows of which model, above its panels."""
    figure.suptitle(_fitted(title, TITLE_SIZE, WIDTHS[columns]), x=MARGIN, ha="left", fontsize=TITLE_SIZE)


def add_note(figure: Figure, note: str, columns: int) -> None:
    """What stands behind a figure, in small print below it."""
    figure.supxlabel(_fitted(note, NOTE_SIZE, WIDTHS[columns]), x=MARGIN, ha="left", fontsize=NOTE_SIZE, color="#555555")


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a figure as its suffix says (.pdf, .png, .svg); the same bytes every time."""
    unstamped: dict[str, dict] = {".pdf": {"CreationDate": None}, ".png": {"Software": None}, ".svg": {"Date": None}}
    with look(), atomic_path(path) as partial:
        figure.savefig(partial, format=path.suffix[1:], dpi=dpi, metadata=unstamped[path.suffix])
