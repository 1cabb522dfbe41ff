"""Weights read where they lie: one tensor at a time, mapped from the files of a Hugging Face folder.

Nothing in a checkpoint is executed and no second copy of the weights is made, in memory or on disk.
"""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open

from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import LAYOUTS, place, read_config, read_json

PREFIXES = ("model.decoder.", "decoder.")
OTHER_FORMATS = (".msgpack", ".h5", ".gguf", ".onnx", ".pt", ".pth", ".bin", ".safetensors")
ZIP_MAGIC = b"PK\x03\x04"
GIT_LFS_POINTER = b"version https://git-lfs"
# What readers raise on bytes that are not what the file's name says (torch's unpickler runs into most of them).
BROKEN = (
    SafetensorError,
    UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    OverflowError,
)


class _Weights(Protocol):
    """One open weight file, by the names stored in it."""

    mapped: bool

    def names(self) -> list[str]: ...

    def tensor(self, stored: str) -> torch.Tensor: ...


class _Safetensors:
    mapped = True

    def __init__(self, path: Path):
        self._file = safe_open(path, framework="pt", device="cpu")
        self._names = list(self._file.keys())

    def names(self) -> list[str]:
        return self._names

    def tensor(self, stored: str) -> torch.Tensor:
        return self._file.get_tensor(stored)


class _Pickle:
    """A `.bin`: a zip whose tensors are mapped, or a pickle of before torch 1.6, read whole."""

    def __init__(self, path: Path):
        with path.open("rb") as file:
            self.mapped = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
        if self.mapped:
            with zipfile.ZipFile(path) as archive:
                # torch maps an entry as it lies, so a compressed one would be read as numbers.
                if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                    raise ValueError("its entries are compressed")
        loaded = torch.load(path, map_location="cpu", mmap=self.mapped, weights_only=True)
        if not isinstance(loaded, Mapping):
            raise TypeError(f"it holds a {type(loaded).__name__}, not named tensors")
        self._tensors: dict[str, torch.Tensor] = {
            name: value for name, value in loaded.items() if isinstance(name, str) and isinstance(value, torch.Tensor)
        }

    def names(self) -> list[str]:
        return list(self._tensors)

    def tensor(self, stored: str) -> torch.Tensor:
        tensor = self._tensors[stored].detach()
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise TypeError("it is not a plain dense tensor")
        return tensor


