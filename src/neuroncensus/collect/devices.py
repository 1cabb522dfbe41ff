"""Which device and number format a job computes with."""

from dataclasses import dataclass

import numba
import torch

from neuroncensus.collect.leases import lease_cuda
from neuroncensus.dtypes import resolve_dtype
from neuroncensus.errors import CensusError


@dataclass(frozen=True)
class Compute:
    """`auto` resolved: what a job computes on and with, recorded in everything that it writes."""

    device: torch.device
    dtype: torch.dtype
    threads: int

    def settings(self) -> dict:
        """What a reader of counters compares: names without a device's number."""
        return {"device": self.device.type, "dtype": str(self.dtype).removeprefix("torch."), "threads": self.threads}


def resolve_compute(device: str, dtype: str, threads: int) -> Compute:
    """Resolve `auto` on this machine, lease a CUDA device if it is to be one, and set torch's threads.

    Args:
        device: auto, cpu or cuda; auto is cuda where torch finds one.
        dtype: auto, float32, bfloat16 or float16 (`neuroncensus.dtypes`).
        threads: threads torch computes with on the CPU; sums of floats depend on it.

    Raises:
        CensusError: cuda is asked for and torch finds none.
    """
    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise CensusError("device is cuda but torch finds no CUDA device: set device to cpu or auto")
    kind = "cuda" if device != "cpu" and found else "cpu"
    torch.set_num_threads(threads)
    most = numba.config.NUMBA_NUM_THREADS  # ty: ignore[missing-attribute]
    numba.set_num_threads(min(threads, most))  # counts do not depend on it
    return Compute(lease_cuda() if kind == "cuda" else torch.device("cpu"), getattr(torch, resolve_dtype(dtype, kind)), threads)
