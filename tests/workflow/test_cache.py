"""Tokenized text shared between users by Snakemake's cache."""

import pytest

from workflow_runs import contents, copy_folder, make_folder, snakemake

FOLDER = "resources/corpora/mytext/models/mine/window-16"
SHARDS = [f"{FOLDER}/{name}.parquet" for name in ("core/prose/0", "core/prose/1", "extra/prose/0", "core/letters/0", "extra/code/0")]


@pytest.mark.slow
def test_a_second_user_takes_what_the_first_one_made(tmp_path, monkeypatch):
    fresh = make_folder(tmp_path / "fresh")
    folders = [copy_folder(fresh, tmp_path / name) for name in ("plain", "first", "second")]
    (tmp_path / "cache").mkdir()
    # The second user's code comes in another order.
    (folders[2] / "data" / "code" / "00.txt").rename(folders[2] / "data" / "code" / "99.txt")
    runs = [snakemake(folders[0], *SHARDS)]
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path / "cache"))
    runs += [snakemake(folder, "--cache", "tokenize_shard", "--", *SHARDS) for folder in folders[1:]]
    assert all(run.status == 0 for run in runs), [run.said for run in runs]
    plain, first, second = (contents(folder) for folder in folders)
    assert plain == first
    assert {name for name in SHARDS if second[name] != plain[name]} == {SHARDS[-1]}
    # Every shard of the first user, and the one that the second could not take.
    assert len(list((tmp_path / "cache").iterdir())) == len(SHARDS) + 1
    assert all((folders[2] / name).is_symlink() for name in SHARDS)
    assert snakemake(folders[2], "-n", *SHARDS).nothing_to_do
