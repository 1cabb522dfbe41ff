"""JSON files for people and their programs, apart from those between jobs (`neuroncensus.jsonfiles`): no collection depends on them."""

import json
from pathlib import Path
from typing import Any

from neuroncensus.files import atomic_path


def write_result(told: dict[str, Any], path: Path) -> None:
    """Write an object, keys in its own order and nothing added.

    Raises:
        CensusError: the disk is full or may not be written to.
    """
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
