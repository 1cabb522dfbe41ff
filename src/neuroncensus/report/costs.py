"""What a census of a model costs, worked out from its architecture and its corpus: no weight and no text is read.

With d the width, F the neurons of a layer and T the window, a position costs a layer `2 (4 d^2 + 2 d F)` FLOP in its products and
`4 T d / 2` in attention, half of the square because the kernel is causal. LayerNorm, softmax and counting are in no FLOP; a
measured rate has their time in it. Weights are read once by every collect job.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from neuroncensus.collect.stream import stage_layers
from neuroncensus.models.architecture import Architecture, expected_tensors
from neuroncensus.report.jobmemory import COUNTER_ROW, ITEMSIZE, Memory, block_weights, embedding_weights, job_memory

# Uncompressed, at most: a row of frequency.parquet; one of bounds.parquet or dead.parquet.
FREQUENCY_ROW, NEURON_ROW = 80, 130
# A window's document and start beside its tokens of 4 bytes.
WINDOW_ROW = 20


@dataclass(frozen=True)
class Domain:
    """One domain of one part: its budget in positions, and how many shards that is."""

    part: str
    name: str
    tokens: int
    shards: int


@dataclass(frozen=True)
class Settings:
    """What of the configuration prices are made of.

    Attributes:
        model, corpus: their names.
        device, dtype: resolved, e.g. `cpu` and `float32`.
        shard_tokens, batch_tokens, stages, skip_silent, keep_hidden: as in `collect`.
        stored: number format of the checkpoint.
        origin: where it comes from: `folder`, `training` or `hub`.
        training_positions: positions of the training run, for a model that the workflow trains.
    """

    model: str
    corpus: str
    device: str
    dtype: str
    shard_tokens: int
    batch_tokens: int
    stages: int
    skip_silent: bool
    keep_hidden: bool
    stored: str
    origin: str
    training_positions: int = 0


@dataclass(frozen=True)
class Rate:
    """What the device does.

    Attributes:
        flops: FLOP a second.
        on: the kind of device, with dtype and threads.
        width: of the block in which it was measured; None if the configuration gives the rate.
        memory: bytes of the CUDA device, where one was found.
    """

    flops: float
    on: str
    width: int | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Stage:
    """One stage over all shards; bytes and seconds are of all its jobs together."""

    number: int
    layers: range
    positions: int
    jobs: int
    flops: float
    weights_read: int
    hidden_read: int
    hidden_written: int
    seconds: float


@dataclass(frozen=True)
class Finding:
    """What one finding costs if it is the only one asked for."""

    name: str
    target: str
    parts: tuple[str, ...]
    stages: tuple[int, ...]
    jobs: dict[str, int]
    """By rule."""
    flops: float
    weights_read: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """A census priced; `disk` is (what, bytes, note) of everything that is written."""

    architecture: Architecture
    domains: tuple[Domain, ...]
    window: int
    settings: Settings
    rate: Rate
    checkpoint: int
    block: int
    stages: tuple[Stage, ...]
    findings: tuple[Finding, ...]
    training_flops: float
    host: Memory
    device: Memory | None
    least_device: Memory | None
    disk: tuple[tuple[str, int, str], ...]

    @property
    def positions(self) -> int:
        """Of all domains."""
        return sum(domain.tokens for domain in self.domains)

    @property
    def shards(self) -> int:
        """Of all domains."""
        return sum(domain.shards for domain in self.domains)


def layer_flops(architecture: Architecture, window: int) -> int:
    """FLOP of one layer for one position of a full window: products, and attention with a causal kernel."""
    d, ffn = architecture.d, architecture.ffn
    return 2 * (4 * d * d + 2 * d * ffn) + 4 * window * d // 2


def _memory(
    architecture: Architecture, window: int, settings: Settings, domains: Sequence[Domain], batch_tokens: int
) -> tuple[Memory, Memory | None]:
    """Of the job with the largest shard and the most layers."""
    return job_memory(
        architecture,
        window,
        dtype=settings.dtype,
        device=settings.device,
        skip_silent=settings.skip_silent,
        batch_tokens=batch_tokens,
        shard=_largest(domains, settings),
        layers=max(len(layers) for layers in stage_layers(architecture.n_layers, settings.stages)),
    )


def batch_that_fits(plan: Plan, memory: int) -> int | None:
    """The largest `collect.batch_tokens`, of this one halved, a window at least, that fits in `memory` bytes of the device."""
    batch = plan.settings.batch_tokens
    while batch > plan.window:
        batch = max(batch // 2, plan.window)
        device = _memory(plan.architecture, plan.window, plan.settings, plan.domains, batch)[1]
        if device is None or device.total <= memory:
            return batch
    return None


def _largest(domains: Sequence[Domain], settings: Settings) -> int:
    return max(min(domain.tokens, settings.shard_tokens) for domain in domains)


def _disk(architecture: Architecture, domains: Sequence[Domain], window: int, settings: Settings, checkpoint: int) -> list[tuple]:
    positions, shards = sum(domain.tokens for domain in domains), sum(domain.shards for domain in domains)
    neurons, size = architecture.n_layers * architecture.ffn, ITEMSIZE[settings.dtype]
    boundaries = settings.stages - 1
    kept = (boundaries if settings.keep_hidden else min(boundaries, 1)) * positions
    # A job between two boundaries has the file that it reads and the one that it writes.
    both = 0 if settings.keep_hidden or boundaries < 2 else _largest(domains, settings)
    note = "all boundaries, kept" if settings.keep_hidden else "at once, if every shard waits for its next stage; temporary"
    results = neurons * (FREQUENCY_ROW * len(domains) + 2 * NEURON_ROW)
    origins = {"folder": (0, "nothing: read in place"), "training": (checkpoint, "the model that is trained"), "hub": (checkpoint, "once")}
    return [
        ("checkpoint to download or to make", *origins[settings.origin]),
        ("windows of tokens", 4 * positions + WINDOW_ROW * -(-positions // window), "uncompressed, shared by models with this tokenizer"),
        ("hidden states", (kept + both) * architecture.d * size, note),
        ("counters", COUNTER_ROW * neurons * shards, "uncompressed"),
        ("tables of the findings", results, "uncompressed"),
    ]


def _stages(architecture: Architecture, domains: Sequence[Domain], window: int, settings: Settings, rate: Rate) -> list[Stage]:
    positions, shards = sum(domain.tokens for domain in domains), sum(domain.shards for domain in domains)
    hidden, weights = positions * architecture.d * ITEMSIZE[settings.dtype], block_weights(architecture)
    projection = architecture.d * architecture.embedding_width if architecture.embedding_width != architecture.d else 0
    stages = []
    for number, layers in enumerate(stage_layers(architecture.n_layers, settings.stages), start=1):
        first, last = number == 1, number == settings.stages
        flops = float(positions * (len(layers) * layer_flops(architecture, window) + first * 2 * projection))
        read = len(layers) * weights + first * embedding_weights(architecture)
        bytes_read = shards * read * ITEMSIZE[settings.stored]
        written, before = (0 if last else hidden), (0 if first else hidden)
        stages.append(Stage(number, layers, positions, shards, flops, bytes_read, before, written, flops / rate.flops))
    return stages


def _findings(
    architecture: Architecture, stages: Sequence[Stage], settings: Settings, shards: int, parts: tuple[str, ...]
) -> list[Finding]:
    training = {"train_tokenizer": 1, "pack_text": 2, "train_model": 1} if settings.origin == "training" else {}
    tokens = training | {"tokenize_shard": shards}
    collect = {"collect_stage": sum(stage.jobs for stage in stages[:-1]), "collect_last_stage": stages[-1].jobs}
    counted = tokens | {"describe_model": 1} | {rule: jobs for rule, jobs in collect.items() if jobs} | {"reduce_frequency": 1}
    dead = counted | {"prove_dead": 1, "classify_dead": 1, "plot_dead": 1}
    everything = dead | {"join_summary": 1, "join_provenance": 1}
    numbers, flops = tuple(stage.number for stage in stages), sum(stage.flops for stage in stages)
    read, seconds = sum(stage.weights_read for stage in stages), sum(stage.seconds for stage in stages)
    size = ITEMSIZE[settings.stored]
    proof = architecture.n_layers * architecture.ffn * architecture.d * size
    return [
        Finding("tokenizing", "windows of tokens", parts, (), tokens, 0.0, 0, 0.0),
        Finding("frequency", "frequency.parquet", parts, numbers, counted, flops, read, seconds),
        Finding("dead neurons", "dead.pdf", parts, numbers, dead, flops, read + proof, seconds),
        Finding("all of them", "a bare run", parts, numbers, everything, flops, read + proof, seconds),
    ]


def price(architecture: Architecture, domains: Sequence[Domain], window: int, settings: Settings, rate: Rate) -> Plan:
    """Price a census.

    Args:
        architecture: the model's shape.
        domains: what the corpus holds, core and extra; all windows are taken to be full.
        window: T.
        settings: how it is run.
        rate: what the device does a second.
    """
    stages = _stages(architecture, domains, window, settings, rate)
    stored = sum(prod(shape) for shape in expected_tensors(architecture).values()) * ITEMSIZE[settings.stored]
    host, device = _memory(architecture, window, settings, domains, settings.batch_tokens)
    _, least = _memory(architecture, window, settings, domains, window)
    parts = tuple(dict.fromkeys(domain.part for domain in domains))
    shards = sum(domain.shards for domain in domains)
    # Forward and backward of every layer and of the head, the usual three times the forward.
    head = 2 * architecture.vocabulary * architecture.embedding_width
    once = architecture.n_layers * layer_flops(architecture, architecture.positions) + head
    return Plan(
        architecture=architecture,
        domains=tuple(domains),
        window=window,
        settings=settings,
        rate=rate,
        checkpoint=stored,
        block=block_weights(architecture) * ITEMSIZE[settings.dtype],
        stages=tuple(stages),
        findings=tuple(_findings(architecture, stages, settings, shards, parts)),
        training_flops=3.0 * settings.training_positions * once,
        host=host,
        device=device,
        least_device=least,
        disk=tuple(_disk(architecture, domains, window, settings, stored)),
    )
