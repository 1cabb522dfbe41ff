"""Shards against a reference that lays every position of a part end to end and cuts afterwards."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tokenizers import Tokenizer

from neuroncensus import tablefiles
from neuroncensus.corpora.shards import read_shard, read_shard_metadata, write_shard
from neuroncensus.corpora.tokenizer import load_tokenizer
from neuroncensus.errors import CensusError
from neuroncensus.files import FORMAT

WORDS = ["the", "cat", " </s>", "\n", "-34", "é", "return self"]


def write_source(folder: Path, texts: list[str]) -> dict:
    """One file of JSON lines with all texts, named by the working directory's rules but absolute for the test."""
    (folder / "prose.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return {"path": str(folder / "prose.jsonl"), "field": "text"}


def write_part(
    source: dict, tokenizer: Path, folder: Path, *, tokens: int, shard_tokens: int, previous: Path | None = None, **others
) -> list[Path]:
    part = others.setdefault("part", "core")
    paths = []
    count = -(-tokens // shard_tokens)
    for shard in range(count):
        paths.append(folder / f"{part}-{shard}.parquet")
        arguments: dict = {"window": 4, "windows": "all", "domain": "prose", "corpus": "mine"} | others
        arguments |= {"shard": shard, "tokens": tokens if shard == count - 1 else None, "previous": previous}
        write_shard(source, tokenizer, paths[-1], shard_tokens=shard_tokens, asked=tokens, **arguments)
        previous = paths[-1]
    return paths


def reference_positions(texts: list[str], tokenizer: Path, window: int, windows: str) -> list[tuple[int, int, int | None]]:
    """(document, start of the window, text token or None at BOS) of each position of all the text."""
    encoder = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    encoder.encode_special_tokens = True
    positions: list[tuple[int, int, int | None]] = []
    for document, text in enumerate(texts):
        for place, token in enumerate(encoder.encode(text, add_special_tokens=False).ids):
            if place % (window - 1) == 0:
                if windows == "first" and place:
                    break
                positions.append((document, place, None))
            positions.append((document, positions[-1][1], token))
    return positions


def reference_shards(positions: list[tuple[int, int, int | None]], shard_tokens: int) -> list[list[tuple[int, int, list[int]]]]:
    """Windows (document, start, tokens) of each shard, by the place of their last position."""
    shards: dict[int, list] = {}
    window: list[tuple[int, int, int | None]] = []
    for place, position in enumerate(positions):
        window.append(position)
        if place + 1 == len(positions) or positions[place + 1][2] is None:
            tokens = [token for _, _, token in window if token is not None]
            shards.setdefault(place // shard_tokens, []).append((*window[0][:2], tokens))
            window = []
    return [shards[shard] for shard in range(len(shards))]


def rows(path: Path) -> list[tuple[int, int, list[int]]]:
    shard = read_shard(path)
    pieces = [shard.tokens[begin:end].tolist() for begin, end in zip(shard.offsets, shard.offsets[1:], strict=False)]
    assert shard.lengths.tolist() == [1 + len(piece) for piece in pieces]
    assert shard.metadata["positions"] == shard.lengths.sum()
    return list(zip(shard.document.tolist(), shard.start.tolist(), pieces, strict=True))


@st.composite
def corpora(draw):
    texts = draw(st.lists(st.lists(st.sampled_from(WORDS), max_size=15).map("".join), min_size=1, max_size=12))
    window = draw(st.integers(2, 9))
    return texts, window, draw(st.sampled_from(["all", "first"])), window + draw(st.integers(0, 12)), draw(st.data())


@settings(max_examples=60, deadline=None)
@given(corpus=corpora())
def test_core_and_extra_are_the_reference(json_folder: Path, corpus):
    texts, window, windows, shard_tokens, data = corpus
    positions = reference_positions(texts, json_folder, window, windows)
    common = {"window": window, "windows": windows, "shard_tokens": shard_tokens}
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = write_source(folder, texts)
        if not positions:
            with pytest.raises(CensusError, match="is empty"):
                write_part(source, json_folder, folder, tokens=3, **common)
            return
        tokens = data.draw(st.integers(1, len(positions)))
        core = write_part(source, json_folder, folder, tokens=tokens, **common)
        assert [rows(path) for path in core] == reference_shards(positions[:tokens], shard_tokens)
        assert sum(read_shard_metadata(path)["positions"] for path in core) == tokens
        last_document = positions[tokens - 1][0]
        rest = [position for position in positions if position[0] > last_document]
        asked = data.draw(st.integers(1, len(rest) + 3))
        if asked > len(rest):
            with pytest.raises(CensusError, match=rf"domain prose \(extra of corpus mine\) .* {asked} asked, {len(rest)} found"):
                write_part(source, json_folder, folder, tokens=asked, previous=core[-1], part="extra", **common)
            return
        extra = write_part(source, json_folder, folder, tokens=asked, previous=core[-1], part="extra", **common)
        assert [rows(path) for path in extra] == reference_shards(rest[:asked], shard_tokens)


@settings(max_examples=40, deadline=None)
@given(corpus=corpora())
def test_a_grown_corpus_keeps_every_shard_but_the_last(json_folder: Path, corpus):
    texts, window, windows, shard_tokens, data = corpus
    total = len(reference_positions(texts, json_folder, window, windows))
    if not total:
        return
    few = data.draw(st.integers(1, total))
    many = data.draw(st.integers(few, total))
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = write_source(folder, texts)
        common = {"window": window, "windows": windows, "shard_tokens": shard_tokens}
        before = [path.read_bytes() for path in write_part(source, json_folder, folder, tokens=few, **common)]
        after = [path.read_bytes() for path in write_part(source, json_folder, folder, tokens=many, **common)]
    assert after[: len(before) - 1] == before[:-1]
    assert (after[: len(before)] == before) == (few == many)


@pytest.fixture
def part(json_folder: Path, tmp_path: Path) -> tuple[dict, Path, Path, list[Path]]:
    """Source, tokenizer, folder and the shards of a small core."""
    source = write_source(tmp_path, ["the cat sat", "", "on the mat", "the dog ate the hat", "return self.value"])
    return source, json_folder, tmp_path, write_part(source, json_folder, tmp_path, tokens=21, shard_tokens=8)


def test_metadata(part):
    source, tokenizer, _, paths = part
    first, second, third = (read_shard(path).metadata for path in paths)
    assert {key: first[key] for key in ("corpus", "part", "domain", "shard", "window", "windows", "shard_tokens")} == {
        "corpus": "mine",
        "part": "core",
        "domain": "prose",
        "shard": 0,
        "window": 4,
        "windows": "all",
        "shard_tokens": 8,
    }
    assert (first["source"], first["tokenizer"]) == (source, load_tokenizer(tokenizer).fingerprint)
    assert (first["previous_sha256"], second["previous_sha256"]) == (None, first["content_sha256"])
    assert (first["tokens"], second["tokens"], third["tokens"]) == (None, None, 21)
    for before, after in ((first, second), (second, third)):
        assert after["first_position"] == before["first_position"] + before["positions"] == before["cursor"]["position"]
    assert third["cursor"]["position"] == 21
    assert all(read_shard(path).metadata["documents"] == len(numpy.unique(read_shard(path).document)) for path in paths)


def test_installed_source_records_its_package(json_folder: Path, tmp_path: Path):
    source = {"installed": "sympy", "split": "held_out", "tokens": 50}
    (path,) = write_part(source, json_folder, tmp_path, tokens=50, shard_tokens=100)
    metadata = read_shard_metadata(path)
    assert metadata["package"].startswith("sympy==")
    assert metadata["source"] == {"installed": "sympy", "split": "held_out"}


def test_a_small_source_says_what_it_has(part):
    source, tokenizer, folder, _ = part
    found = len(reference_positions(["the cat sat", "", "on the mat", "the dog ate the hat", "return self.value"], tokenizer, 4, "all"))
    with pytest.raises(
        CensusError, match=rf"domain prose \(core of corpus mine\) has fewer tokens than asked: tokens: 500 asked, {found} found"
    ):
        write_part(source, tokenizer, folder, tokens=500, shard_tokens=8)


def test_an_empty_domain_is_told(json_folder: Path, tmp_path: Path):
    with pytest.raises(CensusError, match=r"domain prose .* is empty: tokens: 5 asked, 0 found, no file matches path: \S+/none"):
        write_part({"path": str(tmp_path / "none*.txt")}, json_folder, tmp_path, tokens=5, shard_tokens=8)
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(CensusError, match=r"domain prose .* is empty: tokens: 5 asked, 0 found: give it text"):
        write_part({"path": str(tmp_path / "a.txt")}, json_folder, tmp_path, tokens=5, shard_tokens=8)
    assert not list(tmp_path.glob("*.p*"))


def test_a_fault_behind_the_last_window_is_not_met(json_folder: Path, tmp_path: Path):
    source = write_source(tmp_path, ["the cat sat on the mat"])
    with Path(source["path"]).open("a") as file:
        file.write("broken\n")
    write_part(source, json_folder, tmp_path, tokens=5, shard_tokens=8)
    with pytest.raises(CensusError, match=r"prose.jsonl:2 is broken JSON"):
        write_part(source, json_folder, tmp_path, tokens=500, shard_tokens=8)


def test_shard_shorter_than_the_window(part):
    source, tokenizer, folder, _ = part
    with pytest.raises(CensusError, match="shard_tokens: 3 is below window: 4"):
        write_part(source, tokenizer, folder, tokens=5, shard_tokens=3)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"corpus": "other"}, "another corpus or setting .corpus: mine, here other"),
        ({"domain": "code"}, "domain: prose, here code"),
        ({"window": 5}, "window: 4, here 5"),
        ({"windows": "first"}, "windows: all, here first"),
        ({"shard_tokens": 9}, "shard_tokens: 8, here 9"),
        ({"shard": 2, "asked": 30, "tokens": None}, "shard: 0, here 1"),
        ({"part": "extra"}, "part: core, here extra"),
        ({"part": "extra", "shard": 0}, "was not the last of its domain"),
        ({"previous": 2, "shard": 3, "asked": 30, "tokens": 30}, "was the last of its domain"),
        ({"previous": 9}, "shard file .* is missing"),
    ],
)
def test_a_predecessor_that_does_not_fit(part, changed: dict, says: str):
    source, tokenizer, folder, paths = part
    arguments: dict = {"window": 4, "windows": "all", "domain": "prose", "corpus": "mine", "part": "core"}
    arguments |= {"shard": 1, "shard_tokens": 8, "tokens": None, "asked": 21, "previous": 0} | changed
    arguments["previous"] = paths[arguments["previous"]] if arguments["previous"] < len(paths) else folder / "none.parquet"
    with pytest.raises(CensusError, match=says):
        write_shard(source, tokenizer, folder / "new.parquet", **arguments)
    assert not list(folder.glob("*new*"))


