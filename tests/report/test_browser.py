"""`browser/index.html`: what its files hold against the tables, whatever the texts are."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy
import polars
import pytest
from polars.testing import assert_frame_equal

from browser_made import HOSTILE, SMALL, make_page, make_tokenizer, raw, told
from neuroncensus.errors import CensusError
from neuroncensus.report import browser
from neuroncensus.report.browser import write_browser
from neuroncensus.report.browserdata import bin_starts, binned, write_json
from neuroncensus.report.page import SCRIPTS, STYLE
from neuroncensus.tablefiles import read_table, write_table


@pytest.fixture(scope="module")
def made(tmp_path_factory, request):
    """Tables and page with two chunks a layer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browser, "CHUNK", 32)
        return make_page(tmp_path_factory.mktemp("made"))


def table(files: dict[str, Path], name: str, layer: int, first: int = 0, end: int = 1 << 30) -> polars.DataFrame:
    rows = polars.DataFrame(read_table(files[name]))
    return rows.filter(polars.col("layer") == layer, polars.col("neuron").is_between(first, end - 1)).drop("layer")


def same(found: dict[str, list], wanted: polars.DataFrame) -> None:
    """Equal but for the rounding of floats, nulls where nulls are."""
    assert list(found) == wanted.columns
    frame = polars.DataFrame({name: polars.Series(values, dtype=wanted.schema[name]) for name, values in found.items()})
    assert_frame_equal(frame, wanted, rel_tol=6e-4, abs_tol=0)
    whole = [name for name, kind in wanted.schema.items() if kind == polars.Int64]
    assert frame.select(whole).equals(wanted.select(whole))


@pytest.mark.parametrize("layer", range(SMALL.layers))
@pytest.mark.parametrize(("chunk", "first", "end"), [(0, 0, 32), (1, 32, 40)])
def test_a_chunk_has_what_the_tables_have_of_its_neurons(made, layer, chunk, first, end):
    files, page = made
    found = told(page, f"layer-{layer:02}/{chunk:03}")
    same(found["neurons"], table(files, "neurons", layer, first, end))
    same(found["ablation"], table(files, "ablation", layer, first, end))
    same(found["logits"], table(files, "updates", layer, first, end).select("neuron", "promoted_logits", "suppressed_logits"))
    counted = table(files, "frequency", layer, first, end)
    by_domain = counted.group_by("neuron", maintain_order=True).agg("activations", "activations_bos", "documents_active")
    same(found["domains"], by_domain)
    domains = counted.filter(polars.col("neuron") == first).select("part", "domain", "tokens", "documents").to_dicts()
    assert told(page, "model")["domains"] == domains and len(domains) == 12


@pytest.mark.parametrize("layer", range(SMALL.layers))
def test_files_of_a_layer_have_its_rows(made, layer):
    files, page = made
    place, neurons = f"layer-{layer:02}", table(files, "neurons", layer)
    same(told(page, f"{place}/ngrams"), table(files, "detector_ngrams", layer).drop("ngram"))
    ids = numpy.frombuffer(raw(page, f"{place}/writes"), "<i4").reshape(2, SMALL.neurons, 10)
    assert ids.tolist() == [table(files, "updates", layer)[name].to_list() for name in ("promoted", "suppressed")]
    listed, groups = told(page, f"{place}/neurons"), told(page, "model")["groups"]
    same(
        {name: listed[name] for name in ("neuron", "frequency", "covering_2", "norm")},
        neurons.select("neuron", "frequency", "covering_2", "norm"),
    )
    for place, row in enumerate(neurons.to_dicts()):
        says = {name: labels[listed[name][place]] for name, labels in groups.items()}
        alive = "active at BOS only" if row["bos_only"] else "active"
        assert says["state"] == (("dead for every input" if row["provably_dead"] else "dead") if row["dead"] else alive)
        assert says["class_3"] == (row["class_3"] or "not counted")
        assert says["detector"] == {None: "not counted", True: "token detector", False: "no detector"}[row["detector_1"]]
        assert says["type"] == (row["type"] if row["positional"] else "not positional")


def test_maps_have_every_neuron_in_order(made):
    files, page = made
    neurons = polars.DataFrame(read_table(files["neurons"]))
    state, level = (numpy.frombuffer(raw(page, f"map-{name}"), numpy.uint8) for name in ("state", "level"))
    assert numpy.array_equal(numpy.isin(state, [1, 2]), neurons["dead"].to_numpy())
    frequency = neurons["frequency"].to_numpy()
    assert numpy.array_equal(level == 0, frequency == 0)
    shown = 10 ** (-6 + 6 * (level[level > 0] - 1.0) / 254)
    assert numpy.allclose(numpy.log10(shown), numpy.log10(numpy.maximum(frequency[level > 0], 1e-6)), atol=0.013)


