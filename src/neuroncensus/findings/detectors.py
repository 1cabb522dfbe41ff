"""Token and n-gram detectors (sections 4.2, 4.3, A.2, A.3; figures 3, 4, 14, 15).

With `a(g)` a neuron's activations on n-gram g of core and `A = sum a(g)`, a neuron is a detector for n if

1. so many n-grams cover it (`neuroncensus.findings.coverage`): at most 5 for n = 1, 50 for n = 3 (**Choice**: 50 for n = 2 too);
2. its *detected* n-grams are all those on which it is active at a share (0.95) of their occurrences in core or more;
3. the detected n-grams together have a share (0.95) of A or more.

The covering set has the n-grams with the most activations. **Choice**: ties go to the lower n-gram, as a tuple of token ids.

**Beyond the paper**, because an n-gram seen once and hit once is detected by chance: a detector is *strict* if every
n-gram of its covering set is detected; a detected n-gram has `rate_lower`, the lower end of its Wilson interval; and
n-grams detected on the documents of even number are held against those of odd number.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import polars

from neuroncensus.corpora.ngramindex import read_index
from neuroncensus.errors import CensusError
from neuroncensus.findings.agree import check_agree
from neuroncensus.findings.detected import write_detected
from neuroncensus.findings.ngramcounts import NgramCounts, shard_files
from neuroncensus.findings.shares import least
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from neuroncensus.tables import DETECTORS

PairReader = Callable[[polars.DataFrame], Iterator[polars.DataFrame]]
"""Given neurons (`layer`, `neuron`, `n`; sorted), gives all their n-grams with activations, in pieces that hold each neuron
of one n whole, in any order: `layer`, `neuron`, `n`, `ngram` (number in the index: its row among those of this n, from 0),
`activations`, `activations_even` (those in documents of even number)."""

KEYS = ("layer", "neuron", "n")


@dataclass(frozen=True)
class _Rules:
    """Shares: of A for the covering set, of an n-gram's occurrences, of A for the detected n-grams."""

    covering: float
    rate: float
    share: float


@dataclass(frozen=True)
class _Occurrences:
    """How often each n-gram of one n occurs in core, and in documents of even number; (G,) int64 each."""

    all: numpy.ndarray
    even: numpy.ndarray


_NONE = _Occurrences(*numpy.zeros((2, 0), dtype=numpy.int64))


def _ratio(part: str, whole: str) -> polars.Expr:
    return polars.when(polars.col(whole) > 0).then(polars.col(part) / polars.col(whole))


def _candidates(covering: Path, limits: Mapping[int, int]) -> polars.DataFrame:
    """Neurons that pass condition 1."""
    columns = [*KEYS, "activations", "activations_even", "covering"]
    most = polars.DataFrame({"n": list(limits), "most": list(limits.values())}, schema={"n": polars.Int64, "most": polars.Int64})
    table = polars.DataFrame(read_table(covering, columns)).join(most, on="n", maintain_order="left")
    return (
        table.filter(polars.col("covering") <= polars.col("most")).rename({"activations": "A", "activations_even": "A_even"}).drop("most")
    )


def _judge(piece: polars.DataFrame, found: _Occurrences, rules: _Rules) -> tuple[polars.DataFrame, polars.DataFrame]:
    """Neurons of one n with what conditions 2 and 3 ask about, a row each, and their detected n-grams.

    Args:
        piece: pairs, with the neuron's `A`, `A_even` and `covering` in each.
    """
    place = piece["ngram"].to_numpy()
    known = place < len(found.all)
    occurrences, occurrences_even = (numpy.where(known, counts.take(place, mode="clip"), 0) for counts in (found.all, found.even))
    hits, hits_even = (piece[name].to_numpy() for name in ("activations", "activations_even"))
    hits_odd, occurrences_odd = hits - hits_even, occurrences - occurrences_even
    pairs = piece.with_columns(
        polars.Series("occurrences", occurrences),
        polars.Series("occurrences_odd", occurrences_odd),
        polars.Series("activations_odd", hits_odd),
        polars.Series("is_detected", hits >= least(occurrences, rules.rate)),
        polars.Series("detected_even", (occurrences_even > 0) & (hits_even >= least(occurrences_even, rules.rate))),
        polars.Series("possible", (hits_even <= occurrences_even) & (hits_odd <= occurrences_odd)),
    ).sort(*KEYS, "activations", "ngram", descending=[False, False, False, True, False])
    pairs = pairs.with_columns(in_covering=polars.int_range(polars.len()).over(KEYS) < polars.col("covering"))
    activations, covered = polars.col("activations"), polars.col("activations").filter("in_covering")
    neurons = pairs.group_by(KEYS, maintain_order=True).agg(
        polars.col("A", "A_even", "covering").first(),
        activations.sum().alias("sum"),
        polars.col("activations_even").sum().alias("sum_even"),
        covered.sum().alias("covered"),
        covered.last().alias("last_covered"),
        polars.col("possible").all(),
        polars.col("is_detected").sum().cast(polars.Int64).alias("detected"),
        activations.filter("is_detected").sum().alias("on_detected"),
        polars.col("is_detected").filter("in_covering").all().alias("strict"),
        polars.col("activations_odd", "occurrences_odd").filter("detected_even").sum(),
    )
    needed = polars.Series("needed", least(neurons["A"].to_numpy(), rules.covering))
    adds_up = (polars.col("sum") == polars.col("A")) & (polars.col("sum_even") == polars.col("A_even")) & polars.col("possible")
    is_least = (polars.col("covered") >= needed) & (polars.col("covered") - polars.col("last_covered") < needed)
    neurons = neurons.with_columns(
        agrees=adds_up & is_least,
        passes=polars.col("on_detected") >= polars.Series(least(neurons["A"].to_numpy(), rules.share)),
    )
    detected = pairs.filter("is_detected").join(neurons.filter("passes"), on=KEYS, how="semi")
    return neurons, detected.select(*KEYS, "ngram", "occurrences", "activations", "in_covering")


