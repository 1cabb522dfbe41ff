"""Tables of a census that never was, as the page of `browser/index.html` reads them, a layer at a time."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import polars
import pyarrow

from neuroncensus.findings.coverage import class_names
from neuroncensus.tablefiles import table_writer
from neuroncensus.tables import DETECTOR_NGRAMS, FREQUENCY, PROFILES, neurons_table
from neuroncensus.updatetables import ABLATION, UPDATES

SIZES, EDGES, TOP = [1, 2, 3], [5, 20, 50, 100, 500], 10
CORE = ("code", "mathematics", "news", "reddit", "wikipedia")
EXTRA = ("code", "europarl", "law", "mathematics", "medicine", "questions", "wikipedia")
DOMAINS = [*(("core", name) for name in CORE), *(("extra", name) for name in EXTRA)]
TYPES = ("oscillatory", "both", "one", "other")


@dataclass(frozen=True)
class Census:
    """How many neurons, and what is found of them."""

    layers: int
    neurons: int
    vocabulary: int
    window: int = 2048
    detectors: float = 0.02
    """Share of the covered layers' neurons; each detects NGRAMS n-grams."""
    positional: float = 0.02
    ngrams: int = 40
    texts: Sequence[str] = ("␣the", "␣of␣the", "ing", "⏎⏎", "␣in␣a", "1.␣", "(x", "␣Mr", "<0xE2>")
    """Of n-grams, in turns."""
    curves: bool = True
    """Whether positions are counted."""

    def told(self, tokens: int) -> dict:
        """Metadata of `neurons.parquet`."""
        told: dict[str, Any] = {
            "model": "made",
            "model_digest": "0",
            "source": "made",
            "revision": None,
            "corpus": "made",
            "window": self.window,
        }
        told |= {"dtype": "float16", "device": "cpu", "threads": 2, "tokens": tokens, "tokens_core": tokens // 2, "windows": 9}
        told |= {"coverage": {"n": SIZES, "edges": EDGES, "share": 0.95, "layers_covered": max(1, self.layers // 2)}}
        return told | {"updates": {"top": TOP}, "ablation": {}} | ({"positional": {"mutual_information": 0.05}} if self.curves else {})


def _frequency(generator: numpy.random.Generator, layer: int, rates: numpy.ndarray) -> polars.DataFrame:
    tokens = numpy.array([500_000 * (1 + place % 5) for place in range(len(DOMAINS))])
    counts = numpy.minimum(generator.poisson(rates[:, None] * tokens), tokens)  # (F, D)
    documents = numpy.broadcast_to(tokens // 500, counts.shape)
    keys = {"layer": numpy.full(counts.size, layer), "neuron": numpy.repeat(numpy.arange(len(rates)), len(DOMAINS))}
    told = {name: [domain[place] for domain in DOMAINS] * len(rates) for place, name in enumerate(("part", "domain"))}
    wide = {"tokens": numpy.broadcast_to(tokens, counts.shape), "activations": counts, "activations_bos": counts * 0}
    wide |= {"documents": documents, "documents_active": numpy.minimum(counts, documents)}
    return polars.DataFrame(keys | told | {name: values.ravel() for name, values in wide.items()})


def _of_ngrams(generator: numpy.random.Generator, alive: numpy.ndarray, detects: numpy.ndarray) -> dict[str, Any]:
    """Columns for each n of a covered layer; null where a neuron is dead or detects nothing."""
    names, found = class_names(EDGES), {}
    for n in SIZES:
        covering = numpy.exp(generator.uniform(0, 7, len(alive))).astype(int)
        place = numpy.searchsorted(EDGES, covering)
        columns = {
            "activations": covering * 40,
            "class": numpy.array(names)[place],
            "null_class": numpy.array(names)[numpy.minimum(place + 1, 5)],
            "detector": detects,
        }
        found |= {f"{name}_{n}": polars.Series(values).set(~polars.Series(alive), None) for name, values in columns.items()}
        found[f"covering_{n}"] = polars.Series(covering).set(polars.Series(~alive | (place >= len(EDGES))), None)
        found[f"detected_{n}"] = polars.Series(numpy.full(len(alive), 40)).set(~polars.Series(detects), None)
        found[f"share_{n}"] = polars.Series(generator.uniform(0.95, 1, len(alive))).set(~polars.Series(detects), None)
    return found


def _neurons(generator: numpy.random.Generator, census: Census, layer: int, counted: polars.DataFrame) -> polars.DataFrame:
    size = census.neurons
    table = counted.group_by("layer", "neuron", maintain_order=True).agg(polars.exclude("part", "domain").sum())
    active = table["activations"].to_numpy() > 0
    columns: dict[str, Any] = {"dead": ~active, "provably_dead": ~active & (generator.random(size) < 0.4)}
    columns |= {"bos_only": numpy.zeros(size, dtype=bool), "bound": generator.normal(5, 4, size), "depth": generator.normal(0, 1, size)}
    columns |= {name: generator.normal(1, 0.3, size) for name in ("norm", "mean_logit", "kurtosis", "read_write_cosine")}
    detects = numpy.zeros(size, dtype=bool)
    if layer < max(1, census.layers // 2):
        detects = active & (generator.random(size) < census.detectors)
        columns |= _of_ngrams(generator, active, detects)
        columns["suppresses_trigger"] = polars.Series(generator.random(size) < 0.8).set(~polars.Series(detects), None)
    if census.curves:
        positional = generator.random(size) < census.positional
        kinds = polars.Series(numpy.array(TYPES)[generator.integers(0, 4, size)])
        columns |= {"positional": positional, "type": kinds.set(~polars.Series(positional), None), "windows": numpy.full(size, 90)}
        columns |= {
            "mutual_information": generator.random(size) ** 8,
            "fr": generator.random(size),
            "unreliable": numpy.zeros(size, dtype=bool),
        }
    return table.with_columns(frequency=polars.col("activations") / polars.col("tokens"), **columns)


def _profiles(generator: numpy.random.Generator, census: Census, neurons: polars.DataFrame) -> polars.DataFrame:
    found = neurons.filter("positional")["neuron"].to_list() if census.curves else []
    domains = ["all", *CORE[:3]]
    wave = 0.5 + 0.4 * numpy.sin(numpy.linspace(0, 20, census.window))
    rows = len(found) * len(domains)
    curves = numpy.clip(wave * generator.uniform(0.2, 1, (rows, 1)), 0, 1) + numpy.zeros((rows, census.window))
    keys = {"neuron": [neuron for neuron in found for _ in domains], "domain": domains * len(found), "windows": [90] * rows}
    return polars.DataFrame(
        keys | {"fr": list(curves)}, schema_overrides={"fr": polars.List(polars.Float64), "neuron": polars.Int64, "domain": polars.String}
    )


def _updates(generator: numpy.random.Generator, census: Census) -> polars.DataFrame:
    shape, columns = (census.neurons, min(TOP, census.vocabulary)), {"neuron": polars.Series(range(census.neurons))}
    for sign, name in ((-1, "promoted"), (1, "suppressed")):
        columns[name] = polars.Series((census.vocabulary * generator.random(shape) ** 2).astype(numpy.int32))
        columns[f"{name}_logits"] = polars.Series(-sign * numpy.sort(generator.exponential(0.3, shape))[:, ::-1])
    table = polars.DataFrame(columns)
    return table.with_columns(polars.exclude("neuron").arr.to_list())


def _ngrams(generator: numpy.random.Generator, census: Census, detectors: list[int]) -> polars.DataFrame:
    rows = [(neuron, n, number) for neuron in detectors for n in SIZES for number in range(census.ngrams)]
    seen = generator.integers(30, 3000, len(rows))
    found: dict[str, Any] = {"neuron": [row[0] for row in rows], "n": [row[1] for row in rows], "occurrences": seen}
    found |= {"ngram": [[row[2]] * row[1] for row in rows], "rate_lower": 0.94 + 0 * seen, "in_covering": seen > 90}
    found |= {"text": [census.texts[place % len(census.texts)] for place in range(len(rows))]}
    found |= {"activations": (seen * generator.uniform(0.97, 1, len(rows))).astype(int)}
    return polars.DataFrame(found, schema_overrides={"neuron": polars.Int64, "ngram": polars.List(polars.Int32), "text": polars.String})


def _contexts(detectors: list[int]) -> polars.DataFrame:
    """Of the first ten detectors."""
    rows = [(neuron, position) for neuron in detectors[:10] for position in range(5)]
    found: dict[str, Any] = {"neuron": [row[0] for row in rows], "domain": ["code"] * len(rows), "position": [row[1] for row in rows]}
    found |= {name: [1] * len(rows) for name in ("shard", "window", "document", "token", "matched")}
    found |= {name: [0.25] * len(rows) for name in ("value", "log_probability", "log_probability_change", "logit_change")}
    return polars.DataFrame(found, schema_overrides={"neuron": polars.Int64, "domain": polars.String})


def _arrow(table: polars.DataFrame, layer: int, schema: pyarrow.Schema) -> pyarrow.Table:
    """With the layer, and null in the columns that are missing."""
    table = table.with_columns(layer=polars.lit(layer)) if "layer" not in table.columns else table
    missing = [polars.lit(None).alias(name) for name in schema.names if name not in table.columns]
    return table.with_columns(missing).select(schema.names).to_arrow().cast(schema)


def make_tables(folder: Path, census: Census) -> dict[str, Path]:
    """The files, by the names that `neuroncensus.report.browser.write_browser` has for them."""
    generator = numpy.random.default_rng(1)
    kinds = {"neurons": neurons_table(SIZES), "frequency": FREQUENCY, "updates": UPDATES, "detector_ngrams": DETECTOR_NGRAMS}
    kinds |= {"ablation": ABLATION} | ({"profiles": PROFILES} if census.curves else {})
    files = {name: folder / f"{name}.parquet" for name in kinds}
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        told = census.told(18_000_000)
        writers = {name: stack.enter_context(table_writer(files[name], kind.schema, told)) for name, kind in kinds.items()}
        for layer in range(census.layers):
            rates = numpy.exp(generator.uniform(numpy.log(1e-6), numpy.log(0.3), census.neurons))
            counted = _frequency(generator, layer, rates * (generator.random(census.neurons) > 0.25))
            neurons = _neurons(generator, census, layer, counted)
            detectors = neurons.filter("detector_1")["neuron"].to_list() if "detector_1" in neurons.columns else []
            found = {"neurons": neurons, "frequency": counted, "updates": _updates(generator, census)}
            found |= {"detector_ngrams": _ngrams(generator, census, detectors), "ablation": _contexts(detectors)}
            found |= {"profiles": _profiles(generator, census, neurons)}
            for name, kind in kinds.items():
                writers[name](_arrow(found[name], layer, kind.schema))
    return files
