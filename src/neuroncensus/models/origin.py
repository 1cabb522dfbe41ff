"""`source.json`: where a model is from, as the configuration says it.

Apart from `model.json`, which jobs that compute read: the same weights by another name, from another revision or held
against more checksums are collected no second time.
"""

from collections.abc import Mapping
from pathlib import Path

from neuroncensus.errors import CensusError
from neuroncensus.hub.listing import read_listing
from neuroncensus.jsonfiles import read_written, write_json
from neuroncensus.models.description import check_checksum, check_names, read_description


def record_source(
    description: Path, folder: Path, *, source: str, checksums: Mapping[str, str] | None, out: Path, listing: Path | str | None = None
) -> None:
    """Write where a described model is from.

    Args:
        description: its `model.json`.
        folder: its checkpoint; only named in errors.
        source: its `source` as the config writes it.
        checksums: as `neuroncensus.models.describe.describe_model` takes them.
        out: the JSON file.
        listing: of a Hub model, what its repository holds (`neuroncensus.hub.listing`), or the folder with it: it says the
            commit. None of a folder and of a training run.

    Raises:
        CensusError: a file has another checksum than the one asked, or is not of the checkpoint.
    """
    about = read_description(description)
    asked = dict(checksums or {})
    check_names(asked, [record.name for record in about.files], folder)
    for record in about.files:
        check_checksum(folder, record, asked)
    revision = read_listing(Path(listing)).commit if listing else None
    told = {"model_digest": about.digest, "source": source, "revision": revision, "checksums": asked}
    write_json(told, out)


def read_source(path: Path, model_digest: str) -> dict[str, str | None]:
    """What tables say of where the model is from: `source` and `revision`.

    Args:
        path: what `record_source` wrote.
        model_digest: of the weights that the table is about.

    Raises:
        CensusError: the file is missing, broken, or of other weights.
    """
    told = read_written(path)
    if told.get("model_digest") != model_digest:
        raise CensusError(f"{path} is of other weights than were collected with: delete it and run again")
    return {key: told.get(key) for key in ("source", "revision")}
