"""The loss curve of a training run."""

from pathlib import Path

import polars
from matplotlib.figure import Figure

from neuroncensus.figures.style import BLUE, SKY, WIDTHS, legend_above, look, save


def draw_loss(table: polars.DataFrame, columns: int) -> Figure:
    """Draw loss against tokens: `table` as `train_model` writes it."""
    with look():
        figure = Figure(figsize=(WIDTHS[columns], 2.6), layout="constrained")
        axes = figure.subplots()
        # A line through few points would hide where they are, and through one point be nothing.
        marker = "." if len(table) <= 40 else None
        axes.plot(
            table["tokens"] / 1e6, table["loss"], color=SKY, linewidth=0.8, marker=marker, label="training text, mean of the last steps"
        )
        held_out = table.filter(polars.col("held_out_loss").is_not_null())
        axes.plot(
            held_out["tokens"] / 1e6, held_out["held_out_loss"], "o", color=BLUE, markersize=4, label="held-out text, each checkpoint"
        )
        axes.set_xlabel("training tokens, millions")
        axes.set_ylabel("cross-entropy, nats a token")
        legend_above(axes, columns)
    return figure


def plot_loss(table: Path, out: Path, *, columns: int, dpi: int) -> None:
    """Draw a run's `loss.parquet` into `out`, a .pdf or .png."""
    save(draw_loss(polars.read_parquet(table), columns), out, dpi)
