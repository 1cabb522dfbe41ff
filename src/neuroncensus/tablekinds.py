"""What a table's schema is made of (`neuroncensus.tables` has them all)."""

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
SHARES = pyarrow.list_(FLOAT)
