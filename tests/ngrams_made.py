"""Made-up text and activations, counted in dictionaries of tuples as the method is written, and the files that findings read."""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import polars
import pyarrow

from neuroncensus.corpora.ngramindex import KIND
from neuroncensus.tablefiles import write_table
from neuroncensus.tables import COVERING, FREQUENCY, NGRAM_INDEX

SHARED = {"model": "opt-nano", "corpus": "demo", "window": 9, "dtype": "float32", "device": "cpu", "threads": 2, "model_digest": "abc"}
TOKENS = 100
# Of `write_frequency`: a domain of core, two of extra.
COUNTED = SHARED | {"tokens_core": TOKENS, "tokens": 3 * TOKENS}
Neuron = tuple[int, int]
Gram = tuple[int, ...]


@dataclass
class World:
    """Windows of text tokens with their document's number, and for each neuron the text positions at which it is active."""

    windows: list[list[int]]
    documents: list[int]
    active: dict[Neuron, list[list[bool]]]
    extra: dict[Neuron, int] = field(default_factory=dict)
    null: dict[Neuron, list[list[bool]]] = field(default_factory=dict)

    def occurrences(self, n: int, parity: int | None = None) -> Counter[Gram]:
        return self._count(n, [[True] * len(window) for window in self.windows], parity)

    def activations(self, neuron: Neuron, n: int, parity: int | None = None) -> Counter[Gram]:
        return self._count(n, self.active[neuron], parity)

    def nulled(self, neuron: Neuron, n: int) -> Counter[Gram]:
        return self._count(n, self.null[neuron], None)

    def _count(self, n: int, active: list[list[bool]], parity: int | None) -> Counter[Gram]:
        found: Counter[Gram] = Counter()
        for window, document, here in zip(self.windows, self.documents, active, strict=True):
            if parity is None or document % 2 == parity:
                found.update(tuple(window[k - n + 1 : k + 1]) for k in range(n - 1, len(window)) if here[k])
        return found


def covering_set(counts: Counter[Gram], share: float) -> list[Gram]:
    """The smallest set, in falling order of activations, ties to the lower n-gram."""
    chosen: list[Gram] = []
    while sum(counts[gram] for gram in chosen) < Fraction(str(share)) * counts.total():
        chosen.append(min((gram for gram in counts if gram not in chosen), key=lambda gram: (-counts[gram], gram)))
    return chosen


def class_of(counts: Counter[Gram], share: float, edges: list[int]) -> str:
    if not counts.total():
        return "not seen"
    needed, low = len(covering_set(counts, share)), 1
    for edge in edges:
        if needed <= edge:
            return str(edge) if low == edge else f"{low}-{edge}"
        low = edge + 1
    return f"over {edges[-1]}"


def find_detectors(world: World, sizes: list[int], limits: dict[int, int], coverage: float, rate: float, share: float) -> list[dict]:
    """Every detector with what the tables say of it; its n-grams under `ngrams`."""
    found = []
    for neuron in sorted(world.active):
        for n in sizes:
            counts = world.activations(neuron, n)
            total = counts.total()
            covering = covering_set(counts, coverage)
            if not total or len(covering) > limits[n]:
                continue
            detected = detected_ngrams(counts, world.occurrences(n), rate)
            if sum(counts[gram] for gram in detected) < Fraction(str(share)) * total:
                continue
            held = detected_ngrams(world.activations(neuron, n, 0), world.occurrences(n, 0), rate)
            odd, odd_occurrences = world.activations(neuron, n, 1), world.occurrences(n, 1)
            met = sum(odd_occurrences[gram] for gram in held)
            hits = sum(odd[gram] for gram in held)
            found.append(
                {
                    "layer": neuron[0],
                    "neuron": neuron[1],
                    "n": n,
                    "activations": total,
                    "covering": len(covering),
                    "detected": len(detected),
                    "share": sum(counts[gram] for gram in detected) / total,
                    "strict": set(covering) <= set(detected),
                    "held_out_rate": hits / met if met else None,
                    "held_out_share": hits / odd.total() if odd.total() else None,
                    "ngrams": [(list(gram), world.occurrences(n)[gram], counts[gram], gram in covering) for gram in detected],
                }
            )
    return found


def detected_ngrams(counts: Counter[Gram], occurrences: Counter[Gram], rate: float) -> list[Gram]:
    return sorted(gram for gram, times in occurrences.items() if counts[gram] >= Fraction(str(rate)) * times)


def write_covering(world: World, sizes: list[int], share: float, most: int, path: Path) -> None:
    rows = []
    for layer, neuron in sorted(world.active):
        for n in sizes:
            counts = world.activations((layer, neuron), n)
            row = {"layer": layer, "neuron": neuron, "n": n, "activations": counts.total()}
            needed = len(covering_set(counts, share))
            row["activations_even"] = world.activations((layer, neuron), n, 0).total() if needed <= most else None
            row["covering"] = needed if 0 < needed <= most else None
            row |= {"null_activations": None, "null_covering": None}
            if world.null:
                null = world.nulled((layer, neuron), n)
                needed = len(covering_set(null, share))
                row |= {"null_activations": null.total(), "null_covering": needed if 0 < needed <= most else None}
            rows.append(row)
    metadata = SHARED | {"share": share, "most": most, "n": sizes, "rotation_null": bool(world.null)}
    metadata |= {"tokens_core": TOKENS, "layers_covered": 1 + max(layer for layer, _ in world.active)}
    write_table(pyarrow.Table.from_pylist(rows, schema=COVERING.schema), path, metadata)


def write_index(world: World, sizes: list[int], path: Path) -> None:
    rows = []
    for n in sizes:
        for gram, times in sorted(world.occurrences(n).items()):
            rows.append({"n": n, "ngram": list(gram), "occurrences": times, "occurrences_even": world.occurrences(n, 0)[gram]})
    write_table(pyarrow.Table.from_pylist(rows, schema=NGRAM_INDEX.schema), path, SHARED | {"n": sizes, "kind": KIND})


def write_frequency(world: World, layers: range, path: Path) -> None:
    """One stage; extra in two domains."""
    rows = []
    for layer, neuron in sorted(world.active):
        if layer in layers:
            in_core = sum(sum(here) for here in world.active[layer, neuron])
            parts = [("core", "prose", in_core), ("extra", "code", 0), ("extra", "prose", world.extra.get((layer, neuron), 0))]
            for part, domain, count in parts:
                row = {"layer": layer, "neuron": neuron, "part": part, "domain": domain, "tokens": TOKENS, "activations": count}
                rows.append(row | {"activations_bos": 0, "documents": 3, "documents_active": min(3, count)})
    write_table(pyarrow.Table.from_pylist(rows, schema=FREQUENCY.schema), path, COUNTED | {"version": "other"})


def pair_reader(world: World, pieces: int = 1):
    """Pairs of the neurons asked for, dealt to so many pieces."""

    def read(wanted: polars.DataFrame):
        assert wanted.columns == ["layer", "neuron", "n"] and wanted.rows() == sorted(wanted.rows())
        for piece in range(pieces):
            rows = []
            for layer, neuron, n in reversed(wanted.rows()[piece::pieces]):
                order = {gram: place for place, gram in enumerate(sorted(world.occurrences(n)))}
                even = world.activations((layer, neuron), n, 0)
                for gram, count in world.activations((layer, neuron), n).items():
                    rows.append((layer, neuron, n, order[gram], count, even[gram]))
            names = ["layer", "neuron", "n", "ngram", "activations", "activations_even"]
            yield polars.DataFrame(rows, schema=dict.fromkeys(names, polars.Int32), orient="row")

    return read
