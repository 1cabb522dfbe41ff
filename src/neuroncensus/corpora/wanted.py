"""Which records of a file are documents: all of them, or those of a data set that pass a filter."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

VALUES_KEPT = 8


@dataclass
class Wanted:
    """What is read of files.

    Attributes:
        field: name of the record's text.
        where: dotted key of a record -> the value that it must have; a record without the key is none of them.
        drop: texts that stand for no text, such as `[deleted]`.
        records: take every file for records, as in a data set; else by its extension.
        seen: of each key of `where`, the first few other values that were met, for the sentence when nothing passes.
        passed_by: how many records were not kept.
    """

    field: str
    where: Mapping[str, object] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    records: bool = False
    seen: dict[str, list[str]] = field(default_factory=dict)
    passed_by: int = 0

    @property
    def filtered(self) -> bool:
        """Whether a record must be looked at to know if it is a document."""
        return bool(self.where or self.drop)

    @property
    def columns(self) -> list[str]:
        """Dotted keys of all that is looked at."""
        return [self.field, *(key for key in self.where if key != self.field)]

    def keeps(self, record: Mapping) -> bool:
        """Whether a record's keys have the values asked for; its text is not looked at."""
        for key, value in self.where.items():
            found = _at(record, key.split("."))
            # A boolean is no number here.
            if found != value or isinstance(found, bool) != isinstance(value, bool):
                shown, values = json.dumps(found, ensure_ascii=False, default=str)[:60], self.seen.setdefault(key, [])
                if shown not in values and len(values) < VALUES_KEPT:
                    values.append(shown)
                self.passed_by += 1
                return False
        return True

    def told(self) -> str:
        """What the records had instead: `meta.pile_set_name` is "Github", "Wikipedia (en)"."""
        return "; ".join(f"`{key}` is {', '.join(values)}" for key, values in self.seen.items())


def _at(record: object, keys: list[str]) -> object:
    """A value by its dotted key; None if there is none."""
    for key in keys:
        if not isinstance(record, Mapping):
            return None
        record = record.get(key)
    return record
