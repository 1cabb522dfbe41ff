"""Parquet files with their settings inside: the same bytes every time, whole or absent, checked when read."""

import hashlib
import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow
from pyarrow import parquet

from neuroncensus.errors import CensusError
from neuroncensus.files import atomic_path

METADATA = b"neuroncensus"
DIGEST = b"neuroncensus.sha256"


def _type_name(kind: pyarrow.DataType) -> str:
    """The type without the name of a list's items, which parquet does not keep."""
    return f"list<{_type_name(kind.value_type)}>" if isinstance(kind, pyarrow.ListType) else str(kind)


def _digest(settings: bytes, schema: pyarrow.Schema, rows: int) -> bytes:
    """sha256 of what no page's checksum covers: the settings, the columns' names and types, the number of rows."""
    columns = [[field.name, _type_name(field.type), field.nullable] for field in schema]
    return hashlib.sha256(settings + json.dumps([columns, rows]).encode()).hexdigest().encode()


def write_table(table: pyarrow.Table, path: Path | str, metadata: dict) -> None:
    """Write `table` with `metadata` as JSON in the file's key-value metadata.

    zstd, a checksum in every page, a digest of the metadata, and nothing that varies from run to run: equal
    tables and metadata give equal bytes. The file has its name only when it is whole.

    Args:
        table: any columns; their own schema metadata is dropped.
        metadata: what JSON can hold; written with sorted keys.
    """
    settings = json.dumps(metadata, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    labelled = table.replace_schema_metadata({METADATA: settings, DIGEST: _digest(settings, table.schema, table.num_rows)})
    with atomic_path(path) as partial:
        parquet.write_table(labelled, partial, compression="zstd", write_page_checksum=True)


@contextmanager
def _corruption_told(path: Path | str, what: str) -> Generator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise CensusError(f"{what} {path} is missing: run again") from error
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise CensusError(f"{what} {path} is corrupt ({reason}): delete it and run again") from error


def _settings(path: Path | str, what: str, file: parquet.ParquetFile) -> dict:
    entries = file.metadata.metadata
    if not entries or METADATA not in entries:
        raise CensusError(f"{what} {path} was not written by neuroncensus: delete it and run again")
    if _digest(entries[METADATA], file.schema_arrow, file.metadata.num_rows) != entries.get(DIGEST):
        raise CensusError(f"{what} {path} is corrupt (its settings or columns do not match their checksum): delete it and run again")
    return json.loads(entries[METADATA])


def read_table(path: Path | str, columns: Sequence[str] | None = None, *, what: str = "file") -> pyarrow.Table:
    """The table of a file of `write_table`, every page of the columns read checked against its checksum.

    Args:
        columns: names of the columns wanted, in that order; all of them if None.
        what: how a sentence about the file calls it, e.g. `shard file`.

    Raises:
        CensusError: the file is missing, corrupt, truncated or another program's, or lacks one of `columns`.
    """
    with _corruption_told(path, what), parquet.ParquetFile(path, page_checksum_verification=True) as file:
        _settings(path, what, file)
        missing = [name for name in columns or [] if name not in file.schema_arrow.names]
        if missing:
            raise CensusError(f"{what} {path} has no column {missing[0]}: delete it and run again")
        table = file.read(list(columns) if columns is not None else None)
        table.validate(full=True)
    return table.select(list(columns)) if columns is not None else table


def read_metadata(path: Path | str, *, what: str = "file") -> dict:
    """The settings that `write_table` put into a file; reads the file's end only.

    Raises:
        CensusError: the file is missing, corrupt, truncated or another program's.
    """
    with _corruption_told(path, what), parquet.ParquetFile(path) as file:
        return _settings(path, what, file)
