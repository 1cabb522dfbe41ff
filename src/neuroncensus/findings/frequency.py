"""The reduction of a model's shards: how often each neuron is active, for every domain of core and extra."""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy
import pyarrow

from neuroncensus.errors import CensusError
from neuroncensus.models.description import read_description
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from neuroncensus.tables import COUNTERS, FREQUENCY

# What all shards of one census share. The first three are the machine's: `auto` may resolve otherwise elsewhere.
SHARED = ("dtype", "device", "threads", "model", "model_digest", "corpus", "window", "batch_tokens", "stages", "skip_silent")
WHAT = "shard file"


def _check_shared(first: tuple[Path, dict], other: tuple[Path, dict]) -> None:
    for key in SHARED:
        if first[1].get(key) != other[1].get(key):
            raise CensusError(
                f"shard files {first[0]} and {other[0]} differ in {key}: {first[1].get(key)} and {other[1].get(key)}: "
                "set it in the config and collect both again, or delete one of them and run again"
            )


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


def _read_stages(files: Sequence[tuple[Path, dict]]) -> dict[str, numpy.ndarray]:
    """The counters of one shard over all its stages; each (layers * F,)."""
    tables = [read_table(path, COUNTERS.names, what=WHAT) for path, _ in files]
    ends = [metadata["end_layer"] for _, metadata in files]
    starts = [metadata["first_layer"] for _, metadata in files]
    text = {metadata["content_sha256"] for _, metadata in files}
    if starts != [0, *ends[:-1]] or len(text) != 1:
        raise CensusError(f"shard files {files[0][0]} and {files[-1][0]} are not stages of one collection: delete them and run again")
    return {name: numpy.concatenate([table[name].to_numpy() for table in tables]) for name in COUNTERS.names}


def _reduce_domain(files: Sequence[tuple[Path, dict]]) -> dict[str, Any]:
    shards = [list(group) for _, group in groupby(files, key=lambda file: file[1]["shard"])]
    numbers = [group[0][1]["shard"] for group in shards]
    if numbers != list(range(len(shards))):
        raise CensusError(f"shard files of domain {files[0][1]['domain']} are of shards {numbers}, not 0 to {len(shards) - 1}: run again")
    total: dict[str, Any] = {"tokens": 0}
    documents = None
    for group in shards:
        table = _read_stages(group)
        documents = documents or _Documents(len(table["layer"]))
        documents.add(group[0][1], table)
        total["tokens"] += group[0][1]["positions"]
        for name in ("activations", "activations_bos"):
            total[name] = total.get(name, 0) + table[name]
        total["layer"], total["neuron"] = table["layer"], table["neuron"]
    assert documents is not None, "a domain has at least one shard"
    return total | {"documents": documents.count, "documents_active": documents.finish()}


def reduce_frequency(shards: Sequence[Path], description: Path, out: Path) -> None:
    """Add up the counters of all shards of a model.

    Args:
        shards: counter files of `collect_shard`: every stage of every shard of every part and domain, stages of
            a shard and shards of a domain in order.
        description: the model's `model.json`.
        out: `frequency.parquet`, sorted by layer, neuron, part, domain.

    Raises:
        CensusError: a file is corrupt, or the shards are not of one census (names both files and the setting).
    """
    files = [(path, read_metadata(path, what=WHAT)) for path in shards]
    about = read_description(description)
    for path, metadata in files:
        _check_shared(files[0], (path, metadata))
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
    windows = sum({(m["part"], m["domain"], m["shard"]): m["windows"] for _, m in files}.values())
    source = {"source": about.source, "revision": about.revision, "version": version("neuroncensus")}
    write_table(table, out, shared | {"windows": windows} | source)
