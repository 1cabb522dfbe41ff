"""Text of data sets on the Hub, as the downloads leave it: formats, filters, and what is written down of it."""

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path

import pyarrow
import pytest
import zstandard
from pyarrow import parquet

from hub_made import commit_of, git_blob
from made_text import make_texts, make_tokenizer
from neuroncensus.corpora.shards import read_shard, write_shard
from neuroncensus.corpora.sources import read_documents, read_texts, source_files
from neuroncensus.errors import CensusError
from neuroncensus.hub.listing import Listing, RemoteFile, write_listing
from neuroncensus.hub.places import LISTING, data_folder

REPO, COMMIT = "org/data", commit_of("data")
NAMES = ["Wikipedia (en)", "Github", "HackerNews"]
RECORDS = [{"text": f"{number} {text}", "meta": {"pile_set_name": NAMES[number % 3]}} for number, text in enumerate(make_texts(90, seed=5))]
FILES = ["val.jsonl.zst", "test.json.gz", "data/more.parquet"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, records: list[dict]) -> None:
    path = Path(data_folder(source()), name)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    if name.endswith(".parquet"):
        parquet.write_table(pyarrow.Table.from_pylist(records), path, row_group_size=7)
    else:
        path.write_bytes(zstandard.compress(lines) if name.endswith(".zst") else gzip.compress(lines) if name.endswith(".gz") else lines)


def source(**changed) -> dict:
    return {"hub": REPO, "revision": COMMIT, "files": FILES, "field": "text"} | changed


def write_all() -> None:
    """Three files of 30 records each, and their listing."""
    for place, name in enumerate(FILES):
        write(name, RECORDS[30 * place : 30 * place + 30])
    folder = Path(data_folder(source()))
    files = {name: (folder / name).read_bytes() for name in FILES}
    listed = {name: RemoteFile(name, len(body), hashlib.sha256(body).hexdigest(), None) for name, body in files.items()}
    write_listing(Listing("dataset", REPO, COMMIT, listed), folder / LISTING)


def test_files_lie_by_data_set_and_revision_in_the_order_given():
    folder = f"resources/corpora/hub/org--data@{COMMIT}"
    assert source_files(source()) == [f"{folder}/{name}" for name in FILES]
    assert source_files({"hub": REPO, "files": ["b", "a"]}) == [f"resources/corpora/hub/org--data@main/{name}" for name in "ba"]
    assert data_folder(source(revision="refs/pr/3")) == "resources/corpora/hub/org--data@refs%2Fpr%2F3"


def test_every_record_of_every_format_is_a_document():
    write_all()
    documents = list(read_documents(source()))
    assert [document.text for document in documents] == [record["text"] for record in RECORDS]
    assert [document.index for document in documents] == list(range(90))
    assert documents[65].where == f"{data_folder(source())}/data/more.parquet:6"


@pytest.mark.parametrize("value", NAMES)
def test_a_filter_keeps_the_records_with_the_value_and_numbers_them(value):
    write_all()
    filtered = source(where={"meta.pile_set_name": value})
    documents = list(read_documents(filtered))
    kept = [(number, record["text"]) for number, record in enumerate(RECORDS) if record["meta"]["pile_set_name"] == value]
    assert [document.text for document in documents] == [text for _, text in kept]
    assert [document.index for document in documents] == list(range(30))
    assert [int(document.where.rpartition(":")[2]) for document in documents] == [number % 30 + 1 for number, _ in kept]
    for start in (1, 9, 10, 11, 29, 30, 31):
        assert list(read_documents(filtered, start)) == documents[start:]


def test_dropped_texts_are_no_documents():
    bodies = ["a", "[deleted]", "b", "[removed]", "c [deleted]"]
    for name in ("a.jsonl", "b.parquet"):
        write(name, [{"body": body} for body in bodies])
    dropping = source(files=["a.jsonl", "b.parquet"], field="body", drop=["[deleted]", "[removed]"])
    assert list(read_texts(dropping)) == ["a", "b", "c [deleted]"] * 2
    assert [document.where.rpartition(":")[2] for document in read_documents(dropping)] == ["1", "3", "5"] * 2
    assert len(list(read_documents(dropping, 2))) == 4


