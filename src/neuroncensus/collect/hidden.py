"""Hidden states between two stages: the residual stream of a shard in a safetensors file.

Written and read straight from and into the buffer, since a second copy of it (18 GB for 66b) may not fit.
"""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import torch

from neuroncensus.collect.devices import Compute
from neuroncensus.collect.transfer import host_empty
from neuroncensus.errors import CensusError
from neuroncensus.files import atomic_path

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
ALIGNMENT = 8


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
    text = json.dumps({"__metadata__": {"settings": json.dumps(settings, sort_keys=True)}, "stream": stream}).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with atomic_path(path) as partial:
        with partial.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            yield lambda part: file.write(memoryview(part.view(torch.uint8).numpy()))
        assert partial.stat().st_size == 8 + len(text) + size, "every batch was written"


def read_hidden(path: Path, settings: dict, rows: int, d: int, compute: Compute) -> torch.Tensor:
    """The residual stream that the stage before wrote, (rows, d), on the host.

    Raises:
        CensusError: the file is missing, truncated, not such a file, or was computed with other settings.
    """
    dtype = compute.dtype
    stream = host_empty(rows, d, dtype, compute.device)
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            found = json.loads(header["__metadata__"]["settings"])
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
    return stream
