import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
import zstandard
from pyarrow import parquet

from neuroncensus.corpora.installed import installed_documents
from neuroncensus.corpora.sources import read_documents, read_texts, source_files
from neuroncensus.errors import CensusError

TEXTS = ["one", "", "three\r\nlines\n\n", "\u2028 four \ufeff", "fünf 👩‍👧", "six </s>", "x" * 200_000, "last"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(texts: list[str], field: str = "text") -> bytes:
    return b"".join(json.dumps({"id": 1, field: text}, ensure_ascii=False).encode() + b"\n" for text in texts)


def write(name: str, texts: list[str]) -> None:
    if name.endswith(".parquet"):
        table = pyarrow.table({"id": range(len(texts)), "text": texts})
        parquet.write_table(table, name, row_group_size=3, write_page_checksum=True)
    elif name.endswith(".gz"):
        Path(name).write_bytes(gzip.compress(lines(texts)))
    elif name.endswith(".zst"):
        half = len(texts) // 2
        Path(name).write_bytes(zstandard.compress(lines(texts[:half])) + zstandard.compress(lines(texts[half:])))
    else:
        Path(name).write_bytes(lines(texts))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"])
def test_records_of_every_format(name: str):
    write(name, TEXTS)
    documents = list(read_documents({"path": name}))
    assert [document.text for document in documents] == TEXTS
    assert [document.index for document in documents] == list(range(len(TEXTS)))
    assert [document.where for document in documents] == [f"{name}:{number}" for number in range(1, len(TEXTS) + 1)]


def test_starting_late_is_leaving_out_the_first():
    for name in ("a.jsonl", "b.jsonl.gz", "c.parquet", "d.jsonl.zst"):
        write(name, TEXTS)
    Path("e.txt").write_text("whole")
    write("f.parquet", TEXTS)
    source = {"path": "*"}
    documents = list(read_documents(source))
    assert [document.index for document in documents] == list(range(5 * len(TEXTS) + 1))
    for start in range(len(documents) + 3):
        assert list(read_documents(source, start)) == documents[start:]


def test_earlier_documents_are_not_parsed():
    Path("a.jsonl").write_bytes(b"not json\n" + lines(["good"]))
    Path("a.bin").write_bytes(b"\xff")
    assert [document.text for document in read_documents({"path": "a.*"}, 2)] == ["good"]


def test_blank_lines_are_no_records_but_count_as_lines():
    Path("a.jsonl").write_bytes(b'\n{"text": "a"}\r\n  \n\n{"text": "b"}')
    assert [(document.index, document.where, document.text) for document in read_documents({"path": "a.jsonl"})] == [
        (0, "a.jsonl:2", "a"),
        (1, "a.jsonl:5", "b"),
    ]


def test_any_other_file_is_one_document_as_it_stands():
    Path("a.py").write_bytes("x = 1\r\ny = 'ü'\r\n".encode())
    Path("b.txt").write_bytes(b"")
    Path("c.md").write_bytes(b"\xef\xbb\xbfmarked \xef\xbb\xbf")
    assert list(read_texts({"path": "*"})) == ["x = 1\r\ny = 'ü'\r\n", "", "marked \ufeff"]


def test_byte_order_mark_of_json_lines_is_left_out():
    Path("a.jsonl").write_bytes(b"\xef\xbb\xbf" + lines(["a"]))
    assert list(read_texts({"path": "a.jsonl"})) == ["a"]


def test_files_are_in_the_order_of_their_names():
    for name in ("b/10.txt", "b/9.txt", "a.txt", "B.txt", "b/deep/x.txt", ".hidden.txt", "b/.hidden/y.txt", "ü.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    Path("dir.txt").mkdir()
    wanted = ["B.txt", "a.txt", "b/10.txt", "b/9.txt", "b/deep/x.txt", "ü.txt"]
    assert source_files({"path": "**/*.txt"}) == list(read_texts({"path": "**/*.txt"})) == wanted
    assert source_files({"path": "none*"}) == source_files({"installed": "sympy", "split": "train"}) == []


def test_another_field(here: Path):
    Path("a.jsonl").write_bytes(lines(["a"], "content"))
    assert list(read_texts({"path": "a.jsonl", "field": "content"})) == ["a"]
    parquet.write_table(pyarrow.table({"content": pyarrow.array(["b"]).dictionary_encode()}), "b.parquet")
    assert list(read_texts({"path": str(here / "b.parquet"), "field": "content"})) == ["b"]


GOOD = b'{"text": "good"}\n'


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b'{"body": "x", "id": 3}', r"prose.jsonl:3 has no field `text`, it has `body`, `id`: set `field`"),
        (b'{"text": 7}', r"prose.jsonl:3: field `text` is int, not a string"),
        (b'{"text": null}', r"prose.jsonl:3: field `text` is null, not a string"),
        (b'{"text": "x', r"prose.jsonl:3 is broken JSON \(.* at column 10\)"),
        (b"[" * 100_000, r"prose.jsonl:3 is broken JSON"),
        (b'["text"]', r"prose.jsonl:3 is not a JSON object but a list"),
        (b'{"text": "x\xff"}', r"prose.jsonl:3 is not UTF-8 \(byte 0xff at offset 11\)"),
        (b'{"text": "x\\ud83d"}', r"prose.jsonl:3: field `text` has half of a surrogate pair \(\\ud83d\)"),
    ],
)
def test_faulty_lines_are_told_with_file_and_line(bad: bytes, says: str):
    for name, pack in (("prose.jsonl", bytes), ("prose.jsonl.gz", gzip.compress), ("prose.jsonl.zst", zstandard.compress)):
        Path(name).write_bytes(pack(GOOD + b"\n" + bad + b"\n" + GOOD))
        with pytest.raises(CensusError, match=says.replace("prose.jsonl", name)):
            list(read_documents({"path": name}))


