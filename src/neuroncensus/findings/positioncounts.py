"""Windows in which each neuron is active at each position: counters of shards added up, and read piece by piece."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import repeat
from pathlib import Path

import numpy
import pyarrow

from neuroncensus.errors import CensusError
from neuroncensus.findings.agree import check_shards
from neuroncensus.models.description import read_description
from neuroncensus.tablefiles import corruption_told, packed, read_metadata, read_row_groups, table_writer, unpacked
from neuroncensus.tables import POSITION_COUNTERS

LAYERS = ("first_layer", "end_layer")
Counts = tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]
"""Layer, neuron, (R,), and windows active at each position, (R, T)."""


READERS = 2
"""Files that are read at a time: it is most of the time that a reduction takes, and one core does no more than one."""


def _next(path: Path, window: int, what: str, reader: Iterator[pyarrow.Table]) -> Counts | None:
    """The next piece of a file; None behind the last."""
    table = next(reader, None)
    if table is None:
        return None
    with corruption_told(path, what):
        return table["layer"].to_numpy(), table["neuron"].to_numpy(), unpacked(table["windows_active"], window)


def together(files: Sequence[Path], window: int, what: str) -> Iterator[tuple[Counts, ...]]:
    """Piece by piece the same neurons of every file."""
    readers = [read_row_groups(path, POSITION_COUNTERS.names, what=what) for path in files]
    with ThreadPoolExecutor(READERS) as pool:
        while True:
            found = list(pool.map(_next, files, repeat(window), repeat(what), readers))
            pieces = [piece for piece in found if piece is not None]
            if not pieces:
                return
            for path, piece in zip(files, found, strict=True):
                if piece is None or any(not numpy.array_equal(mine, first) for mine, first in zip(piece[:2], pieces[0][:2], strict=True)):
                    raise CensusError(f"{what}s {files[0]} and {path} differ in their rows: delete both and run again")
            yield tuple(pieces)


def reduce_positions(shards: Sequence[Path], description: Path, out: Path) -> None:
    """Add up the position counters of all shards of a domain in one stage.

    Args:
        shards: counter files of the domain's shards (`neuroncensus.collect.shard`), of core and extra.
        description: the model's `model.json`.
        out: parquet of `neuroncensus.tables.POSITION_COUNTERS`, a layer a row group. Its metadata has `windows`, the full ones.

    Raises:
        CensusError: no window of the domain is full; a file is corrupt, or the shards are not of one census.
    """
    told = [(path, read_metadata(path, what="shard file")) for path in shards]
    check_shards(told, "domain", *LAYERS)
    path, first = told[0]
    if first["model_digest"] != read_description(description).digest:
        raise CensusError(f"shard file {path} is of other weights than {description}: delete it and run again")
    windows = sum(metadata["full_windows"] for _, metadata in told)
    if not windows:
        raise CensusError(
            f"no full window in domain {first['domain']}: none of its windows has {first['window']} positions, "
            "so it cannot be under positions: take it out, or lower the window"
        )
    metadata = {key: first[key] for key in ("model", "model_digest", "corpus", "domain", "window", "dtype", "device", "threads")}
    metadata |= {"windows": windows, "version": version("neuroncensus")} | {key: first[key] for key in LAYERS}
    with table_writer(out, POSITION_COUNTERS.schema, metadata) as write:
        for pieces in together(shards, first["window"], "shard file"):
            layer, neuron, active = pieces[0]
            total = active.astype(numpy.int32)
            for _, _, more in pieces[1:]:
                total += more
            write(pyarrow.table([pyarrow.array(layer), pyarrow.array(neuron), packed(total)], schema=POSITION_COUNTERS.schema))
