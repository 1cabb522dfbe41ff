"""Files that a finding puts together are of one census."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars

from neuroncensus.errors import CensusError
from neuroncensus.tablefiles import read_metadata, read_table
from neuroncensus.tables import TABLES

SHARED = ("model", "model_digest", "corpus", "window", "tokens_core", "dtype", "device", "threads")


def check_agree(first: tuple[Path, dict], other: tuple[Path, dict]) -> None:
    """Compare what two files (path, metadata) say of the model, the text and the arithmetic behind them.

    Raises:
        CensusError: they differ; names both files and the setting. A setting that one of them does not have is passed over.
    """
    for key in SHARED:
        if key in first[1] and key in other[1] and first[1][key] != other[1][key]:
            raise CensusError(f"{first[0]} and {other[0]} differ in {key}: {first[1][key]} and {other[1][key]}: delete both and run again")


def check_findings(files: Mapping[str, Path]) -> dict[str, dict]:
    """The settings of the tables of a model, by the name of the finding, compared with those of `dead`, or if it is not there of the first.

    Args:
        files: tables by name; the first is not taken to be `updates`, which are of no text.

    Raises:
        CensusError: a file is corrupt, or as `check_agree`.
    """
    told = {name: read_metadata(path) for name, path in files.items()}
    first = min(told, key=lambda name: (name != "dead", name == "updates"))
    for name, metadata in told.items():
        # Updates are of the weights as they are stored, on whatever device there was.
        compared = {key: value for key, value in metadata.items() if name != "updates" or key not in ("dtype", "device")}
        check_agree((files[first], told[first]), (files[name], compared))
    return told


def read_findings(
    files: Mapping[str, Path], columns: Mapping[str, Sequence[str]] | None = None
) -> tuple[dict[str, polars.DataFrame], dict[str, dict]]:
    """The tables of a model and their settings, by the name of the finding, which are of one census.

    Args:
        files: as `check_findings` takes them.
        columns: those wanted of some tables; all of the others (`neuroncensus.tables.TABLES`).

    Raises:
        CensusError: a file is corrupt or another table, or they are not of one census.
    """
    told = check_findings(files)
    wanted = {name: TABLES[name].names for name in files} | dict(columns or {})
    return {name: polars.DataFrame(read_table(path, wanted[name])) for name, path in files.items()}, told


# What all shards of one census share. The first three are the machine's: `auto` may resolve otherwise elsewhere.
COLLECTED = ("dtype", "device", "threads", "model", "model_digest", "corpus", "window", "batch_tokens", "stages", "skip_silent", "kind")


def check_shards(files: Sequence[tuple[Path, dict]], *more: str) -> None:
    """Compare how shard files (path, metadata) were collected: `COLLECTED`, and the settings named in `more`.

    Raises:
        CensusError: two differ; names both files and the setting.
    """
    first, wanted = files[0]
    for path, metadata in files:
        for key in (*COLLECTED, *more):
            if metadata.get(key) != wanted.get(key):
                raise CensusError(
                    f"shard files {first} and {path} differ in {key}: {wanted.get(key)} and {metadata.get(key)}: "
                    "set it in the config and collect both again, or delete one of them and run again"
                )


def text_digest(shards: Iterable[dict]) -> str:
    """sha256 of the tokens that shard files (their metadata, in order) were collected from."""
    return hashlib.sha256("".join(metadata["content_sha256"] for metadata in shards).encode()).hexdigest()
