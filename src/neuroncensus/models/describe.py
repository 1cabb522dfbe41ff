"""A checkpoint checked whole, once: shapes, values and checksums, written down in `model.json`."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from neuroncensus.errors import CensusError
from neuroncensus.jsonfiles import write_json
from neuroncensus.models.architecture import CONFIG, expected_tensors, place, read_architecture
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.description import DTYPES, Description, FileRecord, check_checksum, check_names, check_unchanged, file_sha256
from neuroncensus.progress import progress

# Values looked at in one go, so that a check holds a few MB whatever the tensor.
CHECK_VALUES = 1 << 22


def _check_tensors(checkpoint: Checkpoint, expected: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Every expected tensor is there, of its shape and of a dtype that is read; returns the dtypes' names."""
    dtypes = set()
    for name, shape in expected.items():
        found, dtype = checkpoint.shape(name), checkpoint.dtype(name)
        where = f"{place(name)} of {checkpoint.file_of(name)}"
        if found != shape:
            raise CensusError(f"{where} has shape {found}, but {CONFIG} asks for {shape}: get weights and config of one model")
        if str(dtype).removeprefix("torch.") not in DTYPES:
            raise CensusError(f"{where} has dtype {str(dtype).removeprefix('torch.')}: convert the weights to one of {', '.join(DTYPES)}")
        dtypes.add(str(dtype).removeprefix("torch."))
    return tuple(sorted(dtypes))


def _check_finite(checkpoint: Checkpoint, name: str, bar: tqdm) -> None:
    tensor = checkpoint.tensor(name)
    rows = max(1, CHECK_VALUES * tensor.shape[0] // tensor.numel())
    for block in tensor.split(rows):
        finite = block.isfinite()
        if not finite.all():
            value = block[~finite][0].item()
            kind = "NaN" if math.isnan(value) else "infinity"
            path = checkpoint.file_of(name)
            raise CensusError(f"{place(name)} of {path} has {kind} among its values: get the file again or take another checkpoint")
        bar.update(block.numel() * block.element_size())


def _record(path: Path, bar: tqdm) -> FileRecord:
    state = path.stat()
    return FileRecord(path.name, state.st_size, state.st_mtime_ns, file_sha256(path, bar.update))


def describe_model(folder: Path, *, model: str, out: Path, checksums: Mapping[str, str] | None = None) -> None:
    """Check a checkpoint and write its description.

    Checked: every tensor that the architecture computes with is there, with its shape, as float16, bfloat16 or
    float32, and all its values are finite; the files do not change meanwhile. Memory is bounded: values and bytes
    are looked at in blocks of a few MB.

    Args:
        folder: the checkpoint (`Checkpoint`).
        model: its name in the config.
        out: the JSON file to write: keys sorted, file names without folders.
        checksums: name of a file of the checkpoint -> its SHA-256 in hexadecimal digits; files without one are not held
            against any.

    Raises:
        CensusError: a check failed (names the file or tensor and layer), or as `Checkpoint` and `read_architecture`.
    """
    with Checkpoint(folder) as checkpoint:
        architecture = read_architecture(checkpoint.config, str(folder / CONFIG))
        shapes = expected_tensors(architecture)
        # File by file, as a pickle that cannot be mapped is in memory while its tensors are read.
        names = sorted(shapes, key=lambda name: (checkpoint.file_of(name).name, name))
        dtypes = _check_tensors(checkpoint, {name: shapes[name] for name in names})
        index: list[Path] = [checkpoint.index] if checkpoint.index else []
        paths: list[Path] = sorted([*checkpoint.files, *index, folder / CONFIG])
        check_names(checksums or {}, [path.name for path in paths], folder)
        size = sum(path.stat().st_size for path in paths) + sum(checkpoint.tensor(name).nbytes for name in names)
        with progress(total=size, unit="B", what=f"checking {model}") as bar:
            records = []
            for path in paths:
                records.append(_record(path, bar))
                check_checksum(folder, records[-1], checksums or {})
            for name in names:
                _check_finite(checkpoint, name, bar)
    description = Description(model, architecture, dtypes, tuple(records))
    check_unchanged(description, folder)
    write_json(asdict(description), out)
