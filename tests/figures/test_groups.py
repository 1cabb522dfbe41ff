"""Figures of groups draw the numbers of all their models, whole and readable, for models of every shape beside each other."""

from pathlib import Path

import polars
import pytest
from matplotlib.figure import Figure

from figures_made import check_same_bytes, check_whole, written
from made_text import make_tokenizer
from neuroncensus.errors import CensusError
from neuroncensus.figures.coverage_group import draw_coverage_group, plot_coverage_group
from neuroncensus.figures.dead_group import draw_dead_group, plot_dead_group
from neuroncensus.figures.detectors_group import draw_detectors_group, plot_detectors_group
from neuroncensus.figures.group import Model, behind, depths, labels
from neuroncensus.figures.style import WIDTHS
from neuroncensus.figures.updates import examples
from neuroncensus.figures.updates_group import draw_updates_group, plot_updates_group
from neuroncensus.findings.ablation import summarize_ablation
from neuroncensus.findings.coverage import class_names, summarize_coverage
from neuroncensus.findings.dead import summarize_dead
from neuroncensus.findings.detectors import summarize_detectors
from neuroncensus.findings.trigger_updates import summarize_trigger_updates
from neuroncensus.findings.updates import summarize_updates
from neuroncensus.tablefiles import write_table
from neuroncensus.tables import COVERAGE, DEAD, DETECTOR_NGRAMS, TABLES
from neuroncensus.tables import DETECTORS as DETECTORS_TABLE
from tables_made import EDGES, LONG, TOKENS, dead_metadata, make_coverage, make_dead, make_detectors, make_updates, read_token, some_dead

TEXT = {"text_core_sha256": "one text", "window": 25, "tokens_core": 1000}


def dead(name: str, layers: int, some: bool) -> Model:
    table = some_dead(layers) if some else make_dead(layers, 1, [1] * layers, [0] * layers, [0] * layers)
    return Model(dead_metadata(name) | {"text_sha256": "one text"}, summarize_dead(table))


