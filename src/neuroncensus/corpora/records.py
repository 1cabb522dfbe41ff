"""The documents of one file, by its format. Every fault is told with the file and the line or row (from 1)."""

import gzip
import json
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from neuroncensus.corpora.wanted import Wanted
from neuroncensus.errors import CensusError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CHUNK_BYTES = 1 << 16
ROWS_AT_ONCE = 256
FIELDS_QUOTED = 8


@dataclass(frozen=True)
class Document:
    """One text: its number in the source, from 0, and where it stands (`prose.jsonl:3`)."""

    index: int
    text: str
    where: str


Documents = Generator[Document, None, int]
"""Yields documents and returns how many the file holds, those that were skipped included."""


@contextmanager
def _reading(where: str, *also: type[Exception]) -> Generator[None]:
    try:
        yield
    except (OSError, EOFError, *also) as error:
        detail = getattr(error, "strerror", None) or (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CensusError(f"{where} cannot be read ({detail.rstrip('.')}): replace the file by a whole and readable one") from error


def _decoded(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CensusError(f"{where} is not UTF-8 (byte 0x{raw[error.start]:02x} at offset {error.start}): convert it to UTF-8") from error


def _decoded_file(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start)
        return _decoded(raw.split(b"\n")[line], f"{path}:{line + 1}")


def _checked(text: object, field: str, where: str) -> str:
    if not isinstance(text, str):
        kind = "null" if text is None else type(text).__name__
        raise CensusError(f"{where}: field `{field}` is {kind}, not a string: mend or remove the record, or set another `field`")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CensusError(
            f"{where}: field `{field}` has half of a surrogate pair (\\u{ord(text[error.start]):04x}), which no encoding can hold: "
            "mend or remove the record"
        ) from error
    return text


def _plain_chunks(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _gzip_chunks(path: str) -> Iterator[bytes]:
    with gzip.open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _zstandard_chunks(path: str) -> Iterator[bytes]:
    """Frame by frame, since the library's own reader takes a truncated frame for the end of the file."""
    import zstandard  # noqa: PLC0415 - the Snakefile imports this module

    # Public dumps of text are packed with the longest window there is (zstd --long=31).
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    frame = None
    for packed in _plain_chunks(path):
        rest = packed
        while rest:
            frame = frame or decompressor.decompressobj()
            try:
                yield frame.decompress(rest)
            except zstandard.ZstdError as error:
                raise OSError(str(error)) from error
            rest, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame:
        raise EOFError("the last frame is not whole")


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines without their newline. Only \\n ends a line: JSON strings may hold the other separators of Unicode."""
    pieces: list[bytes] = []
    for chunk in chunks:
        head, *others = chunk.split(b"\n")
        pieces.append(head)
        if others:
            yield b"".join(pieces)
            yield from others[:-1]
            pieces = [others[-1]]
    yield b"".join(pieces)


def _record(line: bytes, field: str, where: str) -> dict:
    text = _decoded(line, where)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        detail = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise CensusError(f"{where} is broken JSON ({detail}): mend or remove the line") from error
    if not isinstance(record, dict):
        raise CensusError(f'{where} is not a JSON object but a {type(record).__name__}: give each line the form {{"{field}": "…"}}')
    return record


def _record_text(record: dict, field: str, where: str) -> str:
    if field not in record:
        held = ", ".join(f"`{name}`" for name in list(record)[:FIELDS_QUOTED]) or "none at all"
        raise CensusError(f"{where} has no field `{field}`, it has {held}: set `field` of the source to the one that holds the text")
    return _checked(record[field], field, where)


def _json_lines(path: str, wanted: Wanted, first: int, start: int) -> Documents:
    chunks = _gzip_chunks if path.endswith(".gz") else _zstandard_chunks if path.endswith(".zst") else _plain_chunks
    lines = _lines(chunks(path))
    index = first
    number = 1
    while True:
        where = f"{path}:{number}"
        with _reading(where, zlib.error):
            line = next(lines, None)
        if line is None:
            return index - first
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        number += 1
        # What was read before is looked at again only where it decides which documents there are.
        if not line.strip() or (index < start and not wanted.filtered):
            index += bool(line.strip())
            continue
        record = _record(line, wanted.field, where)
        if not wanted.keeps(record):
            continue
        text = _record_text(record, wanted.field, where)
        if text in wanted.drop:
            continue
        if index >= start:
            yield Document(index, text, where)
        index += 1


def _parquet_file(path: str, wanted: Wanted):
    """The open file, its text's column being there and of text."""
    import pyarrow  # noqa: PLC0415 - the Snakefile imports this module
    from pyarrow import parquet  # noqa: PLC0415

    def is_text(kind: pyarrow.DataType) -> bool:
        plain = kind.value_type if isinstance(kind, pyarrow.DictionaryType) else kind
        return any(test(plain) for test in (pyarrow.types.is_string, pyarrow.types.is_large_string, pyarrow.types.is_string_view))

    with _reading(path, pyarrow.ArrowException, ValueError):
        file = parquet.ParquetFile(path, page_checksum_verification=True)
    field, names = wanted.field, file.schema_arrow.names
    held = ", ".join(f"`{name}`" for name in names[:FIELDS_QUOTED]) or "none at all"
    if field not in names:
        raise CensusError(f"{path} has no field `{field}`, it has {held}: set `field` of the source to the one that holds the text")
    kind = file.schema_arrow.field(field).type
    if not is_text(kind):
        raise CensusError(f"{path}: field `{field}` is {kind}, not a string: set `field` of the source to the one that holds the text")
    for key in wanted.where:
        if key.split(".")[0] not in names:
            raise CensusError(f"{path} has no field `{key}`, it has {held}: correct `where` of the source")
    return file


def _parquet_rows(path: str, wanted: Wanted, first: int, start: int) -> Documents:
    import pyarrow  # noqa: PLC0415 - the Snakefile imports this module

    index, number = first, 1
    with _parquet_file(path, wanted) as file:
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if index + rows <= start and not wanted.filtered:
                index, number = index + rows, number + rows
                continue
            batches = file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=wanted.columns)
            while True:
                with _reading(f"{path}:{number}", pyarrow.ArrowException, ValueError):
                    batch = next(batches, None)
                if batch is None:
                    break
                others = batch.drop_columns([wanted.field]).to_pylist() if wanted.where else [{}] * len(batch)
                for value, record in zip(batch.column(wanted.field), others, strict=True):
                    where = f"{path}:{number}"
                    number += 1
                    if index < start and not wanted.filtered:
                        index += 1
                        continue
                    if not wanted.keeps(record):
                        continue
                    text = _checked(_parquet_text(value, where), wanted.field, where)
                    if text in wanted.drop:
                        continue
                    if index >= start:
                        yield Document(index, text, where)
                    index += 1
    return index - first


def _parquet_text(value, where: str) -> object:
    try:
        return value.as_py()
    except UnicodeDecodeError as error:
        raise CensusError(f"{where} is not UTF-8 ({error.reason} at offset {error.start}): convert it to UTF-8") from error


def _whole_file(path: str, _wanted: Wanted, first: int, start: int) -> Documents:
    if first >= start:
        with _reading(path):
            raw = Path(path).read_bytes()
        yield Document(first, _decoded_file(raw.removeprefix(BYTE_ORDER_MARK), path), path)
    return 1


def file_documents(path: str, wanted: Wanted, first: int, start: int) -> Documents:
    """The documents of one file from number `start` on; returns how many the file holds in all.

    Args:
        path: the file; `.jsonl`, `.jsonl.gz`, `.jsonl.zst` and `.parquet` hold records, any other is one document, or JSON
            lines too where `wanted` says that there are records only.
        wanted: the field of the text, and which records count.
        first: number of the file's first document in its source.
        start: number of the first document wanted; row groups and whole files before it are not read, lines are counted but
            not parsed, unless a filter has to see them.

    Raises:
        CensusError: with file and line or row: the field is missing or no string, broken JSON, wrong
            encoding, a file that is corrupt, truncated or not readable.
    """
    read: Callable[[str, Wanted, int, int], Documents] = _whole_file
    if path.endswith(".parquet"):
        read = _parquet_rows
    elif wanted.records or path.endswith((".jsonl", ".jsonl.gz", ".jsonl.zst")):
        read = _json_lines
    return (yield from read(path, wanted, first, start))
