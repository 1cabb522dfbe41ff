"""The reduction of a model's shards: how often each neuron is active, for every domain of core and extra."""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy
import pyarrow

from neuroncensus.collect.splitbos import warn_split_bos
from neuroncensus.errors import CensusError
from neuroncensus.findings.agree import check_shards, text_digest
from neuroncensus.models.description import read_description
from neuroncensus.models.origin import read_source
from neuroncensus.tablefiles import read_metadata, read_table, table_writer, write_table
from neuroncensus.tables import COUNTERS, FREQUENCY

# What those of one stage share.
LAYERS = ("first_layer", "end_layer")
WHAT = "shard file"


class _Documents:
    """Joins the documents at the ends of neighbouring shards: in how many is each neuron active."""

    def __init__(self, neurons: int):
        self.active = numpy.zeros(neurons, dtype=numpy.int64)
        self.count = 0
        self._open: int | None = None
        self._open_active = numpy.zeros(neurons, dtype=bool)

    def _meet(self, document: int, active: numpy.ndarray) -> None:
        if document == self._open:
            self._open_active |= active
            return
        self.active += self._open_active
        self._open, self._open_active = document, active.copy()
        self.count += 1

    def add(self, metadata: dict, table: dict[str, numpy.ndarray]) -> None:
        """The next shard of the domain."""
        first, last = metadata["first_document"], metadata["last_document"]
        self._meet(first, table["first_document_active"])
        self.active += table["documents_inside"]
        self.count += metadata["documents"] - 1 - (first != last)
        self._meet(last, table["last_document_active"])

    def finish(self) -> numpy.ndarray:
        """Documents in which each neuron is active at a text position."""
        return self.active + self._open_active


def _reduce_domain(files: Sequence[tuple[Path, dict]]) -> dict[str, Any]:
    numbers = [metadata["shard"] for _, metadata in files]
    if numbers != list(range(len(files))):
        raise CensusError(f"shard files of domain {files[0][1]['domain']} are of shards {numbers}, not 0 to {len(files) - 1}: run again")
    total: dict[str, Any] = {"tokens": 0}
    documents = None
    for path, metadata in files:
        read = read_table(path, COUNTERS.names, what=WHAT)
        table = {name: read[name].to_numpy() for name in COUNTERS.names}
        documents = documents or _Documents(len(table["layer"]))
        documents.add(metadata, table)
        total["tokens"] += metadata["positions"]
        for name in ("activations", "activations_bos"):
            total[name] = total.get(name, 0) + table[name]
        total["layer"], total["neuron"] = table["layer"], table["neuron"]
    assert documents is not None, "a domain has at least one shard"
    return total | {"documents": documents.count, "documents_active": documents.finish()}


def reduce_stage(shards: Sequence[Path], description: Path, out: Path) -> None:
    """Add up the counters of all shards of a model in one stage.

    Args:
        shards: counter files of `collect_shard`: one stage of every shard of every part and domain, shards of a domain
            in order.
        description: the model's `model.json`.
        out: parquet of `neuroncensus.tables.FREQUENCY` with the stage's layers, sorted by layer, neuron, part, domain.

    Raises:
        CensusError: a file is corrupt, or the shards are not of one census (names both files and the setting).
    """
    files = [(path, read_metadata(path, what=WHAT)) for path in shards]
    about = read_description(description)
    check_shards(files, *LAYERS)
    for path, metadata in files:
        if metadata["model_digest"] != about.digest:
            raise CensusError(f"{WHAT} {path} is of other weights than {description}: delete it and run again")
    domains = {key: _reduce_domain(list(group)) for key, group in groupby(files, key=lambda file: (file[1]["part"], file[1]["domain"]))}
    keys = sorted(domains)
    neurons = len(domains[keys[0]]["layer"])

    def column(name: str) -> numpy.ndarray:
        """Neurons outside, domains inside: the order of the keys."""
        return numpy.stack([numpy.broadcast_to(domains[key][name], neurons) for key in keys], axis=1).ravel()

    columns = {name: column(name) for name in FREQUENCY.names if name not in ("part", "domain")}
    columns |= {name: numpy.tile([key[place] for key in keys], neurons) for place, name in enumerate(("part", "domain"))}
    table = pyarrow.table({name: pyarrow.array(columns[name]) for name in FREQUENCY.names}, schema=FREQUENCY.schema)
    first = files[0][1]
    shared = {key: first[key] for key in ("model", "model_digest", "corpus", "window", "dtype", "device", "threads")}
    windows = sum(metadata["windows"] for _, metadata in files)
    any_domain = domains[keys[0]]
    at_bos = sum(of_domain["activations_bos"] for of_domain in domains.values())
    warn_split_bos(at_bos, any_domain["layer"], any_domain["neuron"], windows, "all shards")
    texts = text_digest(metadata for _, metadata in files)
    told = {"windows": windows, "text_sha256": texts, "version": version("neuroncensus")} | {key: first[key] for key in LAYERS}
    # Also where the stage has no layers, and so no rows.
    positions = {"tokens": files, "tokens_core": [file for file in files if file[1]["part"] == "core"]}
    told |= {name: sum(metadata["positions"] for _, metadata in of_part) for name, of_part in positions.items()}
    write_table(table, out, shared | told)


def reduce_frequency(stages: Sequence[Path], source: Path, out: Path) -> None:
    """Put the stages of a model together.

    Args:
        stages: what `reduce_stage` wrote, of every stage in order.
        source: the model's `source.json`.
        out: `frequency.parquet`, sorted by layer, neuron, part, domain.

    Raises:
        CensusError: a file is corrupt, or the stages are not of one census or not of the weights that `source` is of.
    """
    metadata = [read_metadata(path) for path in stages]
    shared = {key: value for key, value in metadata[0].items() if key not in LAYERS}
    end = 0
    for path, of_stage in zip(stages, metadata, strict=True):
        if of_stage != shared | {"first_layer": end, "end_layer": of_stage["end_layer"]}:
            raise CensusError(f"{stages[0]} and {path} are not stages of one census: delete both and run again")
        end = of_stage["end_layer"]
    with table_writer(out, FREQUENCY.schema, shared | read_source(source, shared["model_digest"])) as write:
        for path in stages:
            write(read_table(path, FREQUENCY.names))
