"""How many windows of a corpus are full: positional neurons are looked for in those alone (section 5)."""

import json
from collections.abc import Sequence
from pathlib import Path

from neuroncensus.corpora.shards import read_shard
from neuroncensus.files import atomic_path


def find_full_windows(shards: Sequence[Path], out: Path) -> None:
    """Write how many full windows each domain has.

    Args:
        shards: windows of every shard of the domains that the corpus names under `positions`.
        out: a JSON object, domain to windows of T positions, in the order of their names.

    Raises:
        CensusError: a file is corrupt.
    """
    found: dict[str, int] = {}
    for path in shards:
        shard = read_shard(path)
        domain, window = shard.metadata["domain"], shard.metadata["window"]
        found[domain] = found.get(domain, 0) + int((shard.lengths == window).sum())
    with atomic_path(out) as partial:
        partial.write_text(json.dumps(found, sort_keys=True) + "\n", encoding="utf-8")
