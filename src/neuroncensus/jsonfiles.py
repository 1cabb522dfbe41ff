"""JSON files between jobs: whole or absent, with a checksum of what they say, checked when read."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from neuroncensus.errors import CensusError
from neuroncensus.files import FORMAT, atomic_path
from neuroncensus.models.architecture import read_json

DIGEST = "sha256"
AGAIN = "delete it and run again"


def _digest(told: dict[str, Any]) -> str:
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def write_json(told: dict[str, Any], path: Path) -> None:
    """Write an object, keys sorted, and under `sha256` a digest of it.

    Raises:
        CensusError: the disk is full or may not be written to.
    """
    told = json.loads(json.dumps(told, allow_nan=False))  # as it will be read: a tuple is a list
    with atomic_path(path) as partial:
        text = json.dumps(told | {DIGEST: _digest(told)}, indent=2, sort_keys=True, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")


def read_written(path: Path) -> dict[str, Any]:
    """The object that `write_json` wrote, without its digest.

    Raises:
        CensusError: the file is missing, corrupt, truncated, something else or another version's.
    """
    told = read_json(path, AGAIN)
    if told.pop(DIGEST, None) != _digest(told):
        raise CensusError(f"{path} is corrupt (what it says does not match its checksum): {AGAIN}")
    if (found := told.get("format", 1)) != FORMAT:
        raise CensusError(f"{path} is of another version (format {found}, this one reads {FORMAT}): {AGAIN}")
    return told
