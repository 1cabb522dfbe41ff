"""Figure 5 draws the numbers of its tables, whole and readable, for models of every shape and tokens of every kind."""

from pathlib import Path

import polars
import pytest

from figures_made import BOTH_WIDTHS, check_legend, check_same_bytes, check_whole, written
from neuroncensus.figures.style import WIDTHS, shortened
from neuroncensus.figures.updates import EXAMPLES, draw_updates
from neuroncensus.findings.ablation import summarize_ablation
from neuroncensus.findings.trigger_updates import summarize_trigger_updates
from tables_made import LONG, make_updates, read_token

CASES = {
    **{f"{layers} layers": make_updates(layers) for layers in (6, 64)},
    "many": make_updates(12, 40),
    "no detector": make_updates(6, 0),
    "no layer covered": make_updates(1),
    "none matched": make_updates(6, matched=False),
    "none active": make_updates(6, active=False),
    "positional": make_updates(12, positional=True),
    "long name": make_updates(6, model=LONG),
}


@pytest.mark.parametrize("columns", BOTH_WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_figure_is_whole(case: str, columns: int):
    tables, metadata = CASES[case]
    figure = draw_updates(tables, metadata, read_token, columns)
    check_whole(figure)
    for axes in figure.axes:
        check_legend(axes)
    assert "".join(figure.get_suptitle().split()).startswith(metadata["ablation"]["model"])
    assert figure.get_figwidth() == WIDTHS[columns] and len(figure.axes) == 5


def test_figure_is_the_same_bytes(tmp_path: Path):
    check_same_bytes(lambda: draw_updates(*CASES["6 layers"], read_token, 2), tmp_path)


def points(axes) -> dict:
    """Of each series its layers, means and ends."""
    found = {}
    for series in axes.containers:
        ends = [sorted(segment[:, 1].tolist()) for segment in series[2][0].get_segments()]
        found[series.get_label()] = (list(series[0].get_xdata()), list(series[0].get_ydata()), ends)
    return found


def test_points_and_lines_are_the_numbers_of_the_summaries():
    tables, metadata = CASES["positional"]
    figure = draw_updates(tables, metadata, read_token, 2)
    panels = {axes.get_title("left")[0]: axes for axes in figure.axes}
    triggers = summarize_trigger_updates(tables["trigger_updates"], metadata["trigger_updates"])["layers"]
    effects = summarize_ablation(tables["ablation"], metadata["ablation"], 200, 1)["layers"]
    asked = [
        ("a", "their own", triggers, "suppresses_trigger", 100),
        ("a", "others' (null)", triggers, "null_suppresses", 100),
        ("b", "their own", triggers, "suppresses_centred", 100),
        ("b", "others' (null)", triggers, "null_suppresses_centred", 100),
        ("c", "detectors", effects, "logit_change", 1),
        ("c", "matched", effects, "matched_logit_change", 1),
    ]
    for panel, label, layers, name, scale in asked:
        told = [(layer["layer"], layer[name]["mean"] * scale) for layer in layers if layer[name]["mean"] is not None]
        numbers, means, ends = points(panels[panel])[label]
        assert list(zip(numbers, means, strict=True)) == [(layer, pytest.approx(mean)) for layer, mean in told] and told
        wanted = [layer[name]["interval"] or [layer[name]["mean"]] * 2 for layer in layers if layer[name]["mean"] is not None]
        assert ends == [pytest.approx([end * scale for end in of_layer]) for of_layer in wanted]
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in panels["d"].lines}
    updates, keys = tables["updates"], ["layer", "neuron"]
    detectors = updates.join(tables["trigger_updates"], on=keys, how="semi")
    strong = updates.filter(polars.col("neuron") % 6 == 0)
    others = updates.join(tables["trigger_updates"], on=keys, how="anti").filter(polars.col("neuron") % 6 != 0)
    for label, kind in (("detectors", detectors), ("positional", strong), ("others", others)):
        medians = dict(kind.group_by("layer").agg(polars.col("kurtosis").median()).iter_rows())
        assert lines[label] == (sorted(medians), pytest.approx([medians[layer] for layer in sorted(medians)]))


def test_examples_are_detectors_in_even_steps_with_their_tokens():
    tables, metadata = CASES["many"]
    figure = draw_updates(tables, metadata, read_token, 2)
    texts = [text.get_text() for text in next(axes for axes in figure.axes if axes.get_title("left").startswith("e")).texts]
    assert texts[:4] == ["neuron", "detects", "promotes", "suppresses"] and len(texts) == 4 * (EXAMPLES + 1)
    keys = [f"{layer}.{neuron}" for layer, neuron in tables["trigger_updates"].select("layer", "neuron").iter_rows()]
    steps = [round(place * (len(keys) - 1) / (EXAMPLES - 1)) for place in range(EXAMPLES)]
    assert texts[4::4] == [keys[step] for step in steps]
    first = tables["updates"].filter(layer=int(keys[0].split(".")[0]), neuron=int(keys[0].split(".")[1])).row(0, named=True)
    shown = texts[6].removesuffix("…").split("  ")
    told = [read_token(token).replace("漢字", "\ufffd\ufffd").replace("\U0001f9e0", "\ufffd") for token in first["promoted"]]
    assert shown[:-1] == told[: len(shown) - 1] and told[len(shown) - 1].startswith(shown[-1])


def test_the_figure_says_where_there_is_nothing():
    for case, what, times in (("no detector", "no token detector", 4), ("none active", "none active in its contexts", 1)):
        texts = [text.get_text() for text in written(draw_updates(*CASES[case], read_token, 2))]
        assert texts.count(what) == times


def test_a_line_is_cut_to_fit():
    assert shortened("word", 6, 3.0) == "word"
    cut = shortened("word " * 40, 6, 1.0)
    assert cut.endswith("…") and 10 < len(cut) < 40 and ("word " * 40).startswith(cut[:-1])
