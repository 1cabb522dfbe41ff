"""Which neurons follow the position (section 5; figures 7, 8, 9, 16).

On full windows alone; windows of all domains that the corpus names under `positions` are taken together. A neuron is *positional* if
its activity tells more than 0.05 nats of the position (`neuroncensus.findings.information`); positional neurons have a type by
the shape of their activity over positions (`neuroncensus.findings.shapes`).

**Beyond the paper**: the information corrected for few windows, and the curves of each domain with the lowest correlation between two.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy
import pyarrow

from neuroncensus.errors import CensusError
from neuroncensus.findings.agree import check_agree, check_shards
from neuroncensus.findings.information import (
    LEAST_WINDOW,
    corrected_information,
    mutual_information,
    mutual_information_text,
    unreliable,
)
from neuroncensus.findings.shapes import ShapeSettings, classify_shapes, smooth
from neuroncensus.tablefiles import lists, read_metadata, read_row_groups, table_writer
from neuroncensus.tables import POSITION_COUNTERS, POSITIONAL, PROFILES

LEAST_WINDOWS = 30
"""Of a domain, for its curve to be compared with another's."""
ALL = "all"
# Neurons looked at in one go: a layer of a 66b model would be gigabytes of shares.
CHUNK = 4096
Counts = tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]
"""Layer, neuron, (R,), and windows active at each position, (R, T)."""


