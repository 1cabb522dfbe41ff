"""How many n-grams cover a neuron (sections 4, 4.1, A.1; figures 2, 12, 13).

With `a(g)` a neuron's activations on n-gram g of core and `A = sum a(g)`, *covering* is the least number of n-grams
whose `a(g)` add up to at least a share (0.95) of A. Alive neurons, those active on core or extra, are put in classes by
it. **Choice**: edges 5, 20, 50, 100, 500 (1-5 and 1-50 are the paper's), and the class "not seen" for alive neurons with
`A == 0`: active outside core only, or only at BOS and the first n-1 text positions of windows.

**Beyond the paper**, a null: the same with n-grams rotated against the activations within each window.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import polars

from neuroncensus.errors import CensusError
from neuroncensus.findings.agree import check_agree
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from neuroncensus.tables import COVERAGE, COVERING

NOT_SEEN = "not seen"
NEURON = ("layer", "neuron")


def class_names(edges: Sequence[int]) -> list[str]:
    """Names of the classes: one for each edge, rising (`1-5`, `6-20`; `3` if it holds one number), then `over 500`, `not seen`."""
    lows = [1, *(edge + 1 for edge in edges[:-1])]
    within = [str(edge) if low == edge else f"{low}-{edge}" for low, edge in zip(lows, edges, strict=True)]
    return [*within, f"over {edges[-1]}", NOT_SEEN]


def _class_of(activations: polars.Expr, covering: polars.Expr, edges: Sequence[int]) -> polars.Expr:
    *within, over, _ = class_names(edges)
    found = polars.when(activations.is_null()).then(None).when(activations == 0).then(polars.lit(NOT_SEEN))
    for edge, name in zip(edges, within, strict=True):
        found = found.when(covering <= edge).then(polars.lit(name))
    return found.otherwise(polars.lit(over))


def _count_stages(frequency: Sequence[Path]) -> polars.DataFrame:
    """A row a neuron: activations in core and in all text."""
    in_core = polars.col("part") == "core"
    sums = [polars.col("activations").filter(in_core).sum().alias("core"), polars.col("activations").sum().alias("all")]
    columns = [*NEURON, "part", "activations"]
    return polars.concat([polars.DataFrame(read_table(path, columns)).group_by(NEURON).agg(sums) for path in frequency])


def classify_coverage(covering: Path, frequency: Sequence[Path], edges: Sequence[int], out: Path) -> None:
    """Make `coverage.parquet`: for each n a row for every neuron of the covered layers that is alive.

    Args:
        covering: a file of `neuroncensus.tables.COVERING`.
        frequency: files of `neuroncensus.tables.FREQUENCY`, a stage each; together they hold the covered layers.
        edges: upper ends of the classes, rising.
        out: `coverage.parquet`, sorted by layer, neuron and n. Its metadata are those of `covering` with `edges` and
            `tokens` (positions of core and extra, BOS included).

    Raises:
        CensusError: the files are not of one census, or `covering` was collected for fewer n-grams than the last edge.
    """
    metadata = read_metadata(covering)
    for path in frequency:
        check_agree((covering, metadata), (path, read_metadata(path)))
    if edges[-1] > metadata["most"]:
        raise CensusError(
            f"{covering} tells covering numbers up to {metadata['most']}, but coverage.edges ends with {edges[-1]}: delete it and run again"
        )
    columns = [name for name in COVERING.names if name != "activations_even"]
    counted = polars.DataFrame(read_table(covering, columns)).join(_count_stages(frequency), on=NEURON, how="left", maintain_order="left")
    unknown = counted.filter(polars.col("all").is_null() | (polars.col("activations") > polars.col("core")))
    if len(unknown):
        row = unknown.row(0, named=True)
        raise CensusError(
            f"{covering} has {row['activations']} activations of layer {row['layer']} neuron {row['neuron']}, but "
            f"{', '.join(map(str, frequency))} {row['core'] or 0} in core: delete them and run again"
        )
    null = _class_of(polars.col("null_activations"), polars.col("null_covering"), edges)
    table = (
        counted.filter(polars.col("all") > 0)
        .with_columns(_class_of(polars.col("activations"), polars.col("covering"), edges).alias("class"), null_class=null)
        .with_columns(covering=polars.when(polars.col("covering") <= edges[-1]).then("covering"))
        .select(COVERAGE.names)
    )
    told = {key: value for key, value in metadata.items() if key != "kind"} | {
        "edges": list(edges),
        "tokens": read_metadata(frequency[0])["tokens"],
    }
    write_table(table.to_arrow().cast(COVERAGE.schema), out, told)


def _numbers(counts: polars.DataFrame, column: str, prefix: str, edges: Sequence[int]) -> dict:
    """Neurons in every class of a column, and by edge the share of them that at most so many n-grams cover."""
    found = dict(counts.group_by(column).agg(polars.col("neurons").sum()).iter_rows())
    classes = {name: found.get(name, 0) for name in class_names(edges)}
    alive, reached = sum(classes.values()), itertools.accumulate(classes.values())
    shares = {str(edge): count / alive if alive else None for edge, count in zip(edges, reached, strict=False)}
    return {f"{prefix}classes": classes, f"{prefix}cumulative_shares": shares}


def summarize_coverage(table: polars.DataFrame, metadata: dict) -> dict:
    """Every number of figures 2, 12 and 13.

    Args:
        table: `coverage.parquet`.
        metadata: of that file.

    Returns:
        For each n, as a text, `overall` and a list `layers`, each with `alive` (neurons), `classes` (how many of
        them are in each), `cumulative_shares` (by edge, as a text: the share with covering of at most that; null if
        none is alive), and the same of the null, `null_classes` and `null_cumulative_shares`; null if it was not asked for.
    """
    edges = metadata["edges"]
    counts = table.group_by("n", "layer", "class", "null_class").agg(polars.len().cast(polars.Int64).alias("neurons"))

    def numbers(part: polars.DataFrame) -> dict:
        null = (
            _numbers(part, "null_class", "null_", edges)
            if metadata["rotation_null"]
            else {"null_classes": None, "null_cumulative_shares": None}
        )
        return {"alive": part["neurons"].sum()} | _numbers(part, "class", "", edges) | null

    summary = {}
    for n in sorted(metadata["n"]):
        of_n = counts.filter(polars.col("n") == n)
        layers = [{"layer": layer} | numbers(of_n.filter(polars.col("layer") == layer)) for layer in range(metadata["layers_covered"])]
        summary[str(n)] = {"overall": numbers(of_n), "layers": layers}
    return summary