@pytest.mark.parametrize(
    ("where", "kept"),
    [({"n": 1}, "bd"), ({"n": True}, "a"), ({"n": 1.0}, "bd"), ({"n": "1"}, "c"), ({"a.b.c": "x"}, "d"), ({"n": 1, "a.b.c": "x"}, "d")],
)
def test_values_are_compared_as_what_they_are(where, kept):
    records = [{"text": "a", "n": True}, {"text": "b", "n": 1}, {"text": "c", "n": "1"}, {"text": "d", "n": 1, "a": {"b": {"c": "x"}}}]
    write("a.json", records)
    assert "".join(read_texts(source(files=["a.json"], where=where))) == kept


def test_records_without_text_are_told_only_where_they_are_kept():
    write("a.json", [{"kind": 1}, {"kind": 2, "text": "x"}])
    assert list(read_texts(source(files=["a.json"], where={"kind": 2}))) == ["x"]
    with pytest.raises(CensusError, match=r"a\.json:1 has no field `text`, it has `kind`: set `field`"):
        list(read_texts(source(files=["a.json"], where={"kind": 1})))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"where": {"meta.pile_set_name": "GitHub"}},
            r"^where: \{meta\.pile_set_name: GitHub\} matches none of the 90 records in val\.jsonl\.zst, .* of org/data "
            r"\(`meta\.pile_set_name` is \"Wikipedia \(en\)\", \"Github\", \"HackerNews\"\): correct where$",
        ),
        ({"where": {"meta.name": "Github"}, "files": FILES[:2]}, r"of the 60 records .* \(`meta\.name` is null\): correct where$"),
        (
            {"where": {"mata.name": "Github"}, "files": FILES[2:]},
            r"more\.parquet has no field `mata\.name`, it has `text`, `meta`: correct",
        ),
        ({"field": "body"}, r"val\.jsonl\.zst:1 has no field `body`, it has `text`, `meta`: set `field`"),
        ({"field": "body", "files": FILES[2:]}, r"data/more\.parquet has no field `body`, it has `text`, `meta`: set `field`"),
    ],
)
def test_what_does_not_fit_the_records_is_told(changed, sentence):
    write_all()
    with pytest.raises(CensusError, match=sentence):
        list(read_documents(source(**changed)))


def shards(budget: int, where: dict | None) -> list[Path]:
    make_tokenizer(Path("tokenizer"))
    outs: list[Path] = []
    for shard in range(-(-budget // 100)):
        outs.append(Path(f"{shard}.parquet"))
        last = budget if (shard + 1) * 100 >= budget else None
        cut = {"window": 16, "windows": "all", "shard": shard, "shard_tokens": 100, "tokens": last, "asked": budget}
        names = {"part": "core", "domain": "code", "corpus": "mine", "previous": outs[-2] if shard else None}
        write_shard(source(**({"where": where} if where else {})), Path("tokenizer"), outs[-1], **cut, **names)
    return outs


@pytest.mark.parametrize("where", [None, {"meta.pile_set_name": "Github"}])
def test_a_shard_says_which_rows_of_which_files_it_took(where):
    write_all()
    documents = list(read_documents(source(**({"where": where} if where else {}))))
    checksums = {name: f"sha256 {hashlib.sha256(Path(data_folder(source()), name).read_bytes()).hexdigest()}" for name in FILES}
    for path in shards(600, where):
        shard = read_shard(path)
        assert shard.metadata["commit"] == COMMIT and shard.metadata["source"]["revision"] == COMMIT
        used = [documents[number].where.removeprefix(data_folder(source()) + "/").rsplit(":", 1) for number in sorted(set(shard.document))]
        rows = {name: [int(row) for file, row in used if file == name] for name, _ in used}
        assert shard.metadata["taken"] == [
            {"file": name, "checksum": checksums[name], "first_row": min(of), "documents": len(of), "last_row": max(of)}
            for name, of in rows.items()
        ]
        assert Counter(file for file, _ in used) == {entry["file"]: entry["documents"] for entry in shard.metadata["taken"]}


def test_a_data_set_smaller_than_the_budget_is_told_with_both_numbers():
    write_all()
    with pytest.raises(
        CensusError, match=r"domain code \(core of corpus mine\) has fewer tokens than asked: tokens: 90000 asked, \d{4} found"
    ):
        shards_of_all = shards(90000, {"meta.pile_set_name": "Github"})
        assert not shards_of_all
    assert not Path("899.parquet").exists()


def test_a_missing_list_of_files_is_told():
    write_all()
    Path(data_folder(source()), LISTING).unlink()
    with pytest.raises(CensusError, match=r"hub\.json is missing in resources/corpora/hub/org--data@"):
        shards(100, None)


def test_gits_checksum_is_gits():
    assert git_blob(b"what is up, doc?") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"
