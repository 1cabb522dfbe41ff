"""Tables that are sorted by layer, read a layer at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars

from neuroncensus.tablefiles import read_row_groups
from neuroncensus.tablekinds import Table


def by_layer(path: Path, columns: Sequence[str]) -> Iterator[polars.DataFrame]:
    """The rows of a table that is sorted by layer, those of a layer together."""
    held: list[polars.DataFrame] = []
    for piece in read_row_groups(path, columns):
        for part in polars.DataFrame(piece).partition_by("layer", maintain_order=True):
            if held and held[0]["layer"][0] != part["layer"][0]:
                yield polars.concat(held)
                held = []
            held.append(part)
    if held:
        yield polars.concat(held)


class Layers:
    """The columns of a table that are wanted, to be asked for its layers in rising order; a table without a file has no rows."""

    def __init__(self, path: Path | None, table: Table, columns: Sequence[str]):
        self.nothing = polars.DataFrame(table.schema.empty_table().select(columns))
        self._parts = iter([]) if path is None else by_layer(path, columns)
        self._next = next(self._parts, None)

    def rows(self, layer: int) -> polars.DataFrame:
        """The rows of a layer, which may be none."""
        if self._next is None or self._next["layer"][0] != layer:
            return self.nothing
        found, self._next = self._next, next(self._parts, None)
        return found
