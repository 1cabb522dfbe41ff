"""`neurons.parquet`: what is one value per neuron in the tables of a model, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars
import pyarrow

from neuroncensus.findings.ablation import CHANGES, average_contexts
from neuroncensus.findings.agree import check_findings
from neuroncensus.report.layers import Layers, by_layer
from neuroncensus.tablefiles import read_metadata, table_writer
from neuroncensus.tables import COVERAGE, DEAD, DETECTORS, POSITIONAL, TRIGGER_NAMES, neurons_table
from neuroncensus.updatetables import ABLATION, TRIGGER_UPDATES, UPDATES

NEURON = ["layer", "neuron"]
CHANGED = [f"{prefix}{name}" for name in CHANGES for prefix in ("", "matched_")]
# The columns that are read of each table beside `dead`. A detector's activations and covering number are those of coverage.
SOURCES = {
    "coverage": (COVERAGE, COVERAGE.names),
    "detectors": (DETECTORS, [name for name in DETECTORS.names if name not in ("activations", "covering")]),
    "updates": (UPDATES, [name for name, kind, _ in UPDATES.columns if not pyarrow.types.is_list(kind)]),
    "trigger_updates": (TRIGGER_UPDATES, [name for name in TRIGGER_UPDATES.names if name != "detected"]),
    "ablation": (ABLATION, [*NEURON, *CHANGED]),
    "positional": (POSITIONAL, POSITIONAL.names),
}


def _spread(table: polars.DataFrame, n: int) -> polars.DataFrame:
    """The rows of one n, its columns named after it."""
    rows = table.filter(polars.col("n") == n).drop("n")
    return rows.rename({name: f"{name}_{n}" for name in rows.columns if name not in NEURON})


def _joined(table: polars.DataFrame, found: Mapping[str, polars.DataFrame], sizes: Sequence[int]) -> polars.DataFrame:
    """Rows of `neurons.parquet` of one layer; `table`: those of `dead`."""
    beside = [_spread(found[name], n) for n in sizes for name in ("coverage", "detectors")]
    means = average_contexts(found["ablation"])
    beside += [found["updates"], found["trigger_updates"].rename(TRIGGER_NAMES)]
    beside += [means.rename({name: f"ablation_{name}" for name in means.columns if name not in NEURON}), found["positional"]]
    for other in beside:
        table = table.join(other, on=NEURON, how="left", maintain_order="left", validate="1:1")
    # Coverage has a row for every neuron that could be a detector.
    flags = [polars.when(polars.col(f"class_{n}").is_not_null()).then(polars.col(f"detected_{n}").is_not_null()) for n in sizes]
    return table.with_columns(**{f"detector_{n}": flag for n, flag in zip(sizes, flags, strict=True)})


def _agreed(files: Mapping[str, Path]) -> dict:
    """The settings of `dead.parquet`, and by name of another table those that it does not have, or has otherwise."""
    told = check_findings(files)
    metadata = told.pop("dead")
    return metadata | {
        name: {key: value for key, value in other.items() if key not in metadata or metadata[key] != value} for name, other in told.items()
    }


def join_neurons(files: Mapping[str, Path], out: Path) -> None:
    """Make `neurons.parquet`, a row a neuron; one layer of the tables is joined at a time.

    Args:
        files: tables of the model by name: `dead`, `coverage`, `detectors`, `updates`, `trigger_updates`, `ablation`, and `positional` if
            there is one; without it its columns are null.
        out: `neurons.parquet`, sorted by layer and neuron. Its metadata are those of `dead`; what another table has
            beside them, or otherwise, is under its name.

    Raises:
        CensusError: a file is corrupt, or they are not of one census.
    """
    metadata, sizes = _agreed(files), read_metadata(files["coverage"])["n"]
    schema = neurons_table(sizes).schema
    tables = {name: Layers(files.get(name), table, columns) for name, (table, columns) in SOURCES.items()}
    with table_writer(out, schema, metadata) as write:
        for dead in by_layer(files["dead"], DEAD.names):
            found = {name: table.rows(dead["layer"][0]) for name, table in tables.items()}
            write(_joined(dead, found, sizes).select(schema.names).to_arrow().cast(schema))
