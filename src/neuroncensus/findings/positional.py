"""Which neurons follow the position (section 5; figures 7, 8, 9, 16).

On full windows alone; windows of all domains that the corpus names under `positions` are taken together. A neuron is *positional* if
its activity tells more than 0.05 nats of the position (`neuroncensus.findings.information`); positional neurons have a type by
the shape of their activity over positions (`neuroncensus.findings.shapes`).

**Beyond the paper**: the information corrected for few windows, and the curves of each domain with the lowest correlation between two.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy
import polars
import pyarrow

from neuroncensus.errors import CensusError
from neuroncensus.findings.agree import check_agree
from neuroncensus.findings.information import (
    LEAST_WINDOW,
    corrected_information,
    mutual_information,
    mutual_information_text,
    unreliable,
)
from neuroncensus.findings.oscillation import describe_oscillation
from neuroncensus.findings.positioncounts import LAYERS, together
from neuroncensus.findings.shapes import OSCILLATORY, TYPES, ShapeSettings, classify_shapes, count_changes, smooth, type_of
from neuroncensus.models.origin import read_source
from neuroncensus.tablefiles import lists, read_metadata, table_writer
from neuroncensus.tables import POSITIONAL, PROFILES

LEAST_WINDOWS = 30
"""Of a domain, for its curve to be told and compared with another's."""
ALL = "all"
"""Of the domains together; `neuroncensus.config` keeps the name free."""
# Neurons looked at in one go: a layer of a 66b model would be gigabytes of shares.
CHUNK = 4096


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


def _of(rows: numpy.ndarray, found: numpy.ndarray, size: int) -> pyarrow.Array:
    """A column of `size` rows with what was found of some; null elsewhere, and where it is NaN."""
    values = numpy.zeros(size, dtype=found.dtype)
    values[rows] = found
    known = numpy.zeros(size, dtype=bool)
    known[rows] = ~numpy.isnan(found) if found.dtype.kind == "f" else True
    return pyarrow.array(values.tolist() if found.dtype.kind == "U" else values, mask=~known)


def _classify(pieces: Sequence[numpy.ndarray], windows: Sequence[int], threshold: float, settings: ShapeSettings) -> dict:
    """Columns of `positional.parquet` but for layer and neuron."""
    total, size = sum(windows), len(pieces[0])
    active = pieces[0].astype(numpy.int32)
    for piece in pieces[1:]:
        active += piece
    window = active.shape[1]
    information, of_text = mutual_information(active, total), mutual_information_text(active, total)
    # Compared so that NaN, of windows of one position, is not positional.
    positional = (of_text if window < LEAST_WINDOW else information) > threshold
    rows = numpy.flatnonzero(positional)
    kinds, strong = classify_shapes(active[rows], total, settings)
    half = settings.half(window)
    curves = [smooth(piece[rows], count, half) for piece, count in zip(pieces, windows, strict=True) if count >= LEAST_WINDOWS]
    return {
        "windows": pyarrow.array(numpy.full(size, total)),
        "fr": pyarrow.array(active.sum(axis=1, dtype=numpy.int64) / (total * window)),
        "mutual_information": pyarrow.array(information),
        "mutual_information_text": pyarrow.array(of_text, mask=numpy.isnan(of_text)),
        "mutual_information_corrected": pyarrow.array(corrected_information(information, active, total)),
        "positional": pyarrow.array(positional),
        "unreliable": pyarrow.array(numpy.full(size, unreliable(total, threshold))),
        "type": _of(rows, kinds, size),
        "strong": _of(rows, strong, size),
        "changes": pyarrow.array(count_changes(active, total, settings, settings.weak)[1]),
        "domain_correlation": _of(rows, domain_correlation(curves) if len(curves) > 1 else numpy.full(len(rows), numpy.nan), size),
    }


