"""Hidden states between two stages: the residual stream of a shard in a safetensors file.

Written and read straight from and into the buffer, since a second copy of it (18 GB for 66b) may not fit.
"""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import numpy
import torch

from neuroncensus.collect.devices import Compute
from neuroncensus.collect.transfer import host_empty
from neuroncensus.errors import CensusError
from neuroncensus.files import atomic_path

SUM = 1 << 64
NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
ALIGNMENT = 8


def _total(rows: torch.Tensor) -> int:
    """The bytes of some rows added up as whole numbers, modulo SUM: no flipped bit leaves it as it was, and it costs one look at them."""
    raw = rows.view(torch.uint8).numpy()
    return int(raw.view("<u8" if raw.shape[-1] % 8 == 0 else "u1").sum(dtype=numpy.uint64))


def _header(settings: dict, stream: dict, total: int) -> bytes:
    """The beginning of the file, as long whatever the total is."""
    told = {"settings": json.dumps(settings, sort_keys=True), "sum": f"{total:016x}"}
    text = json.dumps({"__metadata__": told, "stream": stream}).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


@contextmanager
def hidden_writer(path: Path | None, rows: int, d: int, dtype: torch.dtype, settings: dict) -> Generator[Callable[[torch.Tensor], object]]:
    """Write the residual stream, (rows, d), batch by batch, while the next batches compute.

    Args:
        path: where to; None writes nothing.
        settings: what it was computed with, kept in the file.

    Yields:
        A function that takes the rows of each batch, in order.
    """
    if path is None:
        yield lambda _part: None
        return
    size = rows * d * dtype.itemsize
    stream = {"dtype": NAMES[dtype], "shape": [rows, d], "data_offsets": [0, size]}
    total = 0

    def write(part: torch.Tensor) -> None:
        nonlocal total
        file.write(memoryview(part.view(torch.uint8).numpy()))
        total = (total + _total(part)) % SUM

    with atomic_path(path) as partial, partial.open("wb") as file:
        file.write(_header(settings, stream, total))
        yield write
        assert file.tell() == len(_header(settings, stream, total)) + size, "every batch was written"
        file.seek(0)
        file.write(_header(settings, stream, total))


def read_hidden(path: Path, settings: dict, rows: int, d: int, compute: Compute) -> torch.Tensor:
    """The residual stream that the stage before wrote, (rows, d), on the host.

    Raises:
        CensusError: the file is missing, corrupt, truncated, not such a file, or was computed with other settings.
    """
    dtype = compute.dtype
    stream = host_empty(rows, d, dtype, compute.device)
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            found, total = json.loads(header["__metadata__"]["settings"]), int(header["__metadata__"]["sum"], 16)
            whole = header["stream"] == {"dtype": NAMES[dtype], "shape": [rows, d], "data_offsets": [0, stream.nbytes]}
            read = file.readinto(memoryview(stream.view(torch.uint8).numpy())) if whole and found == settings else 0
            whole = whole and (found != settings or (read == stream.nbytes and not file.read(1)))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise CensusError(f"hidden states {path} cannot be read ({type(error).__name__}): delete the file and run again") from error
    if found != settings:
        different = ", ".join(key for key in settings if found.get(key) != settings[key])
        raise CensusError(f"hidden states {path} are from another run (different: {different}): delete the file and run again")
    if not whole:
        raise CensusError(f"hidden states {path} are truncated or of another shape: delete the file and run again")
    if _total(stream) != total:
        raise CensusError(f"hidden states {path} are corrupt (they do not match their checksum): delete the file and run again")
    return stream
