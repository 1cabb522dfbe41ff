"""Parquet files with their settings inside: the same bytes every time, whole or absent, checked when read."""

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import numpy
import pyarrow
from pyarrow import parquet

from neuroncensus.errors import CensusError
from neuroncensus.files import FORMAT, atomic_path, writing_told

METADATA = b"neuroncensus"
DIGEST = b"neuroncensus.sha256"


def _type_name(kind: pyarrow.DataType) -> str:
    """The type without the name of a list's items, which parquet does not keep."""
    return f"list<{_type_name(kind.value_type)}>" if isinstance(kind, pyarrow.ListType) else str(kind)


def _digest(settings: bytes, schema: pyarrow.Schema, rows: int) -> bytes:
    """sha256 of what no page's checksum covers: the settings, the columns' names and types, the number of rows."""
    columns = [[field.name, _type_name(field.type), field.nullable] for field in schema]
    return hashlib.sha256(settings + json.dumps([columns, rows]).encode()).hexdigest().encode()


@contextmanager
def table_writer(path: Path | str, schema: pyarrow.Schema, metadata: dict) -> Generator[Callable[[pyarrow.Table], object]]:
    """Write a table piece by piece, with `metadata` as JSON in the file's key-value metadata.

    zstd, a checksum in every page, a digest of the metadata, and nothing that varies from run to run: equal
    tables in equal pieces and equal metadata give equal bytes. The file has its name only when it is whole.

    Args:
        schema: any columns; its own metadata is dropped.
        metadata: what JSON can hold; written with sorted keys.

    Yields:
        A function that writes the next rows, as row groups of their own.
    """
    settings = json.dumps(metadata, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    schema = schema.remove_metadata()
    leaves = {name: f"{name}.list.element" if isinstance(schema.field(name).type, pyarrow.ListType) else name for name in schema.names}
    # Rows of bytes are next to never the same, and no one asks which is the least.
    packs = [name for name in schema.names if pyarrow.types.is_binary(schema.field(name).type)]
    how: dict = {option: [leaf for name, leaf in leaves.items() if name not in packs] for option in ("use_dictionary", "write_statistics")}
    rows = 0
    with (
        atomic_path(path) as partial,
        parquet.ParquetWriter(partial, schema, compression="zstd", write_page_checksum=True, **how) as writer,
    ):

        def write(table: pyarrow.Table) -> None:
            nonlocal rows
            # Told here, as several files may be open at once and the last one opened would be blamed.
            with writing_told(Path(path)):
                writer.write_table(table.replace_schema_metadata())
            rows += table.num_rows

        yield write
        writer.add_key_value_metadata({METADATA: settings, DIGEST: _digest(settings, schema, rows)})


def packed(values: numpy.ndarray) -> pyarrow.Array:
    """The rows of an array of whole numbers from 0, (R, k), as bytes: k little-endian numbers of 1, 2, 4 or 8 bytes, as few as will do."""
    rows, width = values.shape
    numbers = values.astype(numpy.min_scalar_type(int(values.max(initial=0))).newbyteorder("<"))
    offsets = numpy.arange(rows + 1, dtype=numpy.int32) * (width * numbers.itemsize)
    return pyarrow.Array.from_buffers(pyarrow.binary(), rows, [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(numbers.ravel())])


def unpacked(column: pyarrow.ChunkedArray, width: int) -> numpy.ndarray:
    """The array, (R, k), whose rows were `packed`; `width` is k.

    Raises:
        ValueError: the rows have another width.
    """
    array = column.combine_chunks()
    _, offsets, data = array.buffers()
    ends = numpy.frombuffer(offsets, numpy.int32)[array.offset : array.offset + len(array) + 1]
    size = (ends[1] - ends[0]) // width if len(array) else 1
    if size not in (1, 2, 4, 8) or (numpy.diff(ends) != size * width).any():
        raise ValueError(f"its rows are not {width} numbers each")
    return numpy.frombuffer(data, f"<u{size}", count=len(array) * width, offset=ends[0]).reshape(len(array), width)


def lists(values: numpy.ndarray, field: pyarrow.Field) -> pyarrow.Array:
    """The rows of an array, (R, k), as a column of lists of k numbers."""
    rows, width = values.shape
    offsets = numpy.arange(rows + 1, dtype=numpy.int32) * width
    return pyarrow.ListArray.from_arrays(offsets, pyarrow.array(values.ravel(), field.type.value_type), type=field.type)


def write_table(table: pyarrow.Table, path: Path | str, metadata: dict) -> None:
    """Write a whole table as `table_writer` does."""
    with table_writer(path, table.schema, metadata) as write:
        write(table)


@contextmanager
def corruption_told(path: Path | str, what: str) -> Generator[None]:
    """Turn what readers raise on a broken file into a sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise CensusError(f"{what} {path} is missing: run again") from error
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise CensusError(f"{what} {path} is corrupt ({reason}): delete it and run again") from error


class _Settings(dict):
    """What a file tells of itself; one that does not tell what its reader asks is no such file."""

    def __init__(self, told: dict, where: str):
        super().__init__(told)
        self.where = where

    def __missing__(self, key: str) -> NoReturn:
        raise CensusError(f"{self.where} holds something else (it does not tell its {key}): delete it and run again")


def _settings(path: Path | str, what: str, file: parquet.ParquetFile) -> dict:
    entries = file.metadata.metadata
    if not entries or METADATA not in entries:
        raise CensusError(f"{what} {path} was not written by neuroncensus: delete it and run again")
    if _digest(entries[METADATA], file.schema_arrow, file.metadata.num_rows) != entries.get(DIGEST):
        raise CensusError(f"{what} {path} is corrupt (its settings or columns do not match their checksum): delete it and run again")
    settings = _Settings(json.loads(entries[METADATA]), f"{what} {path}")
    if (found := settings.get("format", 1)) != FORMAT:
        raise CensusError(f"{what} {path} is of another version (format {found}, this one reads {FORMAT}): delete it and run again")
    return settings


def _check_columns(path: Path | str, what: str, file: parquet.ParquetFile, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in file.schema_arrow.names]
    if missing:
        raise CensusError(f"{what} {path} has no column {missing[0]}: delete it and run again")


def read_table(path: Path | str, columns: Sequence[str] | None = None, *, what: str = "file") -> pyarrow.Table:
    """The table of a file of `write_table`, every page of the columns read checked against its checksum.

    Args:
        columns: names of the columns wanted, in that order; all of them if None.
        what: how a sentence about the file calls it, e.g. `shard file`.

    Raises:
        CensusError: the file is missing, corrupt, truncated or another program's, or lacks one of `columns`.
    """
    with corruption_told(path, what), parquet.ParquetFile(path, page_checksum_verification=True) as file:
        _settings(path, what, file)
        _check_columns(path, what, file, columns or [])
        table = file.read(list(columns) if columns is not None else None)
        table.validate(full=True)
    return table.select(list(columns)) if columns is not None else table


def read_row_groups(path: Path | str, columns: Sequence[str], *, what: str = "file") -> Iterator[pyarrow.Table]:
    """The pieces that `table_writer` was given, one after the other, so that one is in memory.

    Raises:
        CensusError: as `read_table`.
    """
    with corruption_told(path, what), parquet.ParquetFile(path, page_checksum_verification=True) as file:
        _settings(path, what, file)
        _check_columns(path, what, file, columns)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, list(columns)).select(list(columns))


def read_metadata(path: Path | str, *, what: str = "file") -> dict:
    """The settings that `write_table` put into a file; reads the file's end only.

    Raises:
        CensusError: the file is missing, corrupt, truncated or another program's.
    """
    with corruption_told(path, what), parquet.ParquetFile(path) as file:
        return _settings(path, what, file)
