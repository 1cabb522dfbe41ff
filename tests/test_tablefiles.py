from pathlib import Path

import pyarrow
import pytest

from neuroncensus.errors import CensusError
from neuroncensus.tablefiles import read_metadata, read_table, write_table

TABLE = pyarrow.table({"layer": [0, 1], "ngram": [[1, 2], [3]], "share": [0.5, None]})


def test_what_is_written_is_read(tmp_path: Path):
    path = tmp_path / "sub" / "a.parquet"
    write_table(TABLE, path, {"model": "opt-nano", "edges": [5, 20], "é": None})
    assert read_table(path).equals(TABLE)
    assert read_table(path, ["share", "layer"]).column_names == ["share", "layer"]
    assert read_metadata(path) == {"model": "opt-nano", "edges": [5, 20], "é": None}
    assert [file.name for file in path.parent.iterdir()] == ["a.parquet"]


def test_bytes_depend_on_the_content_alone(tmp_path: Path):
    write_table(TABLE, tmp_path / "a.parquet", {"x": 1, "y": 2})
    write_table(TABLE.replace_schema_metadata({"pandas": "..."}), tmp_path / "b.parquet", {"y": 2, "x": 1})
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_faults_are_told(tmp_path: Path):
    path = tmp_path / "a.parquet"
    with pytest.raises(CensusError, match=r"file .*a.parquet is missing: run again"):
        read_table(path)
    write_table(TABLE, path, {})
    with pytest.raises(CensusError, match=r"has no column neuron"):
        read_table(path, ["neuron"])
    content = path.read_bytes()
    path.write_bytes(content.replace(b"{}", b"[]"))
    with pytest.raises(CensusError, match="its settings or columns do not match their checksum"):
        read_metadata(path)
    path.write_bytes(b"")
    with pytest.raises(CensusError, match="is corrupt"):
        read_metadata(path)


def test_no_flipped_byte_goes_unnoticed(tmp_path: Path):
    path = tmp_path / "a.parquet"
    write_table(TABLE, path, {"model": "opt-nano"})
    content, noticed = path.read_bytes(), 0
    for place in range(0, len(content), 2):  # a flipped column name or type too
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            table, metadata = read_table(path), read_metadata(path)
        except CensusError as error:
            assert "delete it and run again" in str(error)
            noticed += 1
        else:
            assert (table.to_pydict(), metadata) == (TABLE.to_pydict(), {"model": "opt-nano"}), place
    assert noticed > len(content) / 4
