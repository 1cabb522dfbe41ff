"""Figures 8, 10, 11 and 16 across models: maps side by side, those of checkpoints by step, and numbers of neurons against steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from neuroncensus.figures.ngrams import listed
from neuroncensus.figures.positional import COLOURS, draw_map, type_handles
from neuroncensus.figures.style import WIDTHS, add_note, add_title, look, save
from neuroncensus.findings.shapes import TYPES
from neuroncensus.tablefiles import read_metadata, read_table
from neuroncensus.tables import POSITIONAL

ROW_HEIGHT = 1.9
"""Inches."""
ACROSS = {1: 2, 2: 4}
"""Most maps in a row, by columns of a paper."""


LONGEST = 14
"""Letters of a model's name above its map; the title has the whole."""


@dataclass(frozen=True)
class Member:
    """A model of a group.

    Attributes:
        table: `positional.parquet`.
        metadata: of that file.
        run: `recipe`, `positions` and `step` of one that the workflow trains, else None.
    """

    table: polars.DataFrame
    metadata: dict
    run: dict | None

    @property
    def name(self) -> str:
        """Of the training step, or of the model, cut to what a panel has room for."""
        if self.run is None:
            name = self.metadata["model"]
            return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
        return f"{'step' if self.run['positions'] else 'NoPos'} {self.run['step']:,}"

    @property
    def counts(self) -> list[int]:
        """Neurons of each type."""
        return [int((self.table["type"] == kind).sum()) for kind in TYPES]


def rows_of(members: Sequence[Member], across: int) -> list[list[Member]]:
    """Maps in rows: each training run in rows of its own, by step; other models in the order of the group."""
    runs: dict[tuple, list[Member]] = {}
    for member in members:
        runs.setdefault((member.run["recipe"], member.run["positions"]) if member.run else (), []).append(member)
    rows = []
    for key, found in runs.items():
        ordered = sorted(found, key=lambda member: member.run["step"] if member.run else 0) if key else found
        rows += [ordered[start : start + across] for start in range(0, len(ordered), across)]
    return rows


def curves_over_steps(members: Sequence[Member]) -> dict[tuple[str, bool], list[Member]]:
    """The training runs of which there are several checkpoints, each by step."""
    runs: dict[tuple[str, bool], list[Member]] = {}
    for member in members:
        if member.run is not None:
            runs.setdefault((member.run["recipe"], member.run["positions"]), []).append(member)
    told = {key: sorted(found, key=lambda member: member.run["step"] if member.run else 0) for key, found in runs.items()}
    return {key: found for key, found in told.items() if len(found) > 1}


def _draw_steps(axes: Axes, run: Sequence[Member], title: str) -> None:
    """Neurons of each type against steps."""
    steps = [member.run["step"] for member in run if member.run]
    for place, kind in enumerate(TYPES):
        axes.plot(steps, [member.counts[place] for member in run], marker="o", markersize=3, color=COLOURS[kind][0])
    axes.set_title(title, pad=4)
    axes.set_xlabel("step")
    axes.set_xticks(steps)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_ylim(0, max(1.0, 1.1 * max(max(member.counts) for member in run)))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _note(members: Sequence[Member]) -> str:
    told = [member.metadata for member in members]
    counts = "; ".join(f"{member.name} {' / '.join(map(str, member.counts))}" for member in members)
    parts = [f"{' / '.join(TYPES)}: {counts}. Dark: strong; light: weak."]
    windows = {(sum(one["domains"].values()), one["window"], one["corpus"], one["dtype"]) for one in told}
    each = [f"{count:,} full windows of {window} positions of corpus {corpus}, {dtype}" for count, window, corpus, dtype in sorted(windows)]
    parts.append(f"{listed(each)}.")
    thresholds = {one["mutual_information"] for one in told}
    parts.append(f"Positional: over {listed([f'{value:g}' for value in sorted(thresholds)])} nats of mutual information with the position.")
    return " ".join(parts)


def draw_positional_group(members: Sequence[Member], columns: int) -> Figure:
    """Draw the maps of several models side by side, and below them the number of each type against steps for training runs.

    Args:
        members: at least one, in the order of the group.
        columns: width, in columns of a paper.
    """
    across = ACROSS[columns]
    rows, runs = rows_of(members, across), curves_over_steps(members)
    width = max(map(len, rows))
    with look():
        height = ROW_HEIGHT * (len(rows) + bool(runs)) + 1.0
        figure = Figure(figsize=(WIDTHS[columns], height), layout="constrained")
        maps, *curves = figure.subfigures(2 if runs else 1, 1, height_ratios=[len(rows), 1] if runs else [1], squeeze=False)[:, 0]
        grid = maps.subplots(len(rows), width, squeeze=False)
        for line, row in zip(grid, rows, strict=True):
            for axes in line[len(row) :]:
                axes.set_axis_off()
            for place, (axes, member) in enumerate(zip(line, row, strict=False)):
                draw_map(axes, member.table, member.table["layer"].n_unique())
                axes.set_title(f"{member.name}: {int(member.table['positional'].sum()):,}", pad=4)
                if place:
                    axes.set_ylabel("")
                if row is not rows[-1]:
                    axes.set_xlabel("")
        maps.legend(handles=type_handles(), loc="outside upper left", borderaxespad=1, ncols=4)
        if runs:
            panels = curves[0].subplots(1, len(runs), squeeze=False)[0]
            for axes, ((recipe, positions), run) in zip(panels, runs.items(), strict=True):
                _draw_steps(axes, run, f"{recipe}, {'learned positions' if positions else 'NoPos'}")
            panels[0].set_ylabel("neurons of a type")
        add_title(figure, f"Positional neurons of {listed([member.metadata['model'] for member in members])}", columns)
        add_note(figure, _note(members), columns)
    return figure


def plot_positional_group(tables: Sequence[Path], runs: Sequence[dict | None], out: Path, *, columns: int, dpi: int) -> None:
    """Draw the `positional.parquet` of several models into `out`, a .pdf or .png.

    Args:
        tables: of each model.
        runs: of each model, `recipe`, `positions` and `step` if the workflow trains it, else None.
    """
    members = [
        Member(polars.DataFrame(read_table(path, POSITIONAL.names)), read_metadata(path), run)
        for path, run in zip(tables, runs, strict=True)
    ]
    save(draw_positional_group(members, columns), out, dpi)
