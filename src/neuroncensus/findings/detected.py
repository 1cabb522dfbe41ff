"""The n-grams that detectors detect: rows of `detector_ngrams.parquet`."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy
import polars
import pyarrow

from neuroncensus.corpora.readable import token_reader
from neuroncensus.tablefiles import table_writer
from neuroncensus.tables import DETECTOR_NGRAMS

Z = 1.959963984540054
"""Of a two-sided 95% interval."""
ROWS = 1 << 18
"""Of detected n-grams written at once."""


def wilson_lower(activations: polars.Expr, occurrences: polars.Expr) -> polars.Expr:
    """Lower end of the Wilson 95% interval of a rate (Wilson 1927)."""
    trials = occurrences.cast(polars.Float64)
    rate = activations / trials
    spread = Z * (rate * (1 - rate) / trials + Z**2 / (4 * trials**2)).sqrt()
    return (rate + Z**2 / (2 * trials) - spread) / (1 + Z**2 / trials)


def _tell_ngrams(detected: polars.DataFrame, tokens: Mapping[int, numpy.ndarray], read: Callable[[int], str]) -> pyarrow.Table:
    """Rows of `detector_ngrams.parquet`.

    Args:
        detected: as `write_detected` has it.
        tokens: of each n, (G, n).
        read: text of a token id.
    """
    sizes, places = (detected[name].to_numpy() for name in ("n", "ngram"))
    offsets = numpy.concatenate([[0], numpy.cumsum(sizes)]).astype(numpy.int32)
    flat = numpy.empty(offsets[-1], dtype=numpy.int32)
    for n in numpy.unique(sizes).tolist():
        rows = numpy.flatnonzero(sizes == n)
        flat[offsets[rows][:, None] + numpy.arange(n)] = tokens[n][places[rows]]
    ids, which = numpy.unique(flat, return_inverse=True)
    shown = pyarrow.array([read(token) for token in ids.tolist()], pyarrow.string()).take(pyarrow.array(which))
    ngrams, texts = (pyarrow.ListArray.from_arrays(pyarrow.array(offsets), values) for values in (pyarrow.array(flat), shown))
    joined = polars.Series(texts, dtype=polars.List(polars.String)).list.join("")
    lower = detected.select(wilson_lower(polars.col("activations"), polars.col("occurrences"))).to_series()
    columns = {name: detected[name].to_arrow() for name in detected.columns}
    columns |= {"ngram": ngrams, "text": joined.to_arrow(), "rate_lower": lower.to_arrow()}
    return pyarrow.table({name: columns[name] for name in DETECTOR_NGRAMS.names}).cast(DETECTOR_NGRAMS.schema)


def write_detected(detected: polars.DataFrame, index: Mapping[int, polars.DataFrame], tokenizer: Path, out: Path, metadata: dict) -> None:
    """Write `detector_ngrams.parquet`, a part at a time.

    Args:
        detected: layer, neuron, n, ngram (number in the index), occurrences, activations, in_covering; in the order
            of the first four.
        index: for each n the n-grams of core (`neuroncensus.corpora.ngramindex.read_index`).
        tokenizer: folder of the tokenizer, in Hugging Face layout.
        out: the table.
        metadata: of the table.

    Raises:
        CensusError: the tokenizer is missing or broken.
    """
    tokens = {n: ngrams["ngram"].explode(empty_as_null=False).to_numpy().reshape(-1, n) for n, ngrams in index.items()}
    read = token_reader(tokenizer)
    with table_writer(out, DETECTOR_NGRAMS.schema, metadata) as write:
        for part in detected.iter_slices(ROWS):
            write(_tell_ngrams(part, tokens, read))
