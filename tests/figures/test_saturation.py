"""The figure of saturation draws the numbers of both tables, whole and readable, for models of every shape."""

from pathlib import Path

import numpy
import polars
import pytest

from figures_made import BOTH_WIDTHS, check_legend, check_same_bytes, check_whole
from neuroncensus.figures.saturation import draw_saturation, plot_saturation
from neuroncensus.figures.style import WIDTHS
from neuroncensus.findings.saturation import chao2, grid, rarefy, summarize_saturation
from neuroncensus.tablefiles import write_table
from neuroncensus.tables import DEAD, SATURATION

LONG = "a-model.with_a_very-long-name-that-somebody-gave-to-it-to-tell-it-from-all-the-others-2026-11-23-checkpoint-123456"
DOCUMENTS = 40
Made = tuple[polars.DataFrame, polars.DataFrame, dict]


def make(layers: int, neurons: int = 60, *, dead: float = 0.4, domains: int = 3, depth: bool = True, model: str = "opt-nano") -> Made:
    """A share of the neurons dead, some of them proved, some BOS-only; shards of so many domains."""
    draw, rows = numpy.random.default_rng(layers), []
    for layer in range(layers):
        for neuron in range(neurons):
            kind = draw.random()
            at_bos, is_dead = 0.5 * dead > kind > 0.4 * dead, kind < 0.4 * dead or 0.5 * dead < kind < dead
            seen = 0 if is_dead or at_bos else int(draw.integers(1, 1 + DOCUMENTS)) if kind < 0.9 else 1
            row = {"layer": layer, "neuron": neuron, "tokens": 900, "activations": seen + at_bos, "activations_bos": int(at_bos)}
            row |= {"frequency": 0.1, "dead": bool(is_dead), "bos_only": bool(at_bos), "bound": 1.0, "provably_dead": kind < 0.2 * dead}
            far = draw.normal() + 3 * bool(is_dead) if depth else None
            rows.append(row | {"depth": far, "documents": DOCUMENTS, "documents_active": seen})
    table = polars.DataFrame(rows, schema=polars.DataFrame(DEAD.schema.empty_table()).schema)
    told = []
    for layer in [*range(layers), None]:
        part = table if layer is None else table.filter(layer=layer)
        frequencies = numpy.bincount(part["documents_active"])
        most = int((part["dead"] & ~part["provably_dead"]).sum())
        shared = dict(zip(("chao2", "chao2_lower", "chao2_upper"), chao2(frequencies, DOCUMENTS, most), strict=True)) | {
            "neurons": len(part)
        }
        for t in grid(DOCUMENTS):
            row = {"layer": layer, "kind": "rarefaction", "documents": t, "tokens": t, "alive": rarefy(frequencies, DOCUMENTS, t)}
            told.append(row | shared | {"rate_bound": 1 - 0.05 ** (1 / t)})
        for number in range(domains):
            row = {"layer": layer, "kind": "shard", "documents": 5 + number, "tokens": 9, "alive": 3.0 + number, "part": "core"}
            told.append(row | shared | {"domain": f"domain_{number}", "shard": 0, "rate_bound": 0.1})
    frame = polars.DataFrame(told, schema=polars.DataFrame(SATURATION.schema.empty_table()).schema)
    return frame, table, {"model": model, "corpus": "demo", "tokens": 900, "dtype": "float32", "d": 16}


CASES = {
    **{f"{layers} layers": make(layers) for layers in (1, 6, 64)},
    "none dead": make(6, dead=0.0),
    "all dead": make(6, dead=1.0),
    "many domains": make(6, domains=9),
    "no depth": make(6, depth=False),
    "long name": make(6, model=LONG),
}


@pytest.mark.parametrize("columns", BOTH_WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_figure_is_whole(case: str, columns: int):
    figure = draw_saturation(*CASES[case], columns)
    check_whole(figure)
    for number, axes in enumerate(figure.axes):
        if number != 1:  # its legend lies where curves that rise cannot be
            check_legend(axes)
    assert "".join(figure.get_suptitle().split()).startswith(CASES[case][2]["model"])
    assert figure.get_figwidth() == WIDTHS[columns] and len(figure.axes) == 4


def test_figure_is_the_same_bytes(tmp_path: Path):
    check_same_bytes(lambda: draw_saturation(*CASES["6 layers"], 2), tmp_path)


def test_files_are_drawn(tmp_path: Path):
    table, dead, metadata = CASES["6 layers"]
    write_table(table.to_arrow().cast(SATURATION.schema), tmp_path / "saturation.parquet", metadata)
    write_table(dead.to_arrow().cast(DEAD.schema), tmp_path / "dead.parquet", metadata)
    plot_saturation(tmp_path / "saturation.parquet", tmp_path / "dead.parquet", tmp_path / "one.pdf", columns=1, dpi=100)
    assert (tmp_path / "one.pdf").stat().st_size > 1000


def test_bars_and_points_are_the_numbers_of_the_tables():
    table, dead, metadata = CASES["6 layers"]
    shares, growth, unseen, depth = draw_saturation(table, dead, metadata, 2).axes
    layers = [dead.filter(layer=layer) for layer in range(6)]
    proved = [part["provably_dead"].sum() for part in layers]
    here = [part["dead"].sum() - count for part, count in zip(layers, proved, strict=True)]
    only = [part["bos_only"].sum() for part in layers]
    alive = [60 - sum(counts) for counts in zip(proved, here, only, strict=True)]
    drawn = {bars.get_label(): [bar.get_height() for bar in bars] for bars in shares.containers}
    assert drawn == {
        label: pytest.approx([100 * count / 60 for count in counts])
        for label, counts in (("proved dead", proved), ("dead here", here), ("BOS-only", only), ("alive", alive))
    }
    whole = table.filter(polars.col("layer").is_null())
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in growth.lines}
    rarefied = whole.filter(kind="rarefaction")
    assert lines["documents in any order, expected"] == (rarefied["documents"].to_list(), rarefied["alive"].to_list())
    assert lines["domain_1"] == ([6], [4.0]) and len(lines) == 4
    bars, points = unseen.containers
    assert [bar.get_height() for bar in bars] == here
    summary = summarize_saturation(table, dead)
    assert list(points[0].get_ydata()) == [layer["chao2"] for layer in summary["layers"]]
    ends = [sorted(segment[:, 1].tolist()) for segment in points[2][0].get_segments()]
    assert ends == [pytest.approx(layer["chao2_interval"]) for layer in summary["layers"]]
    medians = {line.get_label(): list(line.get_ydata()) for line in depth.lines if not line.get_label().startswith("_")}
    for label, flag in (("dead: median, all", True), ("not dead: median", False)):
        assert medians[label] == pytest.approx([part.filter(dead=flag)["depth"].median() / 4 for part in layers])
