"""Every parquet file that users or jobs read, column by column, in one place.

Tables are sorted by their key columns in the order given. Counts are int64; layer, neuron and n integers;
floats float64; a missing value is null.
"""

from dataclasses import dataclass

import pyarrow

INT = pyarrow.int64()
FLOAT = pyarrow.float64()
BOOL = pyarrow.bool_()
TEXT = pyarrow.string()


@dataclass(frozen=True)
class Table:
    """A kind of file: what a row is, and its columns as (name, type, meaning); `keys` of them come first and sort the rows."""

    row: str
    keys: int
    columns: tuple[tuple[str, pyarrow.DataType, str], ...]

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [name for name, _, _ in self.columns]

    @property
    def schema(self) -> pyarrow.Schema:
        """The arrow schema."""
        return pyarrow.schema([(name, kind) for name, kind, _ in self.columns])


LAYER = ("layer", INT, "layer of the neuron, from 0")
NEURON = ("neuron", INT, "coordinate of the hidden layer of the FFN, from 0")

COUNTERS = Table(
    "neuron of one stage's layers, in one shard",
    2,
    (
        LAYER,
        NEURON,
        ("activations", INT, "positions at which the neuron is active, BOS included"),
        ("activations_bos", INT, "those at BOS"),
        ("documents_inside", INT, "documents with the neuron active at a text position, the shard's first and last document left out"),
        ("first_document_active", BOOL, "active at a text position of the shard's first document"),
        ("last_document_active", BOOL, "active at a text position of the shard's last document"),
    ),
)

COUNTS = pyarrow.list_(pyarrow.int32())

NGRAM_COUNTERS = Table(
    "neuron of a layer whose n-grams are counted × n × rotated, in one shard",
    4,
    (
        LAYER,
        NEURON,
        ("n", INT, "tokens of an n-gram"),
        ("rotated", BOOL, "the null: n-grams rotated against the activations of each window"),
        ("activations", INT, "activations at positions that end an n-gram"),
        ("covered", INT, "how many of them any K n-grams have at most; K stands in the file's metadata"),
        ("kept", BOOL, "whether the pairs stand here"),
        ("ngrams", COUNTS, "n-grams with the neuron active, as rows of the shard's n-gram file with this n, ascending; none if not kept"),
        ("counts", COUNTS, "its activations on each"),
        ("counts_even", COUNTS, "those in documents of even number; zero where rotated"),
    ),
)

OPEN_NGRAMS = Table(
    "neuron × n × rotated whose n-grams have to be collected again",
    4,
    (LAYER, NEURON, ("n", INT, "tokens of an n-gram"), ("rotated", BOOL, "n-grams rotated against the activations")),
)

NGRAM_INDEX = Table(
    "n-gram that occurs in core",
    2,
    (
        ("n", INT, "tokens of the n-gram"),
        ("ngram", COUNTS, "their ids; rows of one n are in the order of these lists"),
        ("occurrences", INT, "positions of core that end it"),
        ("occurrences_even", INT, "those in documents of even number"),
    ),
)

COVERING = Table(
    "neuron of a layer covered × n",
    3,
    (
        LAYER,
        NEURON,
        ("n", INT, "tokens of an n-gram"),
        ("activations", INT, "activations in core at positions that end an n-gram: A"),
        ("activations_even", INT, "those in documents of even number; null where more than K n-grams are needed"),
        ("covering", INT, "n-grams that cover the share of A; null if more than K, or A is 0"),
        ("null_activations", INT, "A where n-grams are rotated against the activations; null if that is not asked for"),
        ("null_covering", INT, "covering of the rotated activations; null if more than K, null_activations is 0 or null"),
    ),
)

POSITION_COUNTERS = Table(
    "neuron of one stage's layers, in one shard",
    2,
    (LAYER, NEURON, ("windows_active", COUNTS, "full windows with the neuron active at each position")),
)

FREQUENCY = Table(
    "neuron × part × domain",
    4,
    (
        LAYER,
        NEURON,
        ("part", TEXT, "core or extra"),
        ("domain", TEXT, "where the text comes from"),
        ("tokens", INT, "positions, BOS included"),
        ("activations", INT, "positions at which the neuron is active"),
        ("activations_bos", INT, "those at BOS"),
        ("documents", INT, "documents with at least one window"),
        ("documents_active", INT, "documents with the neuron active at a text position"),
    ),
)

BOUND = ("bound", FLOAT, "largest pre-activation that any input can give; null where the FFN's input is no LayerNorm's output")
DEPTH = ("depth", FLOAT, "-(w.b + bias) / |c(w*g)|, how far below zero: at least sqrt(d) where proved; null where the neuron reads nothing")
PROVED = ("provably_dead", BOOL, "bound is below zero by more than rounding can be: no input makes the neuron active")