def _judge_all(
    pairs: PairReader, candidates: polars.DataFrame, occurrences: Mapping[int, _Occurrences], rules: _Rules
) -> tuple[polars.DataFrame, polars.DataFrame]:
    """`_judge` of every candidate, sorted by their keys and by n-gram; nothing is asked for if there is none."""
    nothing = polars.DataFrame(schema=dict.fromkeys([*KEYS, "ngram", "activations", "activations_even"], polars.Int64))
    pieces = pairs(candidates.select(KEYS)) if len(candidates) else iter([])
    judged = [_judge(nothing.join(candidates, on=KEYS), _NONE, rules)]
    for piece in pieces:
        joined = piece.select(nothing.columns).cast(polars.Int64).join(candidates, on=KEYS)
        judged += [_judge(part, occurrences.get(part["n"][0], _NONE), rules) for part in joined.partition_by("n")]
    neurons, detected = (polars.concat(frames) for frames in zip(*judged, strict=True))
    return neurons.sort(KEYS), detected.sort(*KEYS, "ngram")


def _check(neurons: polars.DataFrame, candidates: polars.DataFrame, covering: Path, index: Path) -> None:
    """Every candidate came once, whole, and its n-grams are those of the index."""
    seen = candidates.join(neurons.select(*KEYS, "agrees"), on=KEYS, how="left", maintain_order="left")
    wrong = seen.filter(~polars.col("agrees").fill_null(False) | (polars.len().over(KEYS) > 1))
    if len(wrong):
        row = wrong.row(0, named=True)
        raise CensusError(
            f"the counts of n-grams with n = {row['n']} of layer {row['layer']} neuron {row['neuron']} do not fit {covering} and {index}: "
            "delete these files and run again"
        )


def classify_counted(counters: Sequence[Path], ngrams: Sequence[Path], again: Sequence[Path], *, index: Path, **asked) -> None:
    """`classify_detectors` with the counters that the collection wrote.

    Args:
        counters, ngrams, again: of every shard of core, as `neuroncensus.findings.ngrams.complete_ngrams` takes them.
        index: a file of `neuroncensus.tables.NGRAM_INDEX`.
        asked: as `classify_detectors` takes it.
    """
    counts = NgramCounts(shard_files(counters, ngrams, again), read_index(index))
    classify_detectors(pairs=counts.pairs, index=index, **asked)


