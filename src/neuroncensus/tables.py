"""Every parquet file that users or jobs read, column by column, in one place.

Tables are sorted by their key columns in the order given. Counts are int64; layer, neuron and n integers;
floats float64; a missing value is null.
"""

from collections.abc import Sequence

import pyarrow

from neuroncensus.tablekinds import BOOL, FLOAT, INT, LAYER, NEURON, SHARES, TEXT, Table
from neuroncensus.updatetables import ABLATION, SATURATION, TRIGGER_UPDATES, UPDATES

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
        ("kept", BOOL, "whether the pairs of the neuron and n-grams stand here"),
        ("pairs", INT, "how many do: the n-grams with the neuron active"),
        (
            "packed",
            pyarrow.binary(),
            "these, as rows of the shard's n-gram file with this n, activations on each, and those in documents of even number, zero "
            "where rotated; as `neuroncensus.pairs`",
        ),
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
    (
        LAYER,
        NEURON,
        # As lists they take three times as long to write, ten times as long to read, and a model of 66b has 5e9 a shard.
        ("windows_active", pyarrow.binary(), "full windows with the neuron active at each position, as `neuroncensus.tablefiles.packed`"),
    ),
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
        ("domain", TEXT, "domain under `positions`, or `all` of them together"),
        ("windows", INT, "full windows"),
        ("fr", SHARES, "share of them in which the neuron is active at each position, BOS first"),
    ),
)

# Names that columns of `trigger_updates.parquet` have in `neurons.parquet`, where they would be those of the whole vocabulary.
TRIGGER_NAMES = {name: f"trigger_{name}" for name in ("mean_logit", "mean_logit_scaled", "mean_logit_centred")}

# Of the contexts of a detector (`neuroncensus.findings.ablation`).
MEANS = (
    ("contexts", INT, "contexts in which it was zeroed"),
    ("log_probability_change", FLOAT, "mean over them of the change of the trigger's log-probability"),
    ("matched_log_probability_change", FLOAT, "of matched neurons, over the contexts that have at least 3"),
    ("log_probability_change_difference", FLOAT, "of the detector less that of its matched neurons, over the same contexts"),
    ("logit_change", FLOAT, "mean over its contexts of the change of the trigger's logit"),
    ("matched_logit_change", FLOAT, "of matched neurons, over the contexts that have at least 3"),
    ("logit_change_difference", FLOAT, "of the detector less that of its matched neurons, over the same contexts"),
)


def neurons_table(sizes: Sequence[int | str]) -> Table:
    """What is one value per neuron in the other tables, side by side.

    Args:
        sizes: each n of `coverage.n`; a letter where the columns are described and not made.
    """
    flag = ("detector", BOOL, "whether it is a detector; if not, the next five are null")
    of_ngrams = (*COVERAGE.columns[3:], flag, *DETECTORS.columns[5:])
    by_n = [(f"{name}_{n}", kind, meaning) for n in sizes for name, kind, meaning in of_ngrams]
    written = [column for column in UPDATES.columns[2:] if not pyarrow.types.is_list(column[1])]
    # How many tokens it detects stands among the detectors of n = 1.
    triggers = [(TRIGGER_NAMES.get(name, name), kind, meaning) for name, kind, meaning in TRIGGER_UPDATES.columns[3:]]
    means = [(f"ablation_{name}", kind, meaning) for name, kind, meaning in MEANS]
    return Table(
        "neuron: what is one value per neuron in the tables above. Columns that end in `_n` are there for each n of `coverage.n`; they are "
        "null of dead neurons and of layers that are not covered. Those from `trigger_mean_logit` on are null of neurons that detect no "
        "token, those from `ablation_contexts` on also of detectors that were not zeroed, and those from `windows` on only where there "
        "is no `positional.parquet`",
        2,
        (*DEAD.columns, *by_n, *written, *triggers, *means, *POSITIONAL.columns[2:]),
    )


TABLES = {
    "frequency": FREQUENCY,
    "dead": DEAD,
    "coverage": COVERAGE,
    "detectors": DETECTORS,
    "detector_ngrams": DETECTOR_NGRAMS,
    "positional": POSITIONAL,
    "profiles": PROFILES,
    "updates": UPDATES,
    "trigger_updates": TRIGGER_UPDATES,
    "ablation": ABLATION,
    "saturation": SATURATION,
    "neurons": neurons_table(["n"]),
}
