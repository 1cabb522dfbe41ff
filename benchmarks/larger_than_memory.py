"""A checkpoint of twice the memory allowed to the job: ours against accelerate's disk offload, and against ours without a limit.

What is limited: the anonymous resident memory (RssAnon of /proc/<pid>/status) of the process that does the work, imports included.
Another process looks at it every 5 ms and kills it above the limit, which is half the size of the weight files. RLIMIT_DATA and
RLIMIT_AS would not do: both count the address space of mapped weight files, which takes no memory. The page cache is not
limited; instead the weight files, and what a peer makes of them, are evicted from it (posix_fadvise) when the job starts and
five times a second until it ends, so that whatever is needed again is read from disk again, as it would be with no memory to
spare. For a hard limit on both, run this in a container or a systemd scope of that size.

Both sides run the same windows in the same batches. Ours counts everything; accelerate runs transformers' decoder with plain hooks
that count activations. Positions a second are of the work alone, after the imports and after a tiny run that loads compiled code;
what accelerate needs to get ready, and ours does not, is told beside it. Its `disk_offload` needs the whole model in memory first;
`load_checkpoint_and_dispatch` does not. With CUDA the comparison is made there too, with a wider model.
"""

import ctypes
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks._common import THREADS, Options, Row, batches_of, collect, main, paired, ratio, transformers_model
from benchmarks._hooks import count_activations
from benchmarks._made import TINY, Model, Shape, Text, make_model, make_text
from benchmarks._memory import NoResultError, watched

SHAPES = {"cpu": Shape(60, 1024, 4096, 16, 4096), "cuda": Shape(16, 4096, 16384, 32, 4096)}
POSITIONS = {"cpu": 1024, "cuda": 131072}
DTYPES = {"cpu": "float32", "cuda": "float16"}
WINDOW, FILES = 512, 8
M_MMAP_THRESHOLD = -3
"""mallopt's number for it."""
DISPATCH, DISK_OFFLOAD = "load_checkpoint_and_dispatch", "disk_offload"
OURS, IN_MEMORY, THEIRS = "ours, limited", "ours in memory", "accelerate, limited"


def run_ours(model: Model, text: Text, folder: Path, device: str) -> float:
    """Seconds of the work."""
    with tempfile.TemporaryDirectory(dir=folder) as small:
        tiny = make_model(Path(small) / "model", TINY), make_text(Path(small) / "text", TINY.vocabulary, window=32, positions=256)
        collect(*tiny, Path(small) / "out", dtype=DTYPES[device], device=device)
    start = time.perf_counter()
    collect(model, text, folder / "out", dtype=DTYPES[device], device=device)
    return time.perf_counter() - start


def run_accelerate(model: Model, text: Text, offloaded: Path, device: str, how: str) -> tuple[float, float]:
    """Seconds of the work, and of getting ready for it."""
    import accelerate  # noqa: PLC0415
    from transformers import OPTConfig, OPTForCausalLM  # noqa: PLC0415

    start = time.perf_counter()
    # Else glibc keeps most of the freed weights in its heap, and the process grows to the size of the model.
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)
    torch.set_num_threads(THREADS)
    dtype = getattr(torch, DTYPES[device])
    if how == DISK_OFFLOAD:
        theirs: Any = transformers_model(model, DTYPES[device], causal=True)
        theirs = accelerate.disk_offload(theirs, str(offloaded), execution_device=torch.device(device))
    else:
        config = OPTConfig.from_pretrained(model.folder, attn_implementation="sdpa")
        with accelerate.init_empty_weights():
            theirs = OPTForCausalLM(config).to(dtype).eval()
        theirs.tie_weights()
        # Not all on disk: accelerate 1.15 takes a map with one place for the name of a device of torch's.
        parts = {"embed_tokens": device, "embed_positions": device, "layers": "disk", "final_layer_norm": "disk"}
        places: dict[str, Any] = {"lm_head": device} | {f"model.decoder.{name}": place for name, place in parts.items()}
        with redirect_stderr(io.StringIO()):  # a bar for each tensor
            theirs = accelerate.load_checkpoint_and_dispatch(theirs, model.folder, places, offload_folder=str(offloaded), dtype=dtype)
    batches = [ids.to(device) for ids in batches_of(text)]
    ready = time.perf_counter()
    count_activations(theirs.model, batches)
    return time.perf_counter() - ready, ready - start


class Contest:
    """One model on one device, and who runs it under which limit."""

    def __init__(self, options: Options, device: str):
        shape, window, positions = (TINY, 32, 256) if options.quick else (SHAPES[device], WINDOW, POSITIONS[device])
        self.options, self.device, self.folder = options, device, options.folder / device
        self.model = make_model(self.folder / "model", shape, kind="safetensors", files=FILES)
        self.text = make_text(self.folder / "text", shape.vocabulary, window=window, positions=positions)
        # The tiny shape weighs less than any process.
        self.limit = 10**9 if options.quick else self.model.bytes // 2
        self.peaks: dict[str, int] = {}
        self.setup = 0.0

    def ours(self, limited: bool) -> float:
        """Seconds."""
        limits: dict[str, Any] = {"limit": self.limit, "cold": [self.model.folder]} if limited else {}
        done = watched(run_ours, self.model, self.text, self.folder, self.device, **limits)
        self.peaks[OURS if limited else IN_MEMORY] = done.peak
        return done.result

    def accelerate(self, how: str) -> float:
        """Seconds."""
        with tempfile.TemporaryDirectory(dir=self.folder) as offloaded:
            cold = [self.model.folder, Path(offloaded)]
            place = Path(offloaded)
            done = watched(run_accelerate, self.model, self.text, place, self.device, how, limit=self.limit, cold=cold)
        self.peaks[THEIRS] = done.peak
        seconds, self.setup = done.result
        return seconds

    def rows(self) -> Iterator[Row]:
        """Against accelerate, and on the CPU against ours in memory."""
        case = f"{self.device}, {self.model.bytes / 1e9:.2f} GB of weights, {self.limit / 1e9:.2f} GB allowed"
        contenders: dict[str, Any] = {OURS: partial(self.ours, True), THEIRS: partial(self.accelerate, DISPATCH)}
        if self.device == "cpu":
            contenders[IN_MEMORY] = partial(self.ours, False)
        seconds = paired(self.options, contenders)
        peaks = ", ".join(f"{name} {peak / 1e6:.0f} MB" for name, peak in self.peaks.items())
        note = f"peaks: {peaks}; accelerate gets ready in {self.setup:.3g} s"
        name = f"positions a second, {case}: ours ÷ accelerate's"
        yield Row(f"{name} {DISPATCH}", ratio(seconds, THEIRS, OURS), "over 10", seconds, note)
        if self.device == "cpu":
            yield Row(f"positions a second, {case}: ours ÷ ours in memory", ratio(seconds, IN_MEMORY, OURS), "over 0.9")
        try:
            offload = self.accelerate(DISK_OFFLOAD)
        except NoResultError as error:
            yield Row(f"{name} {DISK_OFFLOAD}", None, "over 10", note=str(error))
        else:
            yield Row(f"{name} {DISK_OFFLOAD}", offload / min(seconds[OURS]), "over 10", {"accelerate, limited": [offload]})


def rows(options: Options) -> Iterator[Row]:
    """On the CPU, and on CUDA where there is one."""
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        yield from Contest(options, device).rows()


if __name__ == "__main__":
    main(rows)