def test_curves_are_means_over_parts_of_the_positions():
    assert bin_starts(1) == [0] and bin_starts(5) == [0, 1, 2, 3, 4]
    starts = bin_starts(2049)
    assert starts[:3] == [0, 1, 9] and len(starts) == 257
    fr = numpy.random.default_rng(0).random((2, 2049))
    rows = polars.DataFrame({"layer": [0, 0], "neuron": [1, 2], "fr": polars.Series(fr.tolist())})
    found = numpy.array(binned(rows, starts)["fr"].to_list())
    assert numpy.array_equal(found[:, 0], (1000 * fr[:, 0]).round())
    assert numpy.array_equal(found[:, 1:], (1000 * fr[:, 1:].reshape(2, 256, 8).mean(axis=2)).round())


def test_no_text_can_be_read_as_html_or_script(made):
    _, page = made
    texts = told(page, "vocabulary")["texts"]
    assert HOSTILE[0].replace(" ", "␣") in texts and len(texts) == SMALL.vocabulary
    assert set(told(page, "layer-00/ngrams")["text"]) == set(HOSTILE)
    data = page.parent / "data"
    files = [file for file in data.rglob("*") if file.is_file() and file.name not in (*SCRIPTS, STYLE)]
    assert len(files) > 20
    for file in files:
        raw(page, str(file.relative_to(data).with_suffix("")))


def test_what_is_no_character_at_all_is_inert(tmp_path):
    write_json(tmp_path / "data", "x", ["\ud800", "\udfff</script>"])
    assert told(tmp_path / "index.html", "x") == ["\ud800", "\udfff</script>"]


def test_the_page_forbids_what_it_does_not_need(made):
    found = {"meta": [], "script": [], "link": []}

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.setdefault(tag, []).append(dict(attrs))

    Parser().feed(made[1].read_text(encoding="utf-8"))
    (policy,) = [one["content"] for one in found["meta"] if one.get("http-equiv") == "Content-Security-Policy"]
    assert {"default-src 'none'", "require-trusted-types-for 'script'"} <= set(policy.split("; ")) and "unsafe" not in policy
    assert [one["src"] for one in found["script"]] == [f"data/{name}" for name in SCRIPTS]
    assert not any(name.startswith("on") or name == "style" for tags in found.values() for tag in tags for name in tag)
    scripts = "".join((made[1].parent / "data" / name).read_text(encoding="utf-8") for name in SCRIPTS)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|https?://(?!www\.w3\.org/2000/svg)", scripts
    )


def test_the_same_tables_give_the_same_bytes(made, tmp_path):
    files, page = made
    again = tmp_path / "index.html"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "left.js").touch()
    tokenizer = make_tokenizer(tmp_path / "tokenizer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browser, "CHUNK", 32)
        write_browser(files, tokenizer, again)
    contents = [
        {str(file.relative_to(one.parent)): file.read_bytes() for file in (one, *(one.parent / "data").rglob("*")) if file.is_file()}
        for one in (page, again)
    ]
    assert contents[0] == contents[1]


def test_without_findings_or_with_one_neuron_there_is_a_page(tmp_path):
    lonely = replace(SMALL, layers=1, neurons=1, detectors=0.0, positional=0.0, curves=False)
    files, page = make_page(tmp_path, lonely)
    model = told(page, "model")
    assert model["layers"] == [{"neurons": 1, "ngrams": 0}] and not model["has"]["positional"]
    assert told(page, "layer-00/neurons")["type"] == [0] and told(page, "layer-00/ngrams")["text"] == []
    write_browser({name: files[name] for name in ("neurons", "frequency")}, tmp_path / "tokenizer", page)
    assert raw(page, "layer-00/writes") == b"" and told(page, "layer-00/000")["profiles"]["neuron"] == []


def test_half_a_page_has_no_index(made, tmp_path, monkeypatch):
    files, page = dict(made[0]), tmp_path / "index.html"
    page.write_text("an older one")
    other = polars.DataFrame(read_table(files["ablation"])).to_arrow().cast(read_table(files["ablation"]).schema)
    files["ablation"] = tmp_path / "ablation.parquet"
    write_table(other, files["ablation"], {"model": "made", "model_digest": "1"})
    with pytest.raises(CensusError, match=r"ablation\.parquet differ in model_digest: 0 and 1"):
        write_browser(files, tmp_path, page)
    assert page.exists()

    monkeypatch.setattr(browser, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_browser(made[0], made[1].parent.parent / "tokenizer", page)
    assert not page.exists() and not (tmp_path / "data").exists()
