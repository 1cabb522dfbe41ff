"""`model.json`: what a model is, written once (`neuroncensus.models.describe`) and read by every later job.

Free of torch, for the jobs that do not compute with the weights.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from neuroncensus.errors import CensusError
from neuroncensus.jsonfiles import read_written
from neuroncensus.models.architecture import Architecture

HASH_BYTES = 1 << 22
DTYPES = ("float16", "bfloat16", "float32")
"""What tensors may be stored in."""


@dataclass(frozen=True)
class FileRecord:
    """One file of a checkpoint as it was when the description was written."""

    name: str
    bytes: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class Description:
    """The content of `model.json`."""

    model: str
    architecture: Architecture
    dtypes: tuple[str, ...]
    """Names of the dtypes that the tensors are stored in, sorted."""
    files: tuple[FileRecord, ...]
    """Weight files, index and `config.json`, in the order of their names."""

    @property
    def digest(self) -> str:
        """SHA-256 over the architecture and the files' checksums: the same for the same model wherever it lies."""
        content = {"architecture": asdict(self.architecture), "files": [[file.name, file.sha256] for file in self.files]}
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _build(kind: Any, values: Any) -> Any:
    """A dataclass from a mapping that has exactly its fields, those of plain types of exactly these."""
    if not isinstance(values, dict) or set(values) != {field.name for field in fields(kind)}:
        raise TypeError
    for field in fields(kind):
        if field.type in (int, str, bool) and type(values[field.name]) is not field.type:
            raise TypeError
    return kind(**values)


def read_description(path: Path) -> Description:
    """The description that `describe_model` wrote.

    Raises:
        CensusError: the file is missing, broken, or not such a description.
    """
    values = read_written(path)
    try:
        values["architecture"] = _build(Architecture, values["architecture"])
        values["files"] = tuple(_build(FileRecord, record) for record in values["files"])
        values["dtypes"] = tuple(values["dtypes"])
        if not set(values["dtypes"]) <= set(DTYPES):
            raise TypeError
        return _build(Description, values)
    except (KeyError, TypeError) as error:
        raise CensusError(f"{path} is not a description of a model that this version writes: remove it and run again") from error


def file_sha256(path: Path, advance: Callable[[int], object] = lambda _bytes: None) -> str:
    """SHA-256 of a file, read in blocks; `advance` is told the bytes of each."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_BYTES):
            digest.update(chunk)
            advance(len(chunk))
    return digest.hexdigest()


def check_names(checksums: Mapping[str, str], names: Iterable[str], folder: Path) -> None:
    """Every checksum is of a file of the checkpoint.

    Raises:
        CensusError: one is not; names it.
    """
    names = list(names)
    for name in checksums:
        if name not in names:
            raise CensusError(f"checksums has {name}, which is no file of checkpoint {folder}: name one of {', '.join(names)}")


def check_checksum(folder: Path, record: FileRecord, checksums: Mapping[str, str]) -> None:
    """Hold a file against its checksum, if there is one.

    Raises:
        CensusError: it has another.
    """
    asked = checksums.get(record.name, record.sha256)
    if asked.lower() != record.sha256:
        raise CensusError(
            f"{folder / record.name} has another checksum than its model's: asked sha256 {asked}, found {record.sha256}; get the file again"
        )


def check_unchanged(description: Description, folder: Path) -> None:
    """Hold a checkpoint's files against its description.

    Size and time of change are compared, and the content only where the time differs, as after a copy.

    Raises:
        CensusError: a file is gone or not the one described.
    """
    for record in description.files:
        path = folder / record.name
        try:
            state = path.stat()
            if state.st_size == record.bytes and (state.st_mtime_ns == record.modified_ns or file_sha256(path) == record.sha256):
                continue
        except OSError as error:
            raise CensusError(f"{path} is missing or cannot be read ({error.strerror}): get the file and run again") from error
        size = f"from {record.bytes} to {state.st_size} bytes" if state.st_size != record.bytes else "in place"
        raise CensusError(f"{path} changed ({size}) after model.json of {description.model} was written: remove model.json and run again")