def classify_detectors(
    covering: Path,
    pairs: PairReader,
    index: Path,
    tokenizer: Path,
    covering_limits: Mapping[int, int],
    rate: float,
    share: float,
    out: Path,
    out_ngrams: Path,
) -> None:
    """Make `detectors.parquet` and `detector_ngrams.parquet`.

    Args:
        covering: a file of `neuroncensus.tables.COVERING`.
        pairs: reads the n-grams of the neurons that pass condition 1.
        index: a file of `neuroncensus.tables.NGRAM_INDEX`, of the same text.
        tokenizer: folder of the tokenizer, in Hugging Face layout.
        covering_limits: for each n the highest covering of a detector.
        rate: share of an n-gram's occurrences at which it must activate a neuron that detects it.
        share: share of A that the detected n-grams must have together.
        out: `detectors.parquet`, sorted by layer, neuron and n. Its metadata are those of `covering`, with the `n` asked
            about, `detector_covering` (for each n), `detector_rate`, `detector_share`, and for each n `positions` (of core
            that end an n-gram) and `ngrams` (distinct ones).
        out_ngrams: `detector_ngrams.parquet`, sorted by layer, neuron, n and n-gram; the same metadata.

    Raises:
        CensusError: `covering` was not collected for such n or for so many n-grams, or the files do not fit each other.
    """
    metadata = read_metadata(covering)
    check_agree((covering, metadata), (index, read_metadata(index)))
    for n, limit in covering_limits.items():
        if n not in metadata["n"] or limit > metadata["most"]:
            raise CensusError(
                f"{covering} is of n = {metadata['n']} and covering numbers up to {metadata['most']}, but detectors.covering asks for "
                f"{limit} with n = {n}: delete it and run again"
            )
    rules = _Rules(metadata["share"], rate, share)
    candidates, ngrams = _candidates(covering, covering_limits), read_index(index)
    occurrences = {
        n: _Occurrences(*(frame[name].to_numpy() for name in ("occurrences", "occurrences_even"))) for n, frame in ngrams.items()
    }
    neurons, detected = _judge_all(pairs, candidates, occurrences, rules)
    _check(neurons, candidates, covering, index)
    sizes = sorted(covering_limits)
    of_sizes = [occurrences.get(n, _NONE).all for n in sizes]
    told = {key: value for key, value in metadata.items() if key != "kind"} | {
        "n": sizes,
        "detector_covering": [covering_limits[n] for n in sizes],
        "detector_rate": rate,
        "detector_share": share,
        "positions": [int(counts.sum()) for counts in of_sizes],
        "ngrams": [len(counts) for counts in of_sizes],
    }
    table = neurons.filter("passes").with_columns(
        activations=polars.col("A"),
        share=polars.col("on_detected") / polars.col("A"),
        odd=polars.col("A") - polars.col("A_even"),
        held_out_rate=_ratio("activations_odd", "occurrences_odd"),
    )
    table = table.with_columns(held_out_share=_ratio("activations_odd", "odd")).select(DETECTORS.names)
    write_table(table.to_arrow().cast(DETECTORS.schema), out, told)
    write_detected(detected, ngrams, tokenizer, out_ngrams, told)


def _newness(ngrams: polars.DataFrame, n: int) -> dict[str, dict[int, int]]:
    """By layer: distinct detected n-grams, and how many of them are in no layer below, and not in the layer before."""
    tokens = [f"token {place}" for place in range(n)]
    each = [polars.col("ngram").list.get(place).alias(name) for place, name in enumerate(tokens)]
    distinct = ngrams.select("layer", *each).unique()
    first = distinct.group_by(tokens).agg(polars.col("layer").min())
    after = distinct.join(distinct.with_columns(polars.col("layer") + 1), on=["layer", *tokens], how="anti")
    frames = {"ngrams": distinct, "new_overall": first, "new_against_previous": after}
    return {name: dict(frame.group_by("layer").len().iter_rows()) for name, frame in frames.items()}


def summarize_detectors(detectors: polars.DataFrame, ngrams: polars.DataFrame, metadata: dict) -> dict:
    """Every number of figures 3, 4, 14 and 15.

    Args:
        detectors: `detectors.parquet`.
        ngrams: `detector_ngrams.parquet`.
        metadata: of either file.

    Returns:
        For each n, as a text, `overall` and a list `layers` of all layers covered: `detectors` and how many of them
        are `strict`; `ngrams`, distinct n-grams that they detect; by layer also `cumulative` (distinct ones of this and
        all layers below), and of the layer's own `new_overall` (in no layer below) and `new_against_previous` (not in the
        layer before); overall also the medians over detectors of `held_out_rate` and `held_out_share`, null if there is none.
    """
    summary = {}
    for n in metadata["n"]:
        found, newness = detectors.filter(polars.col("n") == n), _newness(ngrams.filter(polars.col("n") == n), n)
        counts = {layer: pair for layer, *pair in found.group_by("layer").agg(polars.len(), polars.col("strict").sum()).iter_rows()}
        layers, cumulative = [], 0
        for layer in range(metadata["layers_covered"]):
            number, strict = counts.get(layer, (0, 0))
            new = {name: of_layer.get(layer, 0) for name, of_layer in newness.items()}
            cumulative += new["new_overall"]
            layers.append({"layer": layer, "detectors": number, "strict": strict, "cumulative": cumulative} | new)
        medians = {name: found[name].median() for name in ("held_out_rate", "held_out_share")}
        overall = {"detectors": len(found), "strict": int(found["strict"].sum()), "ngrams": cumulative, **medians}
        summary[str(n)] = {"overall": overall, "layers": layers}
    return summary
