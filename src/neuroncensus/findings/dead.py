"""Dead neurons (section 3, figure 1).

A neuron is *dead* if it is active at no position of core and extra, BOS included, and *BOS-only* if it is
active at BOS and nowhere else (section 5, footnote 8): not dead, and reported beside dead. Frequency is
activations / positions. **Beyond the paper**: neurons that no input can make active (`models/bounds.py`), and
singletons, neurons with one activation: how much hangs on rounding and chance.
"""

from collections.abc import Sequence
from pathlib import Path

import polars

from neuroncensus.errors import CensusError
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from neuroncensus.tables import BOUNDS, DEAD, FREQUENCY


def count_neurons(frequency: polars.DataFrame) -> polars.DataFrame:
    """Add up the domains of `frequency.parquet` to a row a neuron and classify it."""
    sums = [polars.col(name).sum() for name in ("tokens", "activations", "activations_bos", "documents", "documents_active")]
    active, at_bos = polars.col("activations"), polars.col("activations_bos")
    return (
        frequency.group_by("layer", "neuron", maintain_order=True)
        .agg(sums)
        .with_columns(
            frequency=active / polars.col("tokens"),
            dead=active == 0,
            bos_only=(active > 0) & (active == at_bos),
        )
    )


def _check_proof(table: polars.DataFrame) -> None:
    wrong = table.filter(polars.col("provably_dead") & ~polars.col("dead"))
    if len(wrong):
        row = wrong.row(0, named=True)
        raise CensusError(
            f"layer {row['layer']} neuron {row['neuron']} is provably dead (bound {row['bound']:.6g}) but was seen active at "
            f"{row['activations']} positions, as were {len(wrong) - 1} more: this is a bug or broken hardware, please report it"
        )


def classify_dead(frequency: Path, bounds: Path, out: Path) -> None:
    """Make `dead.parquet`: a row a neuron, its class and its proof.

    Args:
        frequency: `frequency.parquet` of the model.
        bounds: its `bounds.parquet`.
        out: `dead.parquet`, sorted by layer and neuron.

    Raises:
        CensusError: a provably dead neuron was seen active; the two files are not of one model and dtype.
    """
    metadata = read_metadata(frequency)
    for key, proved in read_metadata(bounds).items():
        if metadata[key] != proved:
            raise CensusError(f"{frequency} and {bounds} differ in {key}: {metadata[key]} and {proved}: delete both and run again")
    counted = count_neurons(polars.DataFrame(read_table(frequency, FREQUENCY.names)))
    table = counted.join(polars.DataFrame(read_table(bounds, BOUNDS.names)), on=["layer", "neuron"], maintain_order="left").select(
        DEAD.names
    )
    _check_proof(table)
    write_table(table.to_arrow().cast(DEAD.schema), out, metadata)


def summarize_dead(table: polars.DataFrame) -> dict:
    """Every number of figure 1, per layer and overall; `mean_frequency` is over the neurons that are not dead."""
    numbers: Sequence[polars.Expr] = (
        polars.len().alias("neurons"),
        polars.col("dead").sum().alias("dead"),
        polars.col("dead").mean().alias("dead_share"),
        polars.col("provably_dead").sum().alias("provably_dead"),
        polars.col("bos_only").sum().alias("bos_only"),
        (polars.col("activations") == 1).sum().alias("singletons"),
        polars.col("frequency").filter(~polars.col("dead")).mean().alias("mean_frequency"),
        polars.col("frequency").filter(~polars.col("dead")).median().alias("median_frequency"),
    )
    layers = table.group_by("layer", maintain_order=True).agg(numbers)
    overall = table.select(*numbers, polars.col("tokens").first(), polars.col("documents").first())
    return {"overall": overall.row(0, named=True), "layers": layers.to_dicts()}
