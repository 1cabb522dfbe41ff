"""Names that only whole files carry."""

import errno

import pytest

from neuroncensus.errors import CensusError
from neuroncensus.files import atomic_path, whole_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_has_its_name_when_it_is_whole(tmp_path):
    final = tmp_path / "new" / "table.parquet"
    with atomic_path(final) as partial:
        partial.write_bytes(b"half")
        assert not final.exists()
    assert final.read_bytes() == b"half" and names(final.parent) == ["table.parquet"]


def test_a_failure_leaves_what_was_there(tmp_path):
    final = tmp_path / "table.parquet"
    final.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_path(final) as partial:
        partial.write_bytes(b"new")
        raise RuntimeError
    assert final.read_bytes() == b"old" and names(tmp_path) == ["table.parquet"]


def test_a_full_disk_is_told_and_nothing_is_kept(tmp_path):
    final = tmp_path / "table.parquet"
    with pytest.raises(CensusError, match=r"no space left for .*table\.parquet: free some"), atomic_path(final) as partial:
        partial.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_what_is_not_of_the_file_passes(tmp_path):
    final = tmp_path / "table.parquet"
    with pytest.raises(PermissionError), atomic_path(final):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/weights")
    with pytest.raises(CensusError, match="another sentence"), atomic_path(final):
        raise CensusError("another sentence") from OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_leftovers_of_killed_processes_go(tmp_path):
    for name in (".a[1].json.123.partial", ".a[1].json.7.partial", ".b.json.7.partial"):
        (tmp_path / name).write_bytes(b"left")
    with atomic_path(tmp_path / "a[1].json") as partial:
        partial.write_bytes(b"whole")
    assert names(tmp_path) == [".b.json.7.partial", "a[1].json"]


def test_a_folder_has_its_name_when_it_is_whole(tmp_path):
    for content in ("one", "two"):
        with whole_folder(tmp_path / "folder") as partial:
            (partial / content).touch()
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "folder"):
        raise RuntimeError
    assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == ["two"]
