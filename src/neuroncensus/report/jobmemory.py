"""What a collect job holds in memory at most, from the shapes alone.

Symbols: d width, F neurons of a layer, T window, V rows of the embedding, e its width, S positions of the shard, b rows of a
batch, i bytes of a number in the run's dtype, p weights of a block.

The residual stream takes `S d i`; two blocks `2 p i`, as the next one is read while this one computes;
`d F (i + 2)` while the largest tensor is checked for values that are not finite; one batch; the counters. A batch
takes `7 b d i` in attention (LayerNorm's output, q, k, v, heads mixed, the same put together, output; the
scores are fused), or in the FFN `3 b d i + b F i`, with, where silent columns are skipped, up to a share of SKIP_AT_MOST of fc1's
output and of fc2 copied once more. Before the first block, the embedding takes their place.
"""

from dataclasses import dataclass
from math import prod

from neuroncensus.models.architecture import POSITION_OFFSET, Architecture, expected_tensors
from neuroncensus.models.opt import SKIP_AT_MOST

ITEMSIZE = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
# Anonymous memory of a collect job with its libraries at work on a tiny shard: measured 0.24 GB with torch 2.13 for CPU.
PROCESS = 250_000_000
# The one that computes and the one that is being read.
BLOCKS = 2
# Uncompressed: layer, neuron, three counts and two bits of a row of counters.
COUNTER_ROW = 42


@dataclass(frozen=True)
class Part:
    """A part of a job's memory; phase `embedding` ends before `blocks` begins, the others (`""`) stay."""

    name: str
    formula: str
    bytes: int
    phase: str = ""


@dataclass(frozen=True)
class Memory:
    """The largest collect job's memory in one place, host or device."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Peak in bytes: what stays, and the larger phase."""
        phases = {phase: sum(part.bytes for part in self.parts if part.phase == phase) for phase in ("", "embedding", "blocks")}
        return phases[""] + max(phases["embedding"], phases["blocks"])


def block_weights(architecture: Architecture) -> int:
    """Weights and biases of one block."""
    return sum(prod(shape) for name, shape in expected_tensors(architecture).items() if name.startswith("layers.0."))


def embedding_weights(architecture: Architecture) -> int:
    """Weights that are read before the first block."""
    table = architecture.vocabulary * architecture.embedding_width + (architecture.positions + POSITION_OFFSET) * architecture.d
    return table + (architecture.d * architecture.embedding_width if architecture.embedding_width != architecture.d else 0)


def _working_parts(architecture: Architecture, rows: int, *, size: int, device: str, skip_silent: bool) -> list[Part]:
    """What comes and goes while a shard passes, wherever the blocks compute."""
    d, ffn = architecture.d, architecture.ffn
    embedding, table = embedding_weights(architecture), architecture.vocabulary * architecture.embedding_width
    attention = [("LayerNorm, q, k, v, mixed heads, output", "7 b d i", 7 * rows * d * size)]
    network = [("residual, attention's and FFN's output", "3 b d i", 3 * rows * d * size), ("fc1's output", "b F i", rows * ffn * size)]
    if skip_silent:
        share = SKIP_AT_MOST
        network.append(("its columns that are not silent", f"{share} b F i", int(share * rows * ffn) * size))
        network.append(("fc2's columns that are not silent", f"{share} d F i", int(share * d * ffn) * size))
    if architecture.activation == "relu2":
        network.append(("fc1's output squared", "b F i", rows * ffn * size))
    if device == "cuda":
        attention.append(("the batch on the device", "b d i", rows * d * size))
        network += [("the batch on the device", "b d i", rows * d * size), ("which values are active", "b F", rows * ffn)]
    batch = max((attention, network), key=lambda parts: sum(part[2] for part in parts))
    return [
        Part("embedding", "(V e + positions d) i", embedding * size, "embedding"),
        Part("check of the embedding", "V e (i + 2)", table * (size + 2), "embedding"),
        Part("blocks, this and the next", "2 p i", BLOCKS * block_weights(architecture) * size, "blocks"),
        Part("check of a tensor while it is read", "d F (i + 2)", d * ffn * (size + 2), "blocks"),
        *(Part(f"batch: {name}", formula, count, "blocks") for name, formula, count in batch),
    ]


def job_memory(
    architecture: Architecture,
    window: int,
    *,
    dtype: str,
    device: str,
    skip_silent: bool,
    batch_tokens: int,
    shard: int,
    layers: int,
) -> tuple[Memory, Memory | None]:
    """Host and device memory of a collect job; on the CPU there is no device.

    Args:
        window: T.
        dtype, device, skip_silent, batch_tokens: as the job has them.
        shard: positions of the shard, S.
        layers: of the stage.
    """
    size = ITEMSIZE[dtype]
    rows = min(max(batch_tokens // window, 1) * window, shard)
    working = _working_parts(architecture, rows, size=size, device=device, skip_silent=skip_silent)
    counters = 3 * 8 * architecture.ffn + (shard // window + 2) * 4 * architecture.ffn
    counting = Part("counters of a layer, documents waiting", "24 F + 4 F (S / T + 2)", counters)
    staying = [
        Part("Python and its libraries", "measured", PROCESS),
        Part("residual stream", "S d i", shard * architecture.d * size),
        Part("counters of the stage's layers", f"{COUNTER_ROW} F layers", COUNTER_ROW * architecture.ffn * layers),
    ]
    if device == "cuda":
        return Memory(tuple(staying)), Memory((*working, counting))
    return Memory((*staying, counting, *working)), None
