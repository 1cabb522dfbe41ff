"""How much disk a census takes at most, from the shapes alone."""

from collections.abc import Sequence

from neuroncensus.collect.stages import first_half
from neuroncensus.models.architecture import Architecture
from neuroncensus.report.jobcounts import CORE
from neuroncensus.report.jobmemory import ITEMSIZE
from neuroncensus.report.terms import Domain, Settings

# Uncompressed, at most: a row of a shard's counters; of frequency.parquet; of bounds.parquet or dead.parquet; of the tables
# of n-grams that cover a neuron.
COUNTER_ROW, FREQUENCY_ROW, NEURON_ROW, COVERING_ROW = 42, 80, 130, 200
# A neuron's updates: four lists of 10 tokens and their logits, and three numbers; half of it without a final LayerNorm.
UPDATE_ROW = 520
# A row of neurons.parquet: its columns of all n, and those of each n of a layer covered.
JOINED_ROW, JOINED_NGRAM_ROW = 330, 90
# A neuron's part of the browser's page, as files: made-up findings at 66b size took 301, opt-nano's 260.
BROWSER_ROW = 330
# A window's document and start beside its tokens of 4 bytes.
WINDOW_ROW = 20
# As files, measured on the text and the neurons of opt-nano: a position in the order by n-gram; a distinct n-gram in its shard
# and in the index of all; a neuron's n-grams of one n, as they are or rotated, in one shard (238 there).
ORDER_ROW, NGRAM_ROW, NGRAM_COUNTER = 10, 14, 300
# A neuron's count at one position in one shard, as files: between a half and one where a shard has a few hundred full windows.
POSITION_COUNTER = 1


def covered_layers(architecture: Architecture, settings: Settings) -> int:
    """How many layers have their n-grams counted."""
    return architecture.n_layers if settings.layers == "all" else len(first_half(architecture.n_layers))


def disk_taken(
    architecture: Architecture, domains: Sequence[Domain], window: int, settings: Settings, checkpoint: int
) -> list[tuple[str, int, str]]:
    """(what, bytes, note) of everything that is written; `checkpoint`: bytes of the model's."""
    positions, shards = sum(domain.tokens for domain in domains), sum(domain.shards for domain in domains)
    core = [domain for domain in domains if domain.part == CORE]
    neurons, covered, size = (
        architecture.n_layers * architecture.ffn,
        covered_layers(architecture, settings) * architecture.ffn,
        ITEMSIZE[settings.dtype],
    )
    boundaries = settings.stages - 1
    kept = (boundaries if settings.keep_hidden else min(boundaries, 1)) * positions
    # A job between two boundaries has the file that it reads and the one that it writes.
    both = 0 if settings.keep_hidden or boundaries < 2 else max(min(domain.tokens, settings.shard_tokens) for domain in domains)
    note = "all boundaries, kept" if settings.keep_hidden else "at once, if every shard waits for its next stage; temporary"
    ordered = sum(domain.tokens for domain in core) * (ORDER_ROW + NGRAM_ROW * len(settings.n))
    pairs = NGRAM_COUNTER * covered * settings.series * sum(domain.shards for domain in core)
    by_position = POSITION_COUNTER * neurons * window * sum(domain.shards for domain in domains if domain.positions)
    results = neurons * (2 * FREQUENCY_ROW * len(domains) + 2 * NEURON_ROW) + covered * len(settings.n) * COVERING_ROW
    results += neurons * (UPDATE_ROW + JOINED_ROW) + covered * len(settings.n) * JOINED_NGRAM_ROW
    origins = {"folder": (0, "nothing: read in place"), "training": (checkpoint, "the model that is trained"), "hub": (checkpoint, "once")}
    shared = "shared by models with this tokenizer"
    each = "a neuron, n and shard of core" + (", and again for the null" if settings.rotation_null else "")
    return [
        ("checkpoint to download or to make", *origins[settings.origin]),
        ("windows of tokens", 4 * positions + WINDOW_ROW * -(-positions // window), f"uncompressed, {shared}"),
        ("n-grams of core", ordered, f"if every one occurs once; {shared}"),
        ("hidden states", (kept + both) * architecture.d * size, note),
        ("counters of activations", COUNTER_ROW * neurons * shards, "uncompressed"),
        ("counters of n-grams", pairs, f"{NGRAM_COUNTER} bytes {each}: opt-nano's take 238"),
        ("counters by position", 2 * by_position, "with their sums; kept, so that a grown corpus needs the new shards alone"),
        ("page of the neurons", BROWSER_ROW * neurons, f"{BROWSER_ROW} bytes a neuron: made-up findings of opt-66b's size take 301"),
        ("tables of the findings", results, "uncompressed; detected n-grams, which nobody knows yet, are not in it"),
    ]
