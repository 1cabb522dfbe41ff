"""`provenance.json`: what a model's results were made of and with."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata as packages
from pathlib import Path

from neuroncensus.corpora.shards import read_shard_metadata
from neuroncensus.errors import CensusError
from neuroncensus.models.description import read_description
from neuroncensus.report.resultfiles import write_result
from neuroncensus.tablefiles import read_metadata

VERSIONS_OF = ("neuroncensus", "torch", "numpy", "polars", "pyarrow", "safetensors", "tokenizers", "huggingface_hub", "snakemake")


def _corpus(windows: Sequence[Path]) -> list[dict]:
    """A row a domain and part: its source, how much of it was taken, and of a data set which rows of which files, by shard."""
    domains: dict[tuple[str, str], dict] = {}
    for path in windows:
        shard = read_shard_metadata(path)
        row = domains.setdefault(
            (shard["part"], shard["domain"]),
            {"part": shard["part"], "domain": shard["domain"], "source": shard["source"], "package": shard.get("package")}
            | {"commit": shard.get("commit"), "taken": [], "tokens": 0, "shards": 0}
            | {"tokenizer_sha256": shard["tokenizer"], "windows_sha256": []},
        )
        row["tokens"] += shard["positions"]
        row["taken"] += shard.get("taken", [])
        row["shards"] += 1
        row["windows_sha256"].append(shard["content_sha256"])
    return list(domains.values())


def join_provenance(description: Path, frequency: Path, windows: Sequence[Path], out: Path) -> None:
    """Write source, resolved commit and checksums of the model, sources and counts of the corpus, versions, device.

    Args:
        description: the model's `model.json`.
        frequency: its `frequency.parquet`.
        windows: every shard of windows of its corpus.
        out: the JSON file.

    Raises:
        CensusError: a file is corrupt, or they are not of one census.
    """
    about, counted = read_description(description), read_metadata(frequency)
    if counted["model_digest"] != about.digest:
        raise CensusError(f"{frequency} is of other weights than {description}: delete it and run again")
    files = [{"name": file.name, "bytes": file.bytes, "sha256": file.sha256} for file in about.files]
    provenance = {
        "model": {
            "name": about.model,
            "source": counted["source"],
            "revision": counted["revision"],
            "architecture": asdict(about.architecture),
            "stored_dtypes": list(about.dtypes),
            "files": files,
        },
        "corpus": {"name": counted["corpus"], "window": counted["window"], "domains": _corpus(windows)},
        "computed": {key: counted[key] for key in ("device", "dtype", "threads")},
        "versions": {name: packages.version(name) for name in VERSIONS_OF} | {"python": platform.python_version()},
    }
    write_result(provenance, out)