def _counts(table: pyarrow.Table) -> Counts:
    layer, neuron = (table[name].to_numpy() for name in ("layer", "neuron"))
    flat = table["windows_active"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return layer, neuron, flat.reshape(len(layer), -1)


def _together(files: Sequence[Path], what: str) -> Iterator[tuple[Counts, ...]]:
    """Piece by piece the same neurons of every file."""
    readers = [read_row_groups(path, POSITION_COUNTERS.names, what=what) for path in files]
    for tables in zip(*readers, strict=True):
        pieces = tuple(map(_counts, tables))
        for path, piece in zip(files, pieces, strict=True):
            if piece[2].shape != pieces[0][2].shape or any((piece[key] != pieces[0][key]).any() for key in (0, 1)):
                raise CensusError(f"{what}s {files[0]} and {path} differ in their rows: delete both and run again")
        yield pieces


def reduce_positions(stages: Sequence[Sequence[Path]], out: Path) -> None:
    """Add up the position counters of all shards of a domain.

    Args:
        stages: for each stage the counter files of the domain's shards (`neuroncensus.collect.shard`), shards in one order.
        out: parquet of `neuroncensus.tables.POSITION_COUNTERS`, a layer a row group. Its metadata has `windows`, the full ones.

    Raises:
        CensusError: no window of the domain is full; a file is corrupt, or the shards are not of one census.
    """
    told = [[(path, read_metadata(path, what="shard file")) for path in shards] for shards in stages]
    check_shards(list(itertools.chain.from_iterable(told)), "domain")
    first = told[0][0][1]
    windows = sum(metadata["full_windows"] for _, metadata in told[0])
    if not windows:
        raise CensusError(
            f"no full window in domain {first['domain']}: none of its windows has {first['window']} positions, "
            "so it cannot be under positions: take it out, or lower the window"
        )
    metadata = {key: first[key] for key in ("model", "model_digest", "corpus", "domain", "window", "dtype", "device", "threads")}
    with table_writer(out, POSITION_COUNTERS.schema, metadata | {"windows": windows, "kind": first["kind"]}) as write:
        for shards in stages:
            for pieces in _together(shards, "shard file"):
                layer, neuron, _ = pieces[0]
                total = sum(active for _, _, active in pieces)
                assert isinstance(total, numpy.ndarray), "a domain has at least one shard"
                counts = lists(total, POSITION_COUNTERS.schema.field("windows_active"))
                write(pyarrow.table([pyarrow.array(layer), pyarrow.array(neuron), counts], schema=POSITION_COUNTERS.schema))


def domain_correlation(curves: Sequence[numpy.ndarray]) -> numpy.ndarray:
    """The lowest Pearson correlation between two domains' smoothed curves, (R,).

    NaN where a curve is constant, or with fewer than two domains.

    Args:
        curves: of each domain, (R, T - 1).
    """
    if len(curves) < 2:
        return numpy.full(len(curves[0]) if curves else 0, numpy.nan)
    centred = [curve - curve.mean(axis=1, keepdims=True) for curve in curves]
    lengths = [numpy.sqrt((curve**2).sum(axis=1)) for curve in centred]
    for curve, length in zip(curves, lengths, strict=True):
        length[numpy.ptp(curve, axis=1) == 0] = numpy.nan
    pairs = itertools.combinations(range(len(curves)), 2)
    found = [(centred[a] * centred[b]).sum(axis=1) / (lengths[a] * lengths[b]) for a, b in pairs]
    return numpy.minimum.reduce(found)


def _classify(pieces: Sequence[numpy.ndarray], windows: Sequence[int], threshold: float, settings: ShapeSettings) -> dict:
    """Columns of `positional.parquet` but for layer and neuron."""
    active, total = numpy.stack(pieces).sum(axis=0, dtype=numpy.int64), sum(windows)
    window, half = active.shape[1], settings.half(active.shape[1])
    information, of_text = mutual_information(active, total), mutual_information_text(active, total)
    # Compared so that NaN, of windows of one position, is not positional.
    positional = (of_text if window < LEAST_WINDOW else information) > threshold
    kinds, strong, changes = classify_shapes(active, total, settings)
    curves = [smooth(piece, of_domain, half) for piece, of_domain in zip(pieces, windows, strict=True) if of_domain >= LEAST_WINDOWS]
    correlation = domain_correlation(curves) if len(curves) > 1 and window > 1 else numpy.full(len(active), numpy.nan)
    rows = len(active)
    return {
        "windows": pyarrow.array(numpy.full(rows, total)),
        "fr": pyarrow.array(active.sum(axis=1) / (total * window)),
        "mutual_information": pyarrow.array(information),
        "mutual_information_text": pyarrow.array(of_text, mask=numpy.isnan(of_text)),
        "mutual_information_corrected": pyarrow.array(corrected_information(information, active, total)),
        "positional": pyarrow.array(positional),
        "unreliable": pyarrow.array(numpy.full(rows, unreliable(total, threshold))),
        "type": pyarrow.array(kinds.tolist(), mask=~positional),
        "strong": pyarrow.array(strong, mask=~positional),
        "changes": pyarrow.array(changes),
        "domain_correlation": pyarrow.array(correlation, mask=~positional | numpy.isnan(correlation)),
    }


def classify_positional(domains: Sequence[Path], threshold: float, settings: ShapeSettings, out: Path, out_profiles: Path) -> None:
    """Make `positional.parquet`, a row a neuron, and `profiles.parquet`, the curves of the positional ones.

    Args:
        domains: what `reduce_positions` wrote, of each domain, in the order of their names.
        threshold: nats above which a neuron is positional.
        settings: widths and thresholds of types.
        out: `positional.parquet`, sorted by layer and neuron.
        out_profiles: `profiles.parquet`, sorted by layer, neuron and domain, `all` first.

    Raises:
        CensusError: a file is corrupt, or they are not of one census.
    """
    told = [(path, read_metadata(path)) for path in domains]
    for file in told:
        check_agree(told[0], file)
    windows = [metadata["windows"] for _, metadata in told]
    names = [ALL, *(metadata["domain"] for _, metadata in told)]
    shared = {key: value for key, value in told[0][1].items() if key not in ("domain", "kind", "windows")}
    shared |= {"domains": dict(zip(names[1:], windows, strict=True)), "mutual_information": threshold} | vars(settings)
    with table_writer(out, POSITIONAL.schema, shared) as write, table_writer(out_profiles, PROFILES.schema, shared) as write_profiles:
        for pieces in _together(domains, "file"):
            layer, neuron, _ = pieces[0]
            for start in range(0, len(layer), CHUNK):
                here = slice(start, start + CHUNK)
                counts = [active[here] for _, _, active in pieces]
                columns = _classify(counts, windows, threshold, settings)
                keys = [pyarrow.array(key[here]) for key in (layer, neuron)]
                write(pyarrow.table([*keys, *columns.values()], schema=POSITIONAL.schema))
                rows = numpy.flatnonzero(columns["positional"].to_numpy(zero_copy_only=False))
                write_profiles(_profiles([key.to_numpy()[rows] for key in keys], [active[rows] for active in counts], names, windows))


def _profiles(
    keys: Sequence[numpy.ndarray], pieces: Sequence[numpy.ndarray], names: Sequence[str], windows: Sequence[int]
) -> pyarrow.Table:
    """Curves of some neurons, domains inside."""
    counts = [numpy.stack(pieces).sum(axis=0, dtype=numpy.int64), *pieces]
    shares = [active / of_domain for active, of_domain in zip(counts, [sum(windows), *windows], strict=True)]
    flat = numpy.stack(shares, axis=1).reshape(-1, shares[0].shape[1])  # (R * domains, T)
    columns = [pyarrow.array(numpy.repeat(key, len(names))) for key in keys]
    columns.append(pyarrow.array(list(names) * len(keys[0]), pyarrow.string()))
    columns.append(pyarrow.array(numpy.tile([sum(windows), *windows], len(keys[0]))))
    return pyarrow.table([*columns, lists(flat, PROFILES.schema.field("fr"))], schema=PROFILES.schema)
