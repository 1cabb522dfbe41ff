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

TABLES = {"frequency": FREQUENCY, "dead": DEAD}