def _stages(totals: Sequence[Path]) -> tuple[list[list[Path]], dict]:
    """The files of each stage, and what the first one says, its `domains` with their full windows.

    Raises:
        CensusError: they are not of one census.
    """
    told = [read_metadata(path) for path in totals]
    names = sorted({metadata["domain"] for metadata in told})
    width, end = len(names), 0
    if len(totals) % width:
        raise CensusError(f"{totals[0]} and {totals[-1]} are not of one census, as a domain is missing: delete both and run again")
    for place, (path, metadata) in enumerate(zip(totals, told, strict=True)):
        domain = place % width
        check_agree((totals[domain], told[domain]), (path, metadata))
        first_of_stage = told[place - domain]
        layers = {"first_layer": end, "end_layer": first_of_stage["end_layer"]}
        if metadata != told[domain] | layers or metadata["domain"] != names[domain]:
            raise CensusError(f"{totals[domain]} and {path} are not of one census: delete both and run again")
        if domain == width - 1:
            end = metadata["end_layer"]
    shared = {key: value for key, value in told[0].items() if key not in ("domain", "windows", *LAYERS)}
    shared["domains"] = {metadata["domain"]: metadata["windows"] for metadata in told[:width]}
    return [list(totals[start : start + width]) for start in range(0, len(totals), width)], shared


def classify_positional(
    totals: Sequence[Path], source: Path, threshold: float, shapes: Mapping[str, float], out: Path, out_profiles: Path
) -> None:
    """Make `positional.parquet`, a row a neuron, and `profiles.parquet`, the curves of the positional ones.

    Args:
        totals: what `reduce_positions` wrote, of each stage and in it of each domain, in the order of their names.
        source: the model's `source.json`.
        threshold: nats above which a neuron is positional.
        shapes: widths and thresholds of types, the fields of `neuroncensus.findings.shapes.ShapeSettings`.
        out: `positional.parquet`, sorted by layer and neuron.
        out_profiles: `profiles.parquet`, sorted by layer, neuron and domain, of which `all` is one, without domains of fewer
            than 30 windows.

    Raises:
        CensusError: a file is corrupt, or they are not of one census or not of the weights that `source` is of.
    """
    settings, (stages, shared) = ShapeSettings(**shapes), _stages(totals)
    domains = shared["domains"]
    windows = list(domains.values())
    shared |= read_source(source, shared["model_digest"]) | {"mutual_information": threshold} | vars(settings)
    with table_writer(out, POSITIONAL.schema, shared) as write, table_writer(out_profiles, PROFILES.schema, shared) as write_profiles:
        for pieces in itertools.chain.from_iterable(together(files, shared["window"], "file") for files in stages):
            layer, neuron, _ = pieces[0]
            for start in range(0, len(layer), CHUNK):
                here = slice(start, start + CHUNK)
                counts = [active[here] for _, _, active in pieces]
                columns = _classify(counts, windows, threshold, settings)
                keys = [pyarrow.array(key[here]) for key in (layer, neuron)]
                write(pyarrow.table([*keys, *columns.values()], schema=POSITIONAL.schema))
                rows = numpy.flatnonzero(columns["positional"].to_numpy(zero_copy_only=False))
                write_profiles(_profiles([key.to_numpy()[rows] for key in keys], [active[rows] for active in counts], domains))


def _profiles(keys: Sequence[numpy.ndarray], pieces: Sequence[numpy.ndarray], domains: dict[str, int]) -> pyarrow.Table:
    """Curves of some neurons, domains inside."""
    told = {ALL: (numpy.stack(pieces).sum(axis=0, dtype=numpy.int64), sum(domains.values()))}
    told |= {name: (active, windows) for active, (name, windows) in zip(pieces, domains.items(), strict=True) if windows >= LEAST_WINDOWS}
    told = dict(sorted(told.items()))
    flat = numpy.stack([active / windows for active, windows in told.values()], axis=1).reshape(-1, pieces[0].shape[1])
    rows = len(keys[0])
    columns = [pyarrow.array(numpy.repeat(key, len(told))) for key in keys]
    columns.append(pyarrow.array(list(told) * rows, pyarrow.string()))
    columns.append(pyarrow.array(numpy.tile([windows for _, windows in told.values()], rows)))
    return pyarrow.table([*columns, lists(flat, PROFILES.schema.field("fr"))], schema=PROFILES.schema)


OTHER_WEAK = (0.05, 0.20)
"""Values of e with which the types are counted once more."""
OTHER_CHANGES = 2
"""From how many changes on a neuron oscillates in another count."""