BOUNDS = Table("neuron", 2, (LAYER, NEURON, BOUND, DEPTH, PROVED))

DEAD = Table(
    "neuron",
    2,
    (
        LAYER,
        NEURON,
        ("tokens", INT, "positions of core and extra, BOS included"),
        ("activations", INT, "positions at which the neuron is active"),
        ("activations_bos", INT, "those at BOS"),
        ("frequency", FLOAT, "activations / tokens"),
        ("dead", BOOL, "no activation at all"),
        ("bos_only", BOOL, "active, but at BOS only"),
        BOUND,
        DEPTH,
        PROVED,
        ("documents", INT, "documents with at least one window"),
        ("documents_active", INT, "documents with the neuron active at a text position"),
    ),
)

COVERAGE = Table(
    "neuron of a layer covered that is alive on core and extra × n",
    3,
    (
        LAYER,
        NEURON,
        ("n", INT, "tokens of an n-gram"),
        ("activations", INT, "activations in core at positions that end an n-gram: A"),
        ("covering", INT, "least number of n-grams that have the share of A; null above the last edge, and if A is 0"),
        ("class", TEXT, "covering between two edges (`6-20`), above the last (`over 500`), or `not seen`: A is 0"),
        ("null_class", TEXT, "class where n-grams are rotated against the activations; null if that is not asked for"),
    ),
)

DETECTORS = Table(
    "detector × n",
    3,
    (
        LAYER,
        NEURON,
        ("n", INT, "tokens of an n-gram"),
        ("activations", INT, "activations in core at positions that end an n-gram: A"),
        ("covering", INT, "least number of n-grams that have the share of A for covering"),
        ("detected", INT, "n-grams at whose occurrences the neuron is active, all but few"),
        ("share", FLOAT, "share of A on them"),
        ("strict", BOOL, "every n-gram of the covering set is a detected one"),
        ("held_out_rate", FLOAT, "of n-grams detected on even documents: activations / occurrences in odd ones; null if none occurs there"),
        ("held_out_share", FLOAT, "share that these activations have of A in odd documents; null if the neuron has none there"),
    ),
)

DETECTOR_NGRAMS = Table(
    "detected n-gram of a detector",
    4,
    (
        LAYER,
        NEURON,
        ("n", INT, "tokens of the n-gram"),
        ("ngram", COUNTS, "their ids"),
        ("text", TEXT, "their text; spaces (`␣`), line ends (`⏎`) and the like visible, bytes of no whole character as `<0xE2>`"),
        ("occurrences", INT, "positions of core that end it"),
        ("activations", INT, "those at which the neuron is active"),
        ("rate_lower", FLOAT, "lower end of the Wilson 95% interval of activations / occurrences"),
        ("in_covering", BOOL, "it is in the covering set"),
    ),
)

SHARES = pyarrow.list_(FLOAT)

POSITIONAL = Table(
    "neuron",
    2,
    (
        LAYER,
        NEURON,
        ("windows", INT, "full windows, of all domains under `positions`"),
        ("fr", FLOAT, "share of their positions at which the neuron is active"),
        ("mutual_information", FLOAT, "what its activity tells of the position, in nats"),
        ("mutual_information_text", FLOAT, "the same over text positions alone; null in windows of one position"),
        ("mutual_information_corrected", FLOAT, "the first less its bias from few windows (Miller-Madow)"),
        ("positional", BOOL, "above the threshold; in windows under 256 positions the second is compared"),
        ("unreliable", BOOL, "fewer windows than 5 / threshold"),
        ("type", TEXT, "`oscillatory`, `both`, `one` or `other`, by its extreme intervals; null if not positional"),
        ("strong", BOOL, "the type holds with the strong threshold; of `other`, its neighbourhood explains it; null if not positional"),
        ("changes", INT, "changes between low and high extreme intervals"),
        (
            "domain_correlation",
            FLOAT,
            "lowest correlation of two domains' smoothed curves; null if not positional, one is constant, or under two have 30 windows",
        ),
    ),
)

PROFILES = Table(
    "positional neuron × domain",
    3,
    (
        LAYER,
        NEURON,
        ("domain", TEXT, "domain under `positions`; `all` of them together first"),
        ("windows", INT, "full windows"),
        ("fr", SHARES, "share of them in which the neuron is active at each position, BOS first"),
    ),
)

IDS = pyarrow.list_(pyarrow.int32())

