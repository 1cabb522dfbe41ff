"""Full windows of a domain, counted one by one."""

from dataclasses import replace

from neuroncensus.corpora.fullwindows import find_full_windows, read_full_windows
from shards_made import made_shard, write_made_shard


def test_full_windows_of_every_domain_are_counted(tmp_path):
    shards, expected = [], {"code": 0, "prose": 0}
    for number, (domain, lengths) in enumerate([("prose", [20, 20, 3]), ("prose", [1, 20]), ("code", [19, 1])]):
        shard = made_shard([[5] * (length - 1) for length in lengths])
        shards.append(tmp_path / f"{number}.parquet")
        write_made_shard(shards[-1], replace(shard, metadata=shard.metadata | {"domain": domain}))
        expected[domain] += lengths.count(20)
    find_full_windows(shards, tmp_path / "found.json")
    assert read_full_windows(tmp_path / "found.json") == expected == {"code": 0, "prose": 3}
