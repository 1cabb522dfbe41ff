from pathlib import Path

import pyarrow
import pytest

from neuroncensus.errors import CensusError
from neuroncensus.files import FORMAT
from neuroncensus.tablefiles import read_metadata, read_row_groups, read_table, table_writer, write_table

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


def test_pieces_are_read_as_they_were_written(tmp_path: Path):
    path = tmp_path / "sub" / "a.parquet"
    pieces = [TABLE, TABLE.slice(1), TABLE.slice(0, 0), TABLE]
    pieces.append(pyarrow.table({"layer": [2**62, -5], "ngram": [[], [9, 2**40, -1]], "share": [None, None]}, schema=TABLE.schema))
    with table_writer(path, TABLE.schema.with_metadata({"pandas": "..."}), {"x": 1, "é": None}) as write:
        for piece in pieces:
            write(piece.replace_schema_metadata({"pandas": "other"}))
        assert not path.exists()
    assert read_table(path).equals(pyarrow.concat_tables(pieces))
    assert read_metadata(path) == {"x": 1, "é": None}
    found = list(read_row_groups(path, TABLE.column_names))
    assert [piece.to_pydict() for piece in found] == [piece.to_pydict() for piece in pieces]
    assert [piece.to_pydict() for piece in read_row_groups(path, ["share"])] == [piece.select(["share"]).to_pydict() for piece in pieces]
    assert [file.name for file in path.parent.iterdir()] == ["a.parquet"]


def test_pieces_give_the_same_bytes_again_and_one_piece_those_of_a_whole_table(tmp_path: Path):
    for name in ("a", "b"):
        with table_writer(tmp_path / name, TABLE.schema, {"x": 1}) as write:
            write(TABLE)
            write(TABLE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with table_writer(tmp_path / "one", TABLE.schema, {"x": 1}) as write:
        write(TABLE)
    write_table(TABLE, tmp_path / "whole", {"x": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_table_of_no_piece_has_columns_and_settings(tmp_path: Path):
    with table_writer(tmp_path / "a", TABLE.schema, {"x": 1}):
        pass
    assert read_table(tmp_path / "a").equals(TABLE.slice(0, 0))
    assert read_metadata(tmp_path / "a") == {"x": 1}
    assert list(read_row_groups(tmp_path / "a", ["layer"])) == []


def test_a_table_that_is_not_finished_leaves_no_file(tmp_path: Path):
    def fail() -> None:
        with table_writer(tmp_path / "a", TABLE.schema, {}) as write:
            write(TABLE)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_faults_of_pieces_are_told(tmp_path: Path):
    path = tmp_path / "a.parquet"
    with pytest.raises(CensusError, match=r"shard file .*a.parquet is missing: run again"):
        next(read_row_groups(path, ["layer"], what="shard file"))
    with table_writer(path, TABLE.schema, {"model": "opt-nano"}) as write:
        write(TABLE)
        write(TABLE)
    content, noticed = path.read_bytes(), 0
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            pieces = [piece.to_pydict() for piece in read_row_groups(path, TABLE.column_names)]
        except CensusError as error:
            assert "delete it and run again" in str(error)
            noticed += 1
        else:
            assert pieces == [TABLE.to_pydict()] * 2, place
    assert noticed > len(content) / 3 / 2
    path.write_bytes(content[:-1])
    with pytest.raises(CensusError, match="is corrupt"):
        list(read_row_groups(path, ["layer"]))


def test_a_file_of_another_version_or_kind_is_told(tmp_path: Path):
    write_table(TABLE, tmp_path / "later.parquet", {"model": "opt-nano", "format": FORMAT + 1})
    for read in (read_metadata, read_table, lambda path: next(read_row_groups(path, ["layer"]))):
        with pytest.raises(CensusError, match=r"later\.parquet is of another version \(format 2, this one reads 1\): delete it"):
            read(tmp_path / "later.parquet")
    write_table(TABLE, tmp_path / "other.parquet", {"model": "opt-nano"})
    told = read_metadata(tmp_path / "other.parquet", what="shard file")
    assert told.get("positions") is None and told | {"positions": 3} == {"model": "opt-nano", "positions": 3}
    with pytest.raises(CensusError, match=r"shard file .*other\.parquet holds something else \(.* its positions\): delete it"):
        told["positions"]
