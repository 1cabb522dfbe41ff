"""What is asked of every figure: it is whole, nothing covers anything, and it is the same each time."""

import warnings
from pathlib import Path

import numpy
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from neuroncensus.figures.style import look, save

BOTH_WIDTHS = (1, pytest.param(2, marks=pytest.mark.slow))
"""Columns of a page that a figure spans; of every case the narrow one, which has less room, among the quick tests."""

SLACK = 0.5
"""Pixels by which a letter's edge may be out."""


def written(figure: Figure) -> list[Text]:
    """Every text of a figure that shows."""
    return [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


def extents(figure: Figure, texts: list) -> list[Bbox]:
    """Where artists lie, in pixels, after the layout."""
    with look(), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    return [text.get_window_extent() for text in texts]


def check_whole(figure: Figure) -> None:
    """Every text and every panel lies within the figure, and no two texts lie over each other."""
    texts = written(figure)
    boxes = extents(figure, texts)
    for text, box in zip(texts, boxes, strict=True):
        inside = box.x0 >= -SLACK and box.y0 >= -SLACK and box.x1 <= figure.bbox.x1 + SLACK and box.y1 <= figure.bbox.y1 + SLACK
        assert inside, f"{text.get_text()!r} reaches out of the figure: {box}"
    x0, y0, x1, y1 = numpy.array([box.extents for box in boxes]).T
    # Of every pair, how wide and how high what they share is; negative where they share nothing.
    wide, high = (numpy.minimum(end, end[:, None]) - numpy.maximum(start, start[:, None]) for start, end in ((x0, x1), (y0, y1)))
    for first, second in numpy.argwhere(numpy.tril((wide > SLACK) & (high > SLACK), -1)):
        raise AssertionError(f"{texts[first].get_text()!r} lies over {texts[second].get_text()!r}")


def check_legend(axes: Axes) -> None:
    """The legend lies above the panel, where no data can be."""
    legend = axes.get_legend()
    if legend is not None:
        assert legend.get_window_extent().y0 >= axes.bbox.y1


def check_same_bytes(draw, folder: Path) -> None:
    """Drawn twice, a .pdf and a .png are the same bytes; with no warning on the way."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = draw(), draw()
        for suffix in ("pdf", "png"):
            files = [folder / f"{number}.{suffix}" for number in (1, 2)]
            for figure, file in zip(figures, files, strict=True):
                save(figure, file, 100)
            assert files[0].read_bytes() == files[1].read_bytes()
            assert files[0].stat().st_size > 1000
