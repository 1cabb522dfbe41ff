"""`summary.json`: per layer and overall, each number that a figure of the model shows."""

import json
from pathlib import Path

import polars

from neuroncensus.files import atomic_path
from neuroncensus.findings.coverage import summarize_coverage
from neuroncensus.findings.dead import summarize_dead
from neuroncensus.findings.detectors import summarize_detectors
from neuroncensus.tablefiles import read_metadata, read_table


def join_summary(dead: Path, coverage: Path, detectors: Path, detector_ngrams: Path, out: Path) -> None:
    """Write the numbers behind a model's figures.

    Args:
        dead, coverage, detectors, detector_ngrams: the tables of the model.
        out: the JSON file.
    """
    metadata = read_metadata(dead)
    table = {path: polars.DataFrame(read_table(path)) for path in (dead, coverage, detectors, detector_ngrams)}
    summary = {key: metadata[key] for key in ("model", "corpus", "window", "windows", "dtype")} | {
        "dead": summarize_dead(table[dead]),
        "coverage": summarize_coverage(table[coverage], read_metadata(coverage)),
        "detectors": summarize_detectors(table[detectors], table[detector_ngrams], read_metadata(detectors)),
    }
    with atomic_path(out) as partial:
        partial.write_text(json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