def coverage(name: str, layers: int, some: bool) -> Model:
    table, metadata = make_coverage(layers // 2, [1], model=name, dead=range(0 if some else layers))
    return Model(metadata | TEXT, summarize_coverage(table, metadata))


def detectors(name: str, layers: int, some: bool) -> Model:
    *tables, metadata = make_detectors(layers // 2, [1], 4 * some, model=name)
    return Model(metadata | TEXT, summarize_detectors(*tables, metadata))


def updates(name: str, layers: int, some: bool, most: int = 2) -> Model:
    tables, metadata = make_updates(layers, 4 * some, model=name)
    told, triggers = metadata["trigger_updates"], tables["trigger_updates"]
    summary = {
        "triggers": summarize_trigger_updates(triggers, told),
        "effects": summarize_ablation(tables["ablation"], metadata["ablation"], told["resamples"], told["seed"]),
        "kinds": summarize_updates(tables["updates"], triggers, None),
        "examples": examples(triggers, tables["updates"], tables["detector_ngrams"], read_token, most),
    }
    return Model(told | TEXT, summary)


FIGURES = {
    "dead": (dead, draw_dead_group),
    "coverage": (coverage, draw_coverage_group),
    "detectors": (detectors, draw_detectors_group),
    "updates": (updates, draw_updates_group),
}
GROUPS = {
    "2, 12 and 64 layers": [("two", 2, True), (f"{LONG}-1", 12, True), (f"{LONG}-2", 64, True), ("nothing", 6, False)],
    "one model of one neuron and layer": [("alone", 1, False)],
}


def draw(finding: str, group: str, columns: int = 2) -> Figure:
    make, figure = FIGURES[finding]
    return figure([make(*model) for model in GROUPS[group]], columns)


@pytest.mark.parametrize(("group", "columns"), [*((next(iter(GROUPS)), columns) for columns in WIDTHS), (list(GROUPS)[1], 2)])
@pytest.mark.parametrize("finding", FIGURES)
def test_figure_is_whole(finding: str, group: str, columns: int):
    figure = draw(finding, group, columns)
    check_whole(figure)
    assert figure.get_figwidth() == WIDTHS[columns]
    title = "".join(figure.get_suptitle().split())
    assert all(name in title for name, _, _ in GROUPS[group]), "the whole names of all models"


def test_figure_is_the_same_bytes(tmp_path: Path):
    check_same_bytes(lambda: draw("detectors", "2, 12 and 64 layers"), tmp_path)


def drawn(axes, dashed: bool = False) -> list[tuple]:
    """Of each line its places and heights."""
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines if line.is_dashed() == dashed]


def test_dead_lines_are_the_shares_and_means_of_the_tables():
    tables = {"a": make_dead(2, 20, [3, 20], [0, 2], [1, 0]), "b": some_dead(7)}
    models = [Model(dead_metadata(name) | {"text_sha256": "t"}, summarize_dead(table)) for name, table in tables.items()]
    figure = draw_dead_group(models, 2)
    shares, means = [], []
    for table in tables.values():
        by_layer = {layer: [row for row in table.to_dicts() if row["layer"] == layer] for layer in table["layer"].unique().to_list()}
        places = [(layer + 0.5) / len(by_layer) for layer in by_layer]
        shares.append((places, [100 * sum(row["activations"] == 0 for row in rows) / len(rows) for rows in by_layer.values()]))
        rates = [[row["activations"] / TOKENS for row in rows if row["activations"]] for rows in by_layer.values()]
        told = [(place, 100 * sum(found) / len(found)) for place, found in zip(places, rates, strict=True) if found]
        means.append(([place for place, _ in told], [mean for _, mean in told]))
    for axes, wanted in zip(figure.axes, (shares, means), strict=True):
        assert drawn(axes) == [(pytest.approx(places), pytest.approx(heights)) for places, heights in wanted]
    (legend,) = figure.subfigs[0].legends
    assert legend.get_texts()[0].get_text() == f"a: {23 / 40:.0%}"


def test_coverage_bars_are_the_shares_of_the_tables():
    made = {"a": make_coverage(2, [1, 2]), "b": make_coverage(5, [1, 2], dead=range(1, 2))}
    models = [Model(metadata | TEXT | {"model": name}, summarize_coverage(table, metadata)) for name, (table, metadata) in made.items()]
    panels = iter(draw_coverage_group(models, 2).axes)
    for n in (1, 2):
        for table, _ in made.values():
            axes, rows = next(panels), [row for row in table.to_dicts() if row["n"] == n]
            layers = sorted({row["layer"] for row in rows})
            for name, bars in zip(class_names(EDGES), axes.containers, strict=True):
                assert [bar.get_x() + bar.get_width() / 2 for bar in bars] == pytest.approx(layers)
                counts = [sum(row["class"] == name for row in rows if row["layer"] == layer) for layer in layers]
                assert [bar.get_height() for bar in bars] == pytest.approx([100 * count / 20 for count in counts])
            first = sum(row["class"] == "1-5" for row in rows) / len(rows)
            assert first >= 0.1 and axes.get_title("left") == f"{first:.0%}"


def test_detector_lines_are_the_numbers_of_the_tables():
    made = {"a": make_detectors(3, [1, 2]), "b": make_detectors(8, [1, 2], 30)}
    models = [Model(told | TEXT | {"model": name}, summarize_detectors(*tables, told)) for name, (*tables, told) in made.items()]
    figure = draw_detectors_group(models, 2)
    for place, n in enumerate((1, 2)):
        panels = figure.axes[4 * place : 4 * place + 4]
        for number, (found, ngrams, told) in enumerate(made.values()):
            layers = range(told["layers_covered"])
            depth = [(layer + 0.5) / len(layers) for layer in layers]
            rows, pairs = ([row for row in frame.to_dicts() if row["n"] == n] for frame in (found, ngrams))
            grams = [{tuple(row["ngram"]) for row in pairs if row["layer"] == layer} for layer in layers]
            below = [set().union(*grams[:layer]) for layer in range(len(layers) + 1)]
            assert drawn(panels[0])[number] == (depth, [sum(row["layer"] == layer for row in rows) for layer in layers])
            assert drawn(panels[1])[number] == (depth, [len(found) for found in grams])
            assert drawn(panels[1], dashed=True)[number] == (depth, [len(found) for found in below[1:]])
            some = [layer for layer in layers if grams[layer]]
            for axes, others in ((panels[2], below), (panels[3], [set(), *grams])):
                shares = [100 * len(grams[layer] - others[layer]) / len(grams[layer]) for layer in some]
                assert drawn(axes)[number] == ([depth[layer] for layer in some], pytest.approx(shares))
        assert all(line.get_ydata()[-1] < axes.get_ylim()[1] for axes in panels for line in axes.lines)


def test_update_dots_are_the_overall_numbers_of_the_tables():
    shapes = {"a": (12, 4), "none": (6, 0), "b": (64, 9)}
    models = [updates(name, layers, bool(most)) for name, (layers, most) in shapes.items()]
    panels = draw_updates_group(models, 2).axes[:4]
    tables = [make_updates(layers, 4 * bool(most))[0] for layers, most in shapes.values()]

    def dots(axes) -> dict:
        return {series.get_label(): (list(series[0].get_ydata()), list(series[0].get_xdata())) for series in axes.containers}

    def mean(frame: polars.DataFrame, name: str) -> float:
        values = [value for value in frame[name].to_list() if value is not None]
        return sum(values) / len(values)

    told = {place: table for place, table in enumerate(tables) if len(table["trigger_updates"])}
    assert list(told) == [0, 2]
    for axes, names, scale in (
        (panels[0], {"own": "suppresses_trigger", "null": "null_suppresses"}, 100),
        (panels[1], {"own": "suppresses_centred", "null": "null_suppresses_centred"}, 100),
        (panels[2], {"own": "logit_change", "matched": "matched_logit_change"}, 1),
    ):
        # Every detector has as many contexts, so means of means are means.
        kind = "ablation" if scale == 1 else "trigger_updates"
        wanted = {label: ([0, 2], pytest.approx([scale * mean(told[p][kind], name) for p in told])) for label, name in names.items()}
        assert dots(axes) == wanted
    keys = ["layer", "neuron"]
    medians = [
        [table["updates"].join(table["trigger_updates"], on=keys, how=how)["kurtosis"].median() for table in tables]
        for how in ("anti", "semi")
    ]
    assert dots(panels[3]) == {"others": ([0, 1, 2], pytest.approx(medians[0])), "own": ([0, 2], pytest.approx(medians[1][::2]))}


def test_the_figures_say_where_there_is_nothing():
    for finding, what, times in (
        ("coverage", "no layer is covered", 1),
        ("detectors", "no detector", 1),
        ("updates", "no token detector", 4),
    ):
        assert [text.get_text() for text in written(draw(finding, "one model of one neuron and layer"))].count(what) == times
    note = " ".join(draw("detectors", "one model of one neuron and layer").get_supxlabel().split())
    assert "No layer is covered of alone." in note
    assert "no neuron is alive" in [text.get_text() for text in written(draw("dead", "one model of one neuron and layer"))]


@pytest.mark.parametrize("finding", FIGURES)
def test_the_note_says_what_stands_behind_which_model_and_warns_of_other_text(finding: str):
    make, figure = FIGURES[finding]
    models = [make("a", 4, True), make("b", 4, True)]
    note = " ".join(figure(models, 2).get_supxlabel().split())
    assert note.count("corpus demo; float32") == 1 and "did not read the same tokens" not in note
    other = {"window": 99, "dtype": "float16", "text_sha256": "other", "text_core_sha256": "other"}
    models[1] = Model(models[1].metadata | other, models[1].summary)
    note = " ".join(figure(models, 2).get_supxlabel().split())
    assert "corpus demo; float32; b: " in note and "at most 99 tokens" in note and "corpus demo; float16. " in note
    assert "These models did not read the same tokens (corpus, window or tokenizer differ): " in note


def test_models_with_other_settings_are_refused():
    for make, figure, key in ((coverage, draw_coverage_group, "edges"), (detectors, draw_detectors_group, "detector_rate")):
        first, other = make("a", 4, True), make("b", 4, True)
        with pytest.raises(CensusError, match=f"models a and b of one group differ in {key}: .* and 7: make the tables of both"):
            figure([first, Model(other.metadata | {key: 7}, other.summary)], 2)


def test_long_names_stay_apart_and_equal_corpora_stand_together():
    assert labels(["opt-125m", "opt-66b"], 7, 1.0) == ["opt-125m", "opt-66b"]
    cut = labels([f"{LONG}-1", f"{LONG}-2"], 7, 1.0)
    assert cut[0][:4] == cut[1][:4] == "a-mo" and cut[0].endswith("-1") and cut[1].endswith("-2")
    middle = labels(["a" * 60 + "1" + "b" * 60, "a" * 60 + "2" + "b" * 60], 7, 1.0)
    assert [name[:2] for name in middle] == ["1 ", "2 "]
    assert behind([("a", "x"), ("b", "y"), ("c", "x")]) == "a and c: x; b: y." and behind([("a", "x"), ("c", "x")]) == "x."


@pytest.mark.parametrize("layers", [1, 2, 3, 7, 64])
def test_the_first_half_of_every_model_is_left_of_the_middle(layers: int):
    assert [place < 0.5 for place in depths(layers)] == [layer < layers // 2 for layer in range(layers)]


def test_files_are_drawn(tmp_path: Path):
    table, told = some_dead(2), dead_metadata() | {"text_sha256": "t"}
    write_table(table.to_arrow().select(DEAD.names).cast(DEAD.schema), tmp_path / "dead", told)
    covering, metadata = make_coverage(1, [1])
    write_table(covering.to_arrow().cast(COVERAGE.schema), tmp_path / "coverage", metadata | TEXT)
    found, ngrams, metadata = make_detectors(2, [1])
    for name, frame, kind in (("detectors", found, DETECTORS_TABLE), ("ngrams", ngrams, DETECTOR_NGRAMS)):
        write_table(frame.to_arrow().cast(kind.schema), tmp_path / name, metadata | TEXT)
    tables, metadata = make_updates(4)
    for name, frame in tables.items():
        write_table(frame.to_arrow().cast(TABLES[name].schema), tmp_path / f"u{name}", metadata["trigger_updates"] | TEXT)
    make_tokenizer(tmp_path / "tokenizer")
    how = {"columns": 1, "dpi": 60}
    plot_dead_group([tmp_path / "dead"] * 2, tmp_path / "dead.png", **how)
    plot_coverage_group([tmp_path / "coverage"], tmp_path / "coverage.png", **how)
    plot_detectors_group([tmp_path / "detectors"], [tmp_path / "ngrams"], tmp_path / "detectors.png", **how)
    plot_updates_group({name: [tmp_path / f"u{name}"] for name in tables}, [tmp_path / "tokenizer"], tmp_path / "updates.png", **how)
    assert all((tmp_path / f"{name}.png").stat().st_size > 1000 for name in FIGURES)
