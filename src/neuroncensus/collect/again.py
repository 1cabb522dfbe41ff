"""The second look: pairs that a shard dropped, of neurons for which the reduction has no proof, collected after all.

The shard goes through the model once more, as far as the last layer that is needed, and the pairs of just those
neurons are kept.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars

from neuroncensus.tablefiles import read_metadata, read_table, table_writer
from neuroncensus.tables import NGRAM_COUNTERS, OPEN_NGRAMS

log = logging.getLogger(__name__)

KIND = "counters of n-grams, collected again"
KEYS = OPEN_NGRAMS.names


def _dropped(still_open: Path, counters: Sequence[Path]) -> dict[int, frozenset[tuple[int, int, bool]]]:
    """By layer, the open (neuron, n, rotated) whose pairs this shard did not keep."""
    wanted = polars.DataFrame(read_table(still_open, OPEN_NGRAMS.names))
    if not len(wanted):
        return {}
    here = polars.concat([polars.DataFrame(read_table(path, [*KEYS, "kept"], what="shard file")) for path in counters])
    rows = wanted.join(here.filter(~polars.col("kept")), on=KEYS, how="semi")
    found = defaultdict(set)
    for layer, neuron, n, rotated in rows.iter_rows():
        found[layer].add((neuron, n, rotated))
    return {layer: frozenset(neurons) for layer, neurons in sorted(found.items())}


def recollect_shard(
    settings: dict,
    *,
    folder: Path,
    description: Path,
    windows: Path,
    order: Path,
    ngrams: Path,
    part: str,
    domain: str,
    shard: int,
    counters: Sequence[Path],
    still_open: Path,
    out: Path,
) -> None:
    """Collect what the reduction misses of one shard; nothing is computed where it misses nothing.

    Args:
        settings: fields of `neuroncensus.collect.job.Settings`.
        folder, description, windows, part, domain, shard: as `neuroncensus.collect.job.open_job` takes them.
        order, ngrams: the shard's positions by n-gram and its n-grams (`neuroncensus.corpora.ngrams`).
        counters: the shard's n-gram counters, of each stage that has layers covered.
        still_open: parquet of `neuroncensus.tables.OPEN_NGRAMS`.
        out: parquet of `neuroncensus.tables.NGRAM_COUNTERS`, of the neurons that are open and were dropped here.

    Raises:
        CensusError: as `neuroncensus.collect.shard.collect_shard`.
    """
    dropped = _dropped(still_open, counters)
    metadata = read_metadata(counters[0], what="shard file") | {"kind": KIND}
    with table_writer(out, NGRAM_COUNTERS.schema, metadata) as write:
        if dropped:
            neurons = sum(len(of_layer) for of_layer in dropped.values())
            log.info("%s %s %d: %d neurons by n are collected again, up to layer %d", part, domain, shard, neurons, max(dropped))
            # Only here: torch takes seconds to import, and mostly there is nothing to do.
            from neuroncensus.collect.shard import collect_again  # noqa: PLC0415

            asked: Any = metadata["ngrams"]
            what = {"folder": folder, "description": description, "windows": windows, "part": part, "domain": domain, "shard": shard}
            collect_again(settings, asked, dropped, write, order=order, ngrams=ngrams, **what)
