"""How many dead neurons more text would wake (beyond the paper).

Positions of one document are not independent, so documents are the sampling unit: m of them, each domain's own, core and extra
together. A neuron is *alive* here if it is active at a text position of one; Q_k neurons are active in exactly k documents, S in one at
least. BOS, which is the same input in every window, says nothing of more text.

- *Rarefaction*, in closed form: t documents drawn from the m have `S - sum_k Q_k C(m-k, t) / C(m, t)` alive neurons on average.
  Beside it, what was alive after each shard, in the order of the corpus.
- *Chao2*, bias-corrected: text of the same mix would wake at least `(m-1)/m * Q1 (Q1-1) / (2 (Q2+1))` more, cut off at dead minus
  provably dead, and so is its log-normal 95% interval (Chao 1987). **Choice**: null where the estimate is 0, as it has no logarithm.
- *Rate*: a neuron not seen in t documents is active in at most `1 - 0.05^(1/t)` of documents like these (95%, it alone).

**Choice**: t runs over whole numbers in about equal ratios, and m.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy
import polars
import pyarrow

from neuroncensus.errors import CensusError
from neuroncensus.findings.agree import check_agree, check_shards
from neuroncensus.models.description import read_description
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from neuroncensus.tables import COUNTERS, DEAD, SATURATION

POINTS = 50
"""Numbers of documents at which rarefaction is told, at most."""
Z = 1.959963984540054
"""Of a two-sided 95% interval."""
UNSEEN = 0.05
"""Probability of not seeing a neuron whose rate is at the bound."""
RAREFACTION, SHARD = "rarefaction", "shard"
WHAT = "shard file"


def grid(documents: int) -> list[int]:
    """Numbers of documents at which rarefaction is told, rising, 1 and all of them among them."""
    return sorted({round(documents ** (step / POINTS)) for step in range(POINTS + 1)} | {documents})


def rarefy(frequencies: numpy.ndarray, documents: int, drawn: int) -> float:
    """Expected number of alive neurons in `drawn` of the documents.

    `C(m-k, t) / C(m, t)` is the product of `1 - t / (m - i)` over i < k, whose logarithms add up without a large number anywhere.

    Args:
        frequencies: Q_k, neurons active in exactly k documents, from k = 0, (K + 1,).
        documents: m.
        drawn: t, at most m.
    """
    left = documents - numpy.arange(len(frequencies) - 1)  # m - i
    with numpy.errstate(divide="ignore"):
        missed = numpy.cumsum(numpy.log1p(-numpy.minimum(drawn / left, 1.0)))  # of each k from 1
    return float((frequencies[1:] * -numpy.expm1(missed)).sum())


def chao2(frequencies: numpy.ndarray, documents: int, most: int) -> tuple[float, float | None, float | None]:
    """Neurons that more documents would show, at least, and the ends of the estimate's log-normal 95% interval, none above `most`.

    The variance is that of the bias-corrected estimator (Chao 1987, as EstimateS has it).

    Args:
        frequencies: Q_k from k = 0, (K + 1,).
        documents: m, at least 1.
        most: how many there can be.
    """
    once, twice = (int(frequencies[k]) if k < len(frequencies) else 0 for k in (1, 2))
    factor = (documents - 1) / documents
    unseen = factor * once * (once - 1) / (2 * (twice + 1))
    if unseen == 0:
        return 0.0, None, None
    variance = unseen + factor**2 * once * (2 * once - 1) ** 2 / (4 * (twice + 1) ** 2)
    variance += factor**2 * once**2 * twice * (once - 1) ** 2 / (4 * (twice + 1) ** 4)
    spread = math.exp(Z * math.sqrt(math.log1p(variance / unseen**2)))
    return min(unseen, float(most)), min(unseen / spread, float(most)), min(unseen * spread, float(most))


def _layers(dead: polars.DataFrame) -> Iterator[tuple[int | None, polars.DataFrame]]:
    """Each layer, then all of them together."""
    yield from ((layer, part) for (layer,), part in dead.partition_by("layer", as_dict=True, maintain_order=True).items())
    yield None, dead


def _shard_rows(stages: Sequence[Sequence[Path]], neurons: int, layers: int) -> list[dict]:
    """What was alive after each shard, in each layer and in all.

    Args:
        stages: for each stage the counter files of all shards, in the order of the corpus.
        neurons: F.
        layers: of the model.
    """
    told = [[(path, read_metadata(path, what=WHAT)) for path in shards] for shards in stages]
    for files in told:
        check_shards(files, "first_layer", "end_layer")
    check_shards([files[0] for files in told])
    alive, rows = numpy.zeros((layers, neurons), dtype=bool), []
    documents = tokens = 0
    open_document = None
    for files in zip(*told, strict=True):
        metadata = files[0][1]
        where = {key: metadata[key] for key in ("part", "domain", "shard")}
        for path, of_stage in files:
            if any(of_stage[key] != value for key, value in where.items()):
                raise CensusError(f"{WHAT}s {files[0][0]} and {path} are not of one shard: delete both and run again")
            table = read_table(path, COUNTERS.names, what=WHAT)
            active = [table[name].to_numpy() > 0 for name in ("documents_inside", "first_document_active", "last_document_active")]
            alive[of_stage["first_layer"] : of_stage["end_layer"]] |= numpy.logical_or.reduce(active).reshape(-1, neurons)
        tokens += metadata["positions"]
        # A document that goes on from the shard before has been counted there.
        first = (metadata["part"], metadata["domain"], metadata["first_document"])
        documents += metadata["documents"] - (first == open_document)
        open_document = (metadata["part"], metadata["domain"], metadata["last_document"])
        counts = alive.sum(axis=1).tolist()
        for layer, count in [*enumerate(counts), (None, sum(counts))]:
            rows.append(where | {"layer": layer, "kind": SHARD, "documents": documents, "tokens": tokens, "alive": float(count)})
    return rows


def estimate_saturation(dead: Path, description: Path, stages: Sequence[Sequence[Path]], out: Path) -> None:
    """Make `saturation.parquet`.

    Args:
        dead: `dead.parquet` of the model.
        description: its `model.json`.
        stages: for each stage, in order, the counter files of all shards (`neuroncensus.collect.shard`) in the order of the corpus.
        out: `saturation.parquet`, sorted by layer (all of them together last) and documents, shards in the order of the corpus.
            Its metadata are those of `dead`, with the model's width, `d`.

    Raises:
        CensusError: a file is corrupt, or they are not of one census.
    """
    metadata, table = read_metadata(dead), polars.DataFrame(read_table(dead, DEAD.names))
    for shards in stages:
        check_agree((dead, metadata), (shards[0], read_metadata(shards[0], what=WHAT)))
    documents, tokens = (int(table[name][0]) for name in ("documents", "tokens"))
    seen = _shard_rows(stages, table["neuron"].n_unique(), table["layer"].n_unique())
    rows = []
    for layer, part in _layers(table):
        frequencies = numpy.bincount(part["documents_active"].to_numpy())
        most = int((part["dead"] & ~part["provably_dead"].fill_null(False)).sum())
        told = dict(zip(("chao2", "chao2_lower", "chao2_upper"), chao2(frequencies, documents, most), strict=True)) | {"neurons": len(part)}
        drawn: list[dict] = [
            {
                "layer": layer,
                "kind": RAREFACTION,
                "documents": t,
                "tokens": t * tokens // documents,
                "alive": rarefy(frequencies, documents, t),
            }
            for t in grid(documents)
        ]
        of_layer = [row for row in seen if row["layer"] == layer]
        _check_seen(dead, of_layer[-1], int((part["documents_active"] > 0).sum()), documents)
        rows += [row | told for row in sorted([*drawn, *of_layer], key=lambda row: row["documents"])]
    for row in rows:
        row["rate_bound"] = -math.expm1(math.log(UNSEEN) / row["documents"])
    write_table(
        pyarrow.Table.from_pylist(rows, schema=SATURATION.schema), out, metadata | {"d": read_description(description).architecture.d}
    )


def _check_seen(dead: Path, last: dict, alive: int, documents: int) -> None:
    """After the last shard everything that `dead.parquet` counts has been seen."""
    if (last["alive"], last["documents"]) != (alive, documents):
        raise CensusError(
            f"the shards have {last['alive']:.0f} neurons alive in {last['documents']} documents, but {dead} {alive} in {documents}: "
            "delete it and run again"
        )


def summarize_saturation(table: polars.DataFrame, dead: polars.DataFrame) -> dict:
    """Every number of the figure: what is dead and why, and what more text would wake.

    Args:
        table: `saturation.parquet`.
        dead: `dead.parquet`.

    Returns:
        `overall` and a list `layers`, each with `neurons`, and how many of them are `provably_dead`, `dead_on_this_text`
        (not proved), `bos_only` and `alive` (all others); `documents`, `active_in_one` and `active_in_two` of them (Q1, Q2), `chao2`, its
        `chao2_interval` (null where it has none), and `rate_bound` of a neuron never seen.
    """

    def numbers(layer: int | None, part: polars.DataFrame) -> dict:
        of_layer = table.filter(polars.col("layer").eq_missing(layer) & (polars.col("kind") == RAREFACTION)).row(-1, named=True)
        proved = int(part["provably_dead"].fill_null(False).sum())
        dead_here, bos_only, active = int(part["dead"].sum()), int(part["bos_only"].sum()), part["documents_active"]
        ends = [of_layer["chao2_lower"], of_layer["chao2_upper"]]
        return {
            "neurons": len(part),
            "provably_dead": proved,
            "dead_on_this_text": dead_here - proved,
            "bos_only": bos_only,
            "alive": len(part) - dead_here - bos_only,
            "documents": of_layer["documents"],
            "active_in_one": int((active == 1).sum()),
            "active_in_two": int((active == 2).sum()),
            "chao2": of_layer["chao2"],
            "chao2_interval": None if ends[0] is None else ends,
            "rate_bound": of_layer["rate_bound"],
        }

    found = [(layer, numbers(layer, part)) for layer, part in _layers(dead)]
    return {"overall": found[-1][1], "layers": [{"layer": layer} | told for layer, told in found[:-1]]}
