"""The reduction's own check of BOS, over all shards."""

import logging

import polars
import pytest

from census_made import Run
from neuroncensus.errors import CensusError
from neuroncensus.findings.frequency import reduce_frequency, reduce_stage
from neuroncensus.jsonfiles import read_written, write_json
from neuroncensus.tablefiles import read_metadata, read_table, write_table


def set_bos(path, neurons, share):
    """Say that the first neurons of a counter file were active at BOS of all windows, or of none."""
    metadata, table = read_metadata(path), polars.DataFrame(read_table(path))
    changed = polars.when(polars.int_range(polars.len()) < neurons).then(share * metadata["windows"]).otherwise("activations_bos")
    write_table(table.with_columns(activations_bos=changed.cast(polars.Int64)).to_arrow().cast(read_table(path).schema), path, metadata)


@pytest.mark.parametrize(("split", "told"), [(0, 0), (2, 2), (13, 11)])
def test_bos_active_in_some_shards_only_is_told(tmp_path, caplog, split, told):
    run = Run(tmp_path, layers=2)
    counters, _ = run.counters()
    for number, path in enumerate(counters):
        set_bos(path, 20, 0)
        set_bos(path, split, number % 2)
    with caplog.at_level(logging.WARNING):
        reduce_stage(counters, run.description, tmp_path / "stage.parquet")
    windows = [read_metadata(path)["windows"] for path in counters]
    messages = [message for message in caplog.messages if "of all shards" in message]
    assert len(messages) == told
    if split:
        seen = f"{sum(windows[1::2])} of {sum(windows)} windows of all shards"
        assert messages[1] == f"layer 0 neuron 1: active at BOS of {seen}: rounding near zero"
    if split > 10:
        assert messages[-1].startswith("13 neurons are active at BOS of some windows of all shards only")


def test_the_table_says_where_the_model_is_from(tmp_path):
    run = Run(tmp_path, layers=1)
    frequency, *_ = run.finish()
    assert read_metadata(frequency).items() >= {"source": "model", "revision": None, "model": "mine"}.items()
    assert "source" not in read_metadata(tmp_path / "frequency-1.parquet")
    write_json(read_written(run.source) | {"model_digest": "0"}, run.source)
    with pytest.raises(CensusError, match=r"source\.json is of other weights"):
        reduce_frequency([tmp_path / "frequency-1.parquet", tmp_path / "frequency-2.parquet"], run.source, frequency)