def curves_of(profiles: polars.DataFrame, *layers: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Layer and neuron, (R, 2), and windows active at each position, (R, T) int32, of the positional neurons (of some layers)."""
    rows = profiles.filter((polars.col("domain") == ALL) & (polars.col("layer").is_in(layers) if layers else True))
    shares = rows["fr"].explode(empty_as_null=False).to_numpy().reshape(len(rows), -1) if len(rows) else numpy.zeros((0, 1))
    return rows.select("layer", "neuron").to_numpy(), numpy.rint(shares * rows["windows"].to_numpy()[:, None]).astype(numpy.int32)


def _otherwise(profiles: polars.DataFrame, windows: int, settings: ShapeSettings) -> polars.DataFrame:
    """The layer and the type under the other choices of each positional neuron."""
    keys, active = curves_of(profiles)
    names = [f"weak {e:.2f}" for e in OTHER_WEAK] + ["two changes"]
    if not len(keys):
        return polars.DataFrame(schema={"layer": polars.Int64, **dict.fromkeys(names, polars.String)})
    found = [type_of(*count_changes(active, windows, settings, e)) for e in OTHER_WEAK]
    found.append(type_of(*count_changes(active, windows, settings, settings.weak), OTHER_CHANGES))
    return polars.DataFrame({"layer": keys[:, 0], **dict(zip(names, found, strict=True))})


def _ranges(table: polars.DataFrame, profiles: polars.DataFrame, layer: int, half: int) -> dict | None:
    """Figure 9 of a layer; None where no neuron is strong and oscillatory."""
    strong = table.filter((polars.col("layer") == layer) & (polars.col("type") == OSCILLATORY) & polars.col("strong"))
    if not len(strong):
        return None
    _, active = curves_of(profiles.join(strong, on=["layer", "neuron"], how="semi", maintain_order="left"))
    neurons, found = strong["neuron"].to_list(), describe_oscillation(active, strong["windows"][0], half)
    pairs = found.shift_correlations
    return {
        "neurons": neurons,
        "ranges": found.ranges,
        "covered": found.covered,
        "redundant": [neurons[place] for place in found.redundant],
        "lowest_shift_correlation": float(pairs.min()) if len(pairs) else None,
        "median_shift_correlation": float(numpy.median(pairs)) if len(pairs) else None,
    }


def summarize_positional(table: polars.DataFrame, profiles: polars.DataFrame, metadata: dict) -> dict:
    """Every number of figures 7, 8, 9 and 16.

    Args:
        table: `positional.parquet`.
        profiles: `profiles.parquet`.
        metadata: of either file.

    Returns:
        `windows`, those of each domain under `domains`, the `window`, T, which of the informations was `compared` with the threshold, and
        whether there are too few windows (`unreliable`). Then `overall` and a list `layers`, each with `neurons`, `positional`, by
        type `types` (`strong` and `weak` ones), `median_information` of each type (of the one compared; null where there is none), and
        the types under other choices, `types_otherwise`: weak e of 0.05 and 0.20, two changes taken as oscillatory. By layer also
        `oscillation` (`neuroncensus.findings.oscillation`): neurons that are strong and oscillatory, their `ranges`, the share of text
        positions `covered`, `redundant` neurons, and of the pairs' best correlations over circular shifts the lowest and the
        median; null where there is none.
    """
    settings = ShapeSettings(**{name: metadata[name] for name in ShapeSettings.__dataclass_fields__})
    windows, window = sum(metadata["domains"].values()), metadata["window"]
    compared = "mutual_information_text" if window < LEAST_WINDOW else "mutual_information"
    otherwise = _otherwise(profiles, windows, settings)

    def numbers(rows: polars.DataFrame, others: polars.DataFrame) -> dict:
        types = {kind: rows.filter(polars.col("type") == kind) for kind in TYPES}
        strong = {kind: int(found["strong"].sum()) for kind, found in types.items()}
        return {
            "neurons": len(rows),
            "positional": int(rows["positional"].sum()),
            "types": {kind: {"strong": strong[kind], "weak": len(found) - strong[kind]} for kind, found in types.items()},
            "median_information": {kind: found[compared].median() for kind, found in types.items()},
            "types_otherwise": {name: {kind: int((others[name] == kind).sum()) for kind in TYPES} for name in others.columns[1:]},
        }

    layers = []
    for layer in table["layer"].unique(maintain_order=True):
        rows, others = (frame.filter(polars.col("layer") == layer) for frame in (table, otherwise))
        oscillation = _ranges(table, profiles, layer, settings.half(window))
        layers.append({"layer": layer} | numbers(rows, others) | {"oscillation": oscillation})
    told = {"windows": windows, "domains": metadata["domains"], "window": window, "compared": compared}
    told["unreliable"] = unreliable(windows, metadata["mutual_information"])
    return told | {"overall": numbers(table, otherwise), "layers": layers}