UPDATES = Table(
    "neuron",
    2,
    (
        LAYER,
        NEURON,
        ("norm", FLOAT, "length of its update, the neuron's column of the FFN's second matrix"),
        ("promoted", IDS, "tokens with the largest logits, the largest first, ties to the lower id"),
        ("promoted_logits", SHARES, "their logits: rows of the output embedding times the update"),
        ("suppressed", IDS, "tokens with the smallest logits, the smallest first, ties to the lower id"),
        ("suppressed_logits", SHARES, "their logits"),
        (
            "promoted_scaled",
            IDS,
            "`promoted` with the final LayerNorm's centring and gain; null, as the next three, without that LayerNorm",
        ),
        ("promoted_logits_scaled", SHARES, "their logits"),
        ("suppressed_scaled", IDS, "`suppressed` with the final LayerNorm's centring and gain"),
        ("suppressed_logits_scaled", SHARES, "their logits"),
        ("mean_logit", FLOAT, "mean logit of all tokens, which a centred logit lacks"),
        ("kurtosis", FLOAT, "excess kurtosis of the tokens' centred logits; null where they do not differ"),
        (
            "read_write_cosine",
            FLOAT,
            "cosine of its row of the first matrix, times the LayerNorm's gain, and its update; null if one is zero",
        ),
    ),
)

TRIGGER_UPDATES = Table(
    "token detector",
    2,
    (
        LAYER,
        NEURON,
        ("detected", INT, "tokens that it detects"),
        ("mean_logit", FLOAT, "mean logit of its update over them"),
        ("mean_logit_scaled", FLOAT, "the same with the final LayerNorm's centring and gain; null without that LayerNorm"),
        ("mean_logit_centred", FLOAT, "mean_logit less the mean over all tokens"),
        ("suppresses_trigger", BOOL, "mean_logit is below 0"),
        ("all_suppressed", BOOL, "every detected token's logit is below 0"),
        ("suppresses_centred", BOOL, "mean_logit_centred is below 0"),
        ("trigger_rank", FLOAT, "median over detected tokens of how many tokens have a smaller logit: 0 is the most suppressed"),
        (
            "null_suppresses",
            FLOAT,
            "of the layer's token detectors with other tokens: share whose mean logit is below 0; null if there is none",
        ),
        ("null_suppresses_centred", FLOAT, "the same of centred logits"),
    ),
)

ABLATION = Table(
    "token detector × sampled context in which it is active",
    6,
    (
        LAYER,
        NEURON,
        ("domain", TEXT, "domain of core"),
        ("shard", INT, "shard of the domain, from 0"),
        ("window", INT, "window of the shard, from 0"),
        ("position", INT, "position in the window; BOS is 0"),
        ("document", INT, "document of the domain, from 0"),
        ("token", INT, "id of the token there: the trigger"),
        ("value", FLOAT, "the detector's value there"),
        ("log_probability", FLOAT, "of the trigger as the next token, nothing zeroed"),
        ("log_probability_change", FLOAT, "with the detector zeroed there, less that"),
        ("logit_change", FLOAT, "the same of the trigger's logit less the mean logit of all tokens"),
        ("matched", INT, "matched neurons: active there too, in the same layer"),
        ("matched_log_probability_change", FLOAT, "mean change with each of them zeroed instead; null if they are fewer than 3"),
        ("matched_logit_change", FLOAT, "mean change with each of them zeroed instead; null if they are fewer than 3"),
    ),
)

SATURATION = Table(
    "layer, or all of them (null) × number of documents drawn, or shard",
    3,
    (
        ("layer", INT, "layer, from 0; null: all layers together"),
        ("kind", TEXT, "`rarefaction`: so many documents drawn from all; `shard`: this shard and those before it"),
        ("documents", INT, "documents with at least one window"),
        ("part", TEXT, "part of the shard, core or extra; null of rarefaction, as the next two"),
        ("domain", TEXT, "domain of the shard"),
        ("shard", INT, "its number in the domain, from 0"),
        ("tokens", INT, "positions, BOS included; of rarefaction expected, rounded down"),
        ("alive", FLOAT, "neurons active at a text position: expected, or seen"),
        ("neurons", INT, "neurons of the layer"),
        ("chao2", FLOAT, "dead neurons that more text of this mix would wake, at least (Chao2); the same in all rows of a layer"),
        ("chao2_lower", FLOAT, "lower end of its 95% interval; null where chao2 has none"),
        ("chao2_upper", FLOAT, "upper end"),
        ("rate_bound", FLOAT, "95% bound on the rate per document of a neuron not seen in so many documents"),
    ),
)

TABLES = {
    "frequency": FREQUENCY,
    "dead": DEAD,
    "coverage": COVERAGE,
    "detectors": DETECTORS,
    "detector_ngrams": DETECTOR_NGRAMS,
    "updates": UPDATES,
    "trigger_updates": TRIGGER_UPDATES,
    "ablation": ABLATION,
    "saturation": SATURATION,
}
