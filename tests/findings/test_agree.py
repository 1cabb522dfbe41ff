"""Tables that a figure or a summary puts together are of one census."""

import pytest

from neuroncensus.errors import CensusError
from neuroncensus.findings.agree import read_findings
from neuroncensus.tablefiles import write_table
from neuroncensus.tables import TABLES

OURS = {"model": "mine", "model_digest": "aa", "dtype": "float32", "device": "cpu"}


def made(folder, name, of=None, **told):
    path = folder / f"{name}.parquet"
    write_table(TABLES[of or name].schema.empty_table(), path, OURS | told)
    return path


def test_tables_of_one_census_are_read(tmp_path):
    files = {name: made(tmp_path, name) for name in ("dead", "saturation")}
    files["updates"] = made(tmp_path, "updates", dtype="float16", device="cuda")
    tables, told = read_findings(files, {"updates": ["neuron", "kurtosis"]})
    assert {name: table.columns for name, table in tables.items()} == {
        "dead": TABLES["dead"].names,
        "saturation": TABLES["saturation"].names,
        "updates": ["neuron", "kurtosis"],
    }
    assert told["updates"]["dtype"] == "float16"


@pytest.mark.parametrize("name", ["saturation", "updates"])
def test_a_table_of_another_model_is_told(tmp_path, name):
    files = {"dead": made(tmp_path, "dead"), name: made(tmp_path, name, model_digest="bb")}
    with pytest.raises(CensusError, match=rf"dead\.parquet and .*{name}\.parquet differ in model_digest: aa and bb: delete both"):
        read_findings(files)


def test_another_table_under_a_name_is_told(tmp_path):
    with pytest.raises(CensusError, match=r"saturation\.parquet has no column documents: delete it and run again"):
        read_findings({"dead": made(tmp_path, "dead"), "saturation": made(tmp_path, "saturation", of="coverage")})
