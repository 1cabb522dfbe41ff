"""What a collect job holds in memory at most, from the shapes alone.

Symbols: d width, F neurons of a layer, T window, V rows of the embedding, e its width, S positions of the shard, b rows of a
batch, i bytes of a number in the run's dtype, p weights of a block; m sizes n of n-grams, r 2 where the rotation null is counted
too and else 1, K the largest number of n-grams that a finding asks about.

The residual stream takes `S d i`; two blocks `2 p i`, as the next one is read while this one computes, and where weights are packed and
silent columns skipped, this one's fc2 unpacked, `d F i`; fc1's output, which has one
place for the whole job, `b F i` (products in bfloat16 on the CPU bring their own, and that place stays untouched); then the
counters of a layer, the largest of them the bits for n-grams, `S F / 8`. A batch takes `4 b d i` in attention (LayerNorm's output,
heads mixed, the same put together, output; the scores are fused, and q, k, v lie in fc1's place if F is at least 3 d), or what
counting takes, or the FFN `3 b d i` with, where silent columns are skipped, up to a share of SKIP_AT_MOST of fc1's output and of
fc2 copied once more. Once a layer has passed, its counters are turned into rows and written, group by group. Before the first
block, the embedding of positions takes the place of all but the stream; rows of tokens are taken from their file as they occur.
Bits, order and rows of n-grams are on the host wherever the blocks compute.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from neuroncensus.models.architecture import POSITION_OFFSET, Architecture, expected_tensors
from neuroncensus.report.units import shown_bytes
from neuroncensus.sizes import BLOCK, BYTE, SKIP_AT_MOST

ITEMSIZE = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
# Anonymous memory of a collect job with its libraries at work on a tiny shard: measured 0.24 GB with torch 2.13 for CPU.
PROCESS = 250_000_000
# The one that computes and the one that is being read.
BLOCKS = 2
# A pair of n-gram and neuron: three numbers of 4 bytes in lists, and one byte or two as it is packed, compressed and written; given
# four times the lists, as the allocator keeps some of every group. A neuron that is not dropped may have K pairs and more; measured
# on opt-nano, where most are not, the mean of all of them is a third of K, and a half is what they are given here.
PAIR, OF_MOST = 48, 2
BATCH, END = "batch", "layer's end"


@dataclass(frozen=True)
class Part:
    """A part of a job's memory.

    Its phase is `embedding`, which ends before `blocks` begins; in that, `batch` or `layer's end`, which alternate;
    or "" for what stays.
    """

    name: str
    formula: str
    bytes: int
    phase: str = ""


@dataclass(frozen=True)
class Memory:
    """A collect job's memory in one place, host or device."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Peak in bytes: what stays, and the larger phase."""
        held = {phase: sum(part.bytes for part in self.parts if part.phase == phase) for phase in ("", "embedding", "blocks", BATCH, END)}
        return held[""] + max(held["embedding"], held["blocks"] + max(held[BATCH], held[END]))


@dataclass(frozen=True)
class JobShape:
    """What a collect job's memory depends on.

    Attributes:
        architecture: of the model.
        window: T.
        dtype, device, skip_silent, batch_tokens: as the job has them.
        shard: rows of the residual stream, S.
        sizes: how many n its n-grams are counted for, m; 0 where none are.
        rotation_null: whether they are counted rotated too.
        most: K.
        positions: whether full windows are counted position by position.
    """

    architecture: Architecture
    window: int
    dtype: str
    device: str
    skip_silent: bool
    batch_tokens: int
    shard: int
    sizes: int = 0
    rotation_null: bool = False
    most: int = 0
    positions: bool = False

    @property
    def item(self) -> int:
        """Bytes of a number, i."""
        return ITEMSIZE[self.dtype]

    @property
    def rows(self) -> int:
        """Of a batch at most, b: short windows fill one to the last row."""
        return min(max(self.batch_tokens, self.window), self.shard)

    @property
    def packed(self) -> bool:
        """Whether weights are packed (`neuroncensus.models.opt.pack`), as they are if the CPU has the instructions."""
        return self.dtype == "bfloat16" and not self.cuda

    @property
    def cuda(self) -> bool:
        """Whether the blocks compute elsewhere than on the host."""
        return self.device == "cuda"


