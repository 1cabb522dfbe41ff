"""`summary.json`: per layer and overall, each number that a figure of the model shows."""

import json
from pathlib import Path

import polars

from neuroncensus.files import atomic_path
from neuroncensus.findings.dead import summarize_dead
from neuroncensus.tablefiles import read_metadata, read_table


def join_summary(dead: Path, out: Path) -> None:
    """Write the numbers behind a model's figures.

    Args:
        dead: `dead.parquet` of the model.
        out: the JSON file.
    """
    metadata = read_metadata(dead)
    summary = {
        "model": metadata["model"],
        "corpus": metadata["corpus"],
        "window": metadata["window"],
        "windows": metadata["windows"],
        "dtype": metadata["dtype"],
        "dead": summarize_dead(polars.DataFrame(read_table(dead))),
    }
    with atomic_path(out) as partial:
        partial.write_text(json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
