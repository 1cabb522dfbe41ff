"""How many jobs of each rule a finding takes, if it is the only one asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

CORE, EXTRA = "core", "extra"

Jobs = dict[str, int]
"""By rule, in the order of the data."""


@dataclass(frozen=True)
class Shape:
    """What the number of jobs depends on.

    Attributes:
        core, extra: shards of each part.
        stages: of a shard.
        covered: how many of them, from the first, count n-grams.
        trained: whether the workflow trains the model.
        by_position: how many domains of the shards are counted by position.
        downloads: jobs of the Hub, as in `neuroncensus.report.terms.Settings`.
    """

    core: int
    extra: int
    stages: int
    covered: int
    trained: bool
    by_position: int = 0
    downloads: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def downloaded(self, parts: tuple[str, ...], what: str = "") -> Jobs:
        """Jobs of the Hub for the text of some parts, or for `what` else there is."""
        return dict(self.downloads.get(("all" if EXTRA in parts else "core") + what, {}))


def tokenizing(shape: Shape, parts: tuple[str, ...] = (CORE, EXTRA)) -> Jobs:
    """Text to windows, with the training of a tokenizer that is not there yet."""
    training = {"train_tokenizer": 1, "pack_text": 2, "train_model": 1} if shape.trained else {}
    before = shape.downloaded(parts, " text") | training
    return before | {"tokenize_shard": (CORE in parts) * shape.core + (EXTRA in parts) * shape.extra}


def collection(shape: Shape, stages: int, parts: tuple[str, ...] = (CORE, EXTRA)) -> Jobs:
    """The first `stages` of all shards of some parts, core among them."""
    text = tokenizing(shape, parts)
    shards = text["tokenize_shard"]
    last = int(stages == shape.stages)
    collect = {"collect_stage": (stages - last) * shards, "collect_last_stage": last * shards}
    # The model's files are more of the same rules, which keep their place in front.
    before = text | shape.downloaded(parts) | {"describe_model": 1, "record_source": 1, "order_ngrams": shape.core}
    return before | {rule: jobs for rule, jobs in collect.items() if jobs}


def frequencies(shape: Shape) -> Jobs:
    """`frequency.parquet`: every stage of everything."""
    return collection(shape, shape.stages) | {"reduce_stage": shape.stages, "reduce_frequency": 1}


def dead(shape: Shape) -> Jobs:
    """`dead.pdf`."""
    return frequencies(shape) | {"prove_dead": 1, "classify_dead": 1, "plot_dead": 1}


def _ngrams(shape: Shape) -> Jobs:
    return {"index_ngrams": 1, "reduce_ngrams": 1, "recollect_ngrams": shape.core, "complete_ngrams": 1}


def coverage(shape: Shape) -> Jobs:
    """`coverage.pdf`: the stages covered, of extra too, as it says who is alive."""
    before = collection(shape, shape.covered) | {"reduce_stage": shape.covered} | _ngrams(shape)
    return before | {"classify_coverage": 1, "plot_coverage": 1}


def detectors(shape: Shape) -> Jobs:
    """`detectors.pdf`: the stages covered, of core alone."""
    return collection(shape, shape.covered, (CORE,)) | _ngrams(shape) | {"classify_detectors": 1, "plot_detectors": 1}


def positional(shape: Shape) -> Jobs:
    """`positional.pdf`: every stage of the shards of the domains counted by position, which are those of `shape`."""
    reduced = {"reduce_positions": shape.by_position * shape.stages}
    return collection(shape, shape.stages) | reduced | {"classify_positional": 1, "plot_positional": 1}


def updates(shape: Shape) -> Jobs:
    """`updates.pdf`: behind the detectors."""
    before = detectors(shape)
    del before["plot_detectors"]
    return before | {"project_updates": 1, "classify_trigger_updates": 1, "collect_ablation": 1, "plot_updates": 1}


def saturation(shape: Shape) -> Jobs:
    """`saturation.pdf`: behind dead neurons."""
    before = dead(shape)
    del before["plot_dead"]
    return before | {"estimate_saturation": 1, "plot_saturation": 1}


def everything(shape: Shape) -> Jobs:
    """A bare run: what several findings share is done once, and dead neurons take the most of it."""
    ngrams = detectors(shape) | coverage(shape)
    others = updates(shape) | saturation(shape)
    by_position = positional(shape) | {"find_full_windows": 1} if shape.by_position else {}
    joined = {"join_summary": 1, "join_neurons": 1, "join_provenance": 1, "write_scorecard": 1, "write_browser": 1}
    return dead(shape) | ngrams | by_position | others | dead(shape) | joined