def block_weights(architecture: Architecture) -> int:
    """Weights and biases of one block."""
    return sum(prod(shape) for name, shape in expected_tensors(architecture).items() if name.startswith("layers.0."))


def placing_weights(architecture: Architecture) -> int:
    """Weights that are in memory before the first block: of positions, and of the projection where there is one."""
    projection = architecture.d * architecture.embedding_width if architecture.embedding_width != architecture.d else 0
    return (architecture.positions + POSITION_OFFSET) * architecture.d + projection


def embedding_weights(architecture: Architecture) -> int:
    """Weights that are read before the first block; rows of tokens are taken from their file as they occur."""
    return architecture.vocabulary * architecture.embedding_width + placing_weights(architecture)


def _batch_parts(job: JobShape) -> list[Part]:
    """What comes and goes while a batch passes a block, where the block is: the largest of its steps."""
    d, ffn, rows, size = job.architecture.d, job.architecture.ffn, job.rows, job.item
    width, values = rows * d * size, rows * ffn * size
    attention = [("LayerNorm, mixed heads, the same put together, output", "4 b d i", 4 * width)]
    attention += [("q, k, v", "3 b d i", 3 * width)] if ffn < 3 * d else []
    counting = [("residual, attention's output", "2 b d i", 2 * width)]
    network = [("residual, attention's and FFN's output", "3 b d i", 3 * width)]
    if job.skip_silent:
        share = SKIP_AT_MOST[job.device]
        network.append(("fc1's columns that are not silent", f"{share} b F i", int(share * rows * ffn) * size))
        network.append(("fc2's columns that are not silent", f"{share} d F i", int(share * d * ffn) * size))
    if job.architecture.activation == "relu2":
        network.append(("fc1's output squared", "b F i", values))
    if job.cuda:
        for step in (attention, counting, network):
            step.append(("itself, the one before and the next, on the device", "3 b d i", 3 * width))
        counting.append(("which values are active", "b F", rows * ffn))
    if job.sizes:
        counting += [("the same twice, while bits are put together", "2 b F", 2 * rows * ffn)] if job.cuda else []
        counting.append(("bits", "b F / 8", rows * ffn // 8))
    if job.positions:
        item = 1 if rows // job.window <= BYTE else 4
        counting.append((f"counts by position, in bytes up to {BYTE} windows", "T F or 4 T F", item * job.window * ffn))
    largest = max((attention, counting, network), key=lambda parts: sum(part[2] for part in parts))
    return [Part(f"batch: {name}", formula, count, BATCH) for name, formula, count in largest]


def _block_parts(job: JobShape) -> list[Part]:
    """What there is where the blocks compute."""
    architecture, ffn, rows, size = job.architecture, job.architecture.ffn, job.rows, job.item
    width = rows * architecture.d * size
    counters = 24 * ffn + 4 * ffn * (job.shard // job.window + 2)
    parts = [
        Part("embedding of positions", "positions d i", placing_weights(architecture) * size, "embedding"),
        Part("batch: tokens as stored, in the run's dtype, and positions added", "3 b d i", 3 * width, "embedding"),
        Part("blocks, this and the next", "2 p i", BLOCKS * block_weights(architecture) * size, "blocks"),
        Part("fc1's output", "b F i", rows * ffn * size, "blocks"),
        Part("activations of a layer, documents waiting", "24 F + 4 F (S / T + 2)", counters, "blocks"),
    ]
    if job.positions:
        parts.append(Part("activations by position of a layer, those in bytes beside", "5 T F", 5 * job.window * ffn, "blocks"))
    return [*parts, *_batch_parts(job), Part("the last batch", "b d i", width, END)]


def _ngram_parts(job: JobShape) -> list[Part]:
    """What n-grams take on the host."""
    shard, neurons, times = job.shard, min(BLOCK, job.architecture.ffn), 2 if job.rotation_null else 1
    rows = neurons * job.sizes * times
    bits = ("bits of two layers for n-grams", "2 S F / 8") if job.cuda else ("bits of a layer for n-grams", "S F / 8")
    return [
        Part("order of positions by n-gram", "4 S r (m + 1)", 4 * shard * times * (job.sizes + 1)),
        # Beside CUDA, one layer's are counted while the next layer's are collected.
        Part(*bits, (2 if job.cuda else 1) * (shard * job.architecture.ffn // 8), "blocks"),
        # Arrow's allocator keeps what one group took for the next.
        Part(f"rows of {BLOCK} neurons", f"{PAIR} K / {OF_MOST} · {BLOCK} m r", PAIR * job.most // OF_MOST * rows, "blocks"),
        Part(f"bits of {BLOCK} neurons in order", f"{BLOCK // 8} S r", BLOCK // 8 * shard * times, END),
    ]


def job_memory(job: JobShape) -> tuple[Memory, Memory | None]:
    """Host and device memory of a collect job; on the CPU there is no device."""
    size, d, ffn = job.item, job.architecture.d, job.architecture.ffn
    host = [Part("Python and its libraries", "measured", PROCESS), Part("residual stream", "S d i", job.shard * d * size)]
    blocks = _block_parts(job)
    if job.sizes:
        host += _ngram_parts(job)
    if job.positions:
        # Turned to a row a neuron, and encoded.
        turned = Part("rows of a layer by position", "4 T F", 4 * job.window * ffn, END)
        host += [turned, Part("the same, being written", "4 T F", 4 * job.window * ffn, END)]
        blocks += [Part("those of the layer before, and turned", "8 T F", 8 * job.window * ffn, "blocks")] if job.cuda else []
    if not job.cuda:
        packing = [Part("a tensor on its way into the layout of products", "d F i", d * ffn * size, "blocks")] if job.packed else []
        if job.packed and job.skip_silent:
            packing.append(Part("this block's fc2 in the layout of its file", "d F i", d * ffn * size, "blocks"))
        return Memory((*host, *blocks, *packing)), None
    host.append(Part("a tensor on its way to the device", "d F i", d * ffn * size, "blocks"))
    if job.sizes:
        host.append(Part("batch: bits", "b F / 8", job.rows * ffn // 8, BATCH))
    return Memory(tuple(host)), Memory(tuple(blocks))


def device_need(jobs: Sequence[JobShape], batch_tokens: int | None = None) -> int:
    """Bytes of the device that the largest of some jobs on CUDA needs; with another size of batches, if it is given."""
    memories = [job_memory(job if batch_tokens is None else replace(job, batch_tokens=batch_tokens))[1] for job in jobs]
    return max(memory.total for memory in memories if memory is not None)


def device_shortage(jobs: Sequence[JobShape], memory: int, state: str = "") -> str | None:
    """What is wrong where a CUDA device is too small for some jobs, and what to do; None where it is not.

    Args:
        jobs: on CUDA, at least one, all with one window and size of batches.
        memory: bytes that the device has.
        state: what they are, ` free`.
    """
    asked, window, has = jobs[0].batch_tokens, jobs[0].window, f"the device has {shown_bytes(memory)}{state}"
    need = device_need(jobs)
    if need <= memory:
        return None
    batch = asked
    while batch > window:
        batch = max(batch // 2, window)
        if device_need(jobs, batch) <= memory:
            found = f"a job needs {shown_bytes(need)} but {has}, {shown_bytes(need - memory)} too little"
            return f"device memory too small for collect.batch_tokens {asked}: {found}: set it to {batch}"
    least = device_need(jobs, window)
    found = f"the block, the one read after it and a window of {window} positions need {shown_bytes(least)}"
    missing = f"{shown_bytes(least - memory)} are missing"
    return f"device memory too small for one block and one window: {found} but {has}: {missing}; take a larger device, or set device to cpu"
