"""How many windows of a corpus are full: positional neurons are looked for in those alone (section 5)."""

from collections.abc import Sequence
from pathlib import Path

from neuroncensus.errors import CensusError
from neuroncensus.jsonfiles import read_written, write_json


def find_full_windows(shards: Sequence[Path], out: Path) -> None:
    """Write how many full windows each domain has.

    Args:
        shards: windows of every shard of the domains that the corpus names under `positions`.
        out: a JSON object: under `full_windows` domain to windows of T positions.

    Raises:
        CensusError: a file is corrupt.
    """
    # Only here: the workflow imports this module to read what is written.
    from neuroncensus.corpora.shards import read_shard  # noqa: PLC0415

    found: dict[str, int] = {}
    for path in shards:
        shard = read_shard(path)
        domain, window = shard.metadata["domain"], shard.metadata["window"]
        found[domain] = found.get(domain, 0) + int((shard.lengths == window).sum())
    write_json({"full_windows": found}, out)


def read_full_windows(path: Path) -> dict[str, int]:
    """What `find_full_windows` wrote.

    Raises:
        CensusError: the file is missing, broken or something else.
    """
    told = read_written(path)
    if "full_windows" not in told:
        raise CensusError(f"{path} does not tell how many full windows there are: delete it and run again")
    return told["full_windows"]
