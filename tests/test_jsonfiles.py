"""JSON files between jobs: what was written is read, and nothing else."""

import json

import pytest

from neuroncensus.corpora.fullwindows import read_full_windows
from neuroncensus.errors import CensusError
from neuroncensus.files import FORMAT
from neuroncensus.jsonfiles import read_written, write_json

TOLD = {"model": "opt-é", "files": [["a", 1], ["b", None]], "share": 0.1}


def test_what_is_written_is_read(tmp_path):
    write_json(TOLD | {"files": (("a", 1), ("b", None))}, tmp_path / "a.json")
    write_json(dict(reversed(TOLD.items())), tmp_path / "b.json")
    assert read_written(tmp_path / "a.json") == TOLD
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_no_flipped_bit_and_no_cut_goes_unnoticed(tmp_path):
    path = tmp_path / "a.json"
    write_json(TOLD, path)
    content = path.read_bytes()
    broken = [content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :] for place in range(len(content))]
    for changed in (*broken, *(content[:place] for place in range(len(content) - 1)), b"[]", b"{}"):
        path.write_bytes(changed)
        try:
            read = read_written(path)
        except CensusError as error:
            assert "a.json" in str(error) and str(error).endswith("delete it and run again")
        else:
            assert read == TOLD, changed


def test_another_version_is_told(tmp_path):
    write_json(TOLD | {"format": FORMAT + 1}, tmp_path / "a.json")
    with pytest.raises(CensusError, match=r"a\.json is of another version \(format 2, this one reads 1\): delete it and run again"):
        read_written(tmp_path / "a.json")


def test_another_object_is_told(tmp_path):
    write_json(TOLD, tmp_path / "full_windows.json")
    with pytest.raises(CensusError, match=r"full_windows\.json does not tell how many full windows there are: delete it and run again"):
        read_full_windows(tmp_path / "full_windows.json")
    (tmp_path / "full_windows.json").write_text(json.dumps({"full_windows": {"prose": 3}}), encoding="utf-8")
    with pytest.raises(CensusError, match=r"full_windows\.json is corrupt"):
        read_full_windows(tmp_path / "full_windows.json")