def test_default_field_is_the_same_source(part):
    source, tokenizer, folder, _ = part
    paths = write_part(source, tokenizer, folder, tokens=9, shard_tokens=8)
    out = folder / "extra.parquet"
    arguments: dict = {"window": 4, "windows": "all", "domain": "prose", "corpus": "mine", "part": "extra", "shard_tokens": 8}
    write_shard({"path": source["path"]}, tokenizer, out, shard=0, tokens=2, asked=2, previous=paths[-1], **arguments)
    assert read_shard_metadata(out)["source"] == {"path": source["path"]}


def test_no_flipped_byte_goes_unnoticed(part):
    _, _, folder, paths = part
    whole = paths[1].read_bytes()
    good = read_shard(paths[1])
    bad = folder / "bad.parquet"
    for place in range(0, len(whole), 3):
        bad.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            shard = read_shard(bad)
        except CensusError as error:
            assert f"shard file {bad}" in str(error)
            assert "delete it and run again" in str(error)
        else:  # a byte that says nothing about the content, such as a statistic
            assert shard.metadata == good.metadata
            assert all(numpy.array_equal(getattr(shard, name), getattr(good, name)) for name in ("document", "start", "tokens", "offsets"))


def test_truncated_foreign_and_future_files(part):
    _, _, folder, paths = part
    bad = folder / "bad.parquet"
    for size in (0, 3, 100, len(paths[0].read_bytes()) - 1):
        bad.write_bytes(paths[0].read_bytes()[:size])
        with pytest.raises(CensusError, match=r"shard file .* is corrupt \(.+\): delete it and run again"):
            read_shard(bad)
    parquet.write_table(pyarrow.table({"a": [1]}), bad)
    with pytest.raises(CensusError, match=r"shard file .* was not written by neuroncensus"):
        read_shard(bad)
    table, metadata = tablefiles.read_table(paths[0]), tablefiles.read_metadata(paths[0])
    tablefiles.write_table(table, bad, metadata | {"format": FORMAT + 1})
    with pytest.raises(CensusError, match=rf"is of another version \(format {FORMAT + 1}, this one reads {FORMAT}\)"):
        read_shard(bad)
    tablefiles.write_table(table, bad, {"kind": "counts"})
    with pytest.raises(CensusError, match=r"holds something else \(counts\)"):
        read_shard(bad)
    tablefiles.write_table(table.slice(1), bad, metadata)
    with pytest.raises(CensusError, match="its windows do not match their checksum"):
        read_shard(bad)
    tablefiles.write_table(table.select(["document", "tokens"]), bad, metadata)
    with pytest.raises(CensusError, match="its columns are document, tokens"):
        read_shard(bad)
    tablefiles.write_table(table, bad, metadata)
    assert bad.read_bytes() == paths[0].read_bytes()