def test_whole_surrogate_pairs_are_one_character():
    Path("a.jsonl").write_bytes(b'{"text": "\\ud83d\\ude00"}')
    assert list(read_texts({"path": "a.jsonl"})) == ["😀"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"caf\xe9", r"x\.py:1 is not UTF-8 \(byte 0xe9 at offset 3\)"),
        (b"\xef\xbb\xbf\xc3\xbc\r\n\n# caf\xc3\nx = 1\xff\n", r"x\.py:3 is not UTF-8 \(byte 0xc3 at offset 5\)"),
        ("ä\n".encode("utf-16-le"), r"x\.py:1 is not UTF-8 \(byte 0xe4 at offset 0\)"),
        (b"\n\n\n\xf0\x9f\x98", r"x\.py:4 is not UTF-8 \(byte 0xf0 at offset 0\)"),
    ],
)
def test_wrong_encoding_of_a_whole_file_is_told_with_the_line(content: bytes, says: str):
    Path("x.py").write_bytes(content)
    with pytest.raises(CensusError, match=says):
        list(read_documents({"path": "x.py"}))


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.parquet"])
def test_truncated_or_overwritten_files(name: str):
    # Random text, so that no format packs the file into next to nothing.
    draw = random.Random(0)
    write(name, [draw.randbytes(3000).hex() for _ in range(20)])
    whole = Path(name).read_bytes()
    middle = len(whole) // 3
    for broken in (whole[:middle], whole[:-1], b"no such format at all"):
        Path(name).write_bytes(broken)
        with pytest.raises(CensusError, match=rf"{name}\S* cannot be read \(.+\): replace"):
            list(read_documents({"path": name}))
    Path(name).write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    with pytest.raises(CensusError, match=rf"{name}(:\d+)? (cannot be read|is broken JSON)"):
        list(read_documents({"path": name}))


def test_faulty_rows_of_parquet_are_told_with_the_row():
    parquet.write_table(pyarrow.table({"text": ["a", None]}), "null.parquet")
    with pytest.raises(CensusError, match=r"null.parquet:2: field `text` is null"):
        list(read_documents({"path": "null.parquet"}))
    strings = pyarrow.Array.from_buffers(pyarrow.string(), 2, pyarrow.array([b"a", b"\xff"]).buffers())
    parquet.write_table(pyarrow.table({"text": strings}), "bytes.parquet")
    with pytest.raises(CensusError, match=r"bytes.parquet:2 is not UTF-8"):
        list(read_documents({"path": "bytes.parquet"}))
    parquet.write_table(pyarrow.table({"text": [1]}), "number.parquet")
    with pytest.raises(CensusError, match=r"number.parquet: field `text` is int64, not a string"):
        list(read_documents({"path": "number.parquet"}))
    with pytest.raises(CensusError, match=r"number.parquet has no field `body`, it has `text`"):
        list(read_documents({"path": "number.parquet", "field": "body"}))


def test_installed_sources():
    documents = list(read_documents({"installed": "sympy", "split": "held_out"}, 3))
    assert [document.text for document in documents] == list(installed_documents("sympy", "held_out"))[3:]
    assert (documents[0].index, documents[0].where) == (3, "sympy:4")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"web": "org/data"}, "a text source of web cannot be read: it must be one of `path`, `hub` and `installed`"),
        ({"hub": "org/data"}, "data set org/data has no files named: add files"),
        ({"installed": "wiki", "split": "train"}, "installed: wiki .* use one of wikipedia,"),
        ({"installed": "sympy", "split": "test"}, "split: test .* use train or held_out"),
    ],
)
def test_sources_that_cannot_be_read(source: dict, says: str):
    with pytest.raises(CensusError, match=says):
        list(read_documents(source))


def test_import_is_light():
    code = "import sys, neuroncensus.corpora.sources as s; assert not {'pyarrow', 'numpy', 'zstandard', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
