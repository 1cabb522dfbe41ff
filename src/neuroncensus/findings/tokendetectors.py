"""The token detectors, n = 1, and what they detect, out of the tables of all detectors."""

from dataclasses import dataclass
from pathlib import Path

import numpy
import polars

from neuroncensus.errors import CensusError
from neuroncensus.findings.agree import check_agree
from neuroncensus.tablefiles import read_metadata, read_table

TOKENS = 1
"""n of a token detector."""


@dataclass(frozen=True)
class TokenDetectors:
    """The token detectors of one layer.

    Attributes:
        layer: from 0.
        neurons: rising, (D,) int64.
        tokens: ids that each detects, rising.
    """

    layer: int
    neurons: numpy.ndarray
    tokens: list[numpy.ndarray]


def read_token_detectors(detectors: Path, ngrams: Path) -> list[TokenDetectors]:
    """The token detectors of every layer that has some, and what they detect.

    Args:
        detectors: `detectors.parquet`.
        ngrams: `detector_ngrams.parquet`.

    Raises:
        CensusError: the two are not of one census.
    """
    check_agree((detectors, read_metadata(detectors)), (ngrams, read_metadata(ngrams)))
    keys, of_tokens = ["layer", "neuron"], polars.col("n") == TOKENS
    found = polars.DataFrame(read_table(detectors, [*keys, "n", "detected"])).filter(of_tokens)
    tokens = polars.DataFrame(read_table(ngrams, [*keys, "n", "ngram"])).filter(of_tokens)
    tokens = tokens.select(*keys, polars.col("ngram").list.first().cast(polars.Int64)).group_by(keys).agg(polars.col("ngram").sort())
    both = found.join(tokens, on=keys, how="left").sort(keys)
    wrong = both.filter(polars.col("ngram").list.len().fill_null(0) != polars.col("detected"))
    if len(wrong):
        row = wrong.row(0, named=True)
        raise CensusError(
            f"{detectors} has {row['detected']} tokens that layer {row['layer']} neuron {row['neuron']} detects, but {ngrams} "
            f"{len(row['ngram'] or [])}: delete both and run again"
        )
    return [
        TokenDetectors(layer, part["neuron"].to_numpy(), [numpy.array(ids) for ids in part["ngram"].to_list()])
        for (layer,), part in both.partition_by("layer", as_dict=True, maintain_order=True).items()
    ]