def _detail(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")


def _reason(path: Path, error: BaseException) -> str:
    """Why a weight file cannot be read and what to do, to stand after its path."""
    try:
        with path.open("rb") as file:
            start = file.read(len(GIT_LFS_POINTER))
    except OSError as unreadable:
        return f"cannot be read ({unreadable.strerror}): make it readable"
    if start == GIT_LFS_POINTER:
        return "is a pointer of git-lfs, not the weights: run `git lfs pull` in its folder"
    if not start:
        return "is empty (0 bytes), truncated: get the file again"
    if isinstance(error, UnpicklingError) and "nsupported" in str(error):
        return "is a pickle that needs more than tensors: refused and not executed; save it again as safetensors"
    return f"is truncated or not a weight file ({_detail(error)}): get the file again"


class Checkpoint:
    """The tensors of a model folder under canonical names.

    Canonical names are the stored ones without `model.decoder.` or `decoder.` (which sizes have which does not
    follow from anything, so it is seen from the keys); `lm_head.weight` keeps its name.

    Args:
        folder: holds `config.json` and `model.safetensors`, `model.safetensors.index.json`, `pytorch_model.bin` or
            `pytorch_model.bin.index.json`, the first of them that is there. Weights of other formats are ignored.

    Raises:
        CensusError: no such weights; an index that is broken, names a file outside the folder or one that is
            missing; a weight file that is unreadable, truncated or a pickle of more than tensors; a config that
            `read_config` refuses. `tensor`, `shape` and `dtype` raise it for a missing tensor too, and for shards,
            which are opened when first needed.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.config: dict[str, Any] = read_config(folder)
        main = next((folder / name for name in LAYOUTS if (folder / name).is_file()), None)
        if main is None:
            raise CensusError(self._no_weights())
        self._open: dict[str, _Weights] = {}
        self.index: Path | None = main if main.suffix == ".json" else None
        self._reader = _Safetensors if "safetensors" in main.name else _Pickle
        stored_in = self._read_index(self.index) if self.index else dict.fromkeys(self._weights(main.name).names(), main.name)
        prefix = next((p for p in PREFIXES if any(stored.startswith(p) for stored in stored_in)), "")
        self._stored = {stored.removeprefix(prefix): stored for stored in stored_in}
        self._stored_in = stored_in
        self.files: list[Path] = [folder / name for name in sorted(set(stored_in.values()) or {main.name})]

    def _no_weights(self) -> str:
        found = sorted(path.name for path in self.folder.iterdir() if path.suffix in OTHER_FORMATS)
        instead = f"it has only {', '.join(found)}" if found else "it has no weight file"
        return f"weight file missing in {self.folder}: {instead}; supply one of {', '.join(LAYOUTS)}"

    def _read_index(self, index: Path) -> dict[str, str]:
        """Stored name -> file name, from an index."""
        weight_map = read_json(index).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CensusError(f"{index} has no weight_map of tensors to files: get the file again")
        for stored, name in weight_map.items():
            # A plain name only: neither another folder nor another drive can be reached by it.
            if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\:\0"):
                raise CensusError(f"{index} names {name!r} for tensor {stored}, a file outside the folder: refused; get the file again")
            if not (self.folder / name).is_file():
                raise CensusError(f"weight file {name} is missing in {self.folder}, where {index.name} puts tensor {stored}: get the file")
        return weight_map

    def _weights(self, name: str) -> _Weights:
        if name not in self._open:
            # Old pickles lie in memory whole: never two of them.
            self._open = {other: weights for other, weights in self._open.items() if weights.mapped}
            path = self.folder / name
            try:
                self._open[name] = self._reader(path)
            except BROKEN as error:
                raise CensusError(f"weight file {path} {_reason(path, error)}") from error
        return self._open[name]

    def names(self) -> list[str]:
        """Canonical names of all tensors, sorted."""
        return sorted(self._stored)

    def has(self, name: str) -> bool:
        """Whether there is a tensor of this canonical name."""
        return name in self._stored

    def file_of(self, name: str) -> Path:
        """The weight file that holds a tensor.

        Raises:
            CensusError: there is no such tensor.
        """
        if name not in self._stored:
            where = self.index.name if self.index else self.files[0].name
            raise CensusError(f"{place(name)} is missing in {self.folder / where}: get a whole checkpoint of the model")
        return self.folder / self._stored_in[self._stored[name]]

    def tensor(self, name: str) -> torch.Tensor:
        """A tensor by its canonical name, on the CPU, of the stored shape and dtype; mapped, not to be written to.

        Raises:
            CensusError: there is no such tensor, or its file cannot be read.
        """
        path = self.file_of(name)
        weights, stored = self._weights(path.name), self._stored[name]
        if stored not in weights.names():
            index = self.index.name if self.index else path.name
            raise CensusError(f"{place(name)} is missing in {path}, where {index} puts it: get both files again")
        try:
            return weights.tensor(stored)
        except BROKEN as error:
            raise CensusError(f"{place(name)} of weight file {path} cannot be read ({_detail(error)}): get the file again") from error

    def shape(self, name: str) -> tuple[int, ...]:
        """The stored shape; reads no values."""
        return tuple(self.tensor(name).shape)

    def dtype(self, name: str) -> torch.dtype:
        """The stored dtype; reads no values."""
        return self.tensor(name).dtype

    def close(self) -> None:
        """Let go of the files. Tensors already handed out stay good; another read opens its file again."""
        self._open = {}

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
