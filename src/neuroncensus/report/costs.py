"""What a census of a model costs, worked out from its architecture and its corpus: no weight and no text is read.

With d the width, F the neurons of a layer and T the window, a position costs a layer `2 (4 d^2 + 2 d F)` FLOP in its products and
`4 T d / 2` in attention, half of the square because the kernel is causal. LayerNorm, softmax and counting are in no FLOP; a
measured rate has the time of all of them but n-grams in it. Weights are read once by every collect job.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from neuroncensus.collect.stages import stage_layers
from neuroncensus.models.architecture import Architecture, expected_tensors
from neuroncensus.report import jobcounts
from neuroncensus.report.disk import covered_layers, disk_taken
from neuroncensus.report.jobmemory import ITEMSIZE, JobShape, Memory, block_weights, embedding_weights, job_memory
from neuroncensus.report.terms import Domain, Rate, Settings
from neuroncensus.report.updatecosts import ablation_flops, projection_flops, projection_memory

# Products in float32 take so much longer than those that a rate is of: on CUDA that is half precision.
SLOWER = {"cpu": 1, "cuda": 16}


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
class Extra:
    """What a job beside the collection computes."""

    rule: str
    flops: float
    weights_read: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """A census priced.

    `jobs` has the largest collect job of each domain, `host` and `device` the memory of the largest of all; `disk` is
    (what, bytes, note) of everything that is written; `extras` what is computed beside collect jobs, and `projection`
    the host memory of project_updates.
    """

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
    jobs: tuple[JobShape, ...]
    host: Memory
    device: Memory | None
    extras: tuple[Extra, ...]
    projection: Memory
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


def job_shapes(architecture: Architecture, domains: Sequence[Domain], window: int, settings: Settings) -> list[JobShape]:
    """The collect job of each domain with the most to hold: the first stage of a whole shard."""
    return [
        JobShape(
            architecture,
            window,
            dtype=settings.dtype,
            device=settings.device,
            skip_silent=settings.skip_silent,
            batch_tokens=settings.batch_tokens,
            shard=min(domain.tokens, settings.shard_tokens),
            sizes=len(settings.n) if domain.part == jobcounts.CORE else 0,
            rotation_null=settings.rotation_null,
            most=settings.most,
            positions=domain.positions,
        )
        for domain in domains
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


def extras(architecture: Architecture, window: int, settings: Settings, rate: Rate) -> list[Extra]:
    """What reading updates off and zeroing detectors take, at most."""
    whole = embedding_weights(architecture) + architecture.n_layers * block_weights(architecture)
    written = 2 * architecture.n_layers * architecture.d * architecture.ffn + architecture.vocabulary * architecture.embedding_width
    contexts = covered_layers(architecture, settings) * settings.ablation_detectors * settings.ablation_contexts
    times = max(1, -(-contexts * window // 2 // settings.shard_tokens))  # that contexts go up, so many at once
    projected = float(projection_flops(architecture))
    ablated = float(ablation_flops(architecture, window, contexts, settings.ablation_matched, layer_flops(architecture, window)))
    size = ITEMSIZE[settings.stored]
    return [
        Extra("project_updates", projected, written * size, projected * SLOWER[settings.device] / rate.flops),
        Extra("collect_ablation", ablated, times * whole * size, ablated / rate.flops),
    ]


def _findings(architecture: Architecture, domains: Sequence[Domain], window: int, settings: Settings, rate: Rate) -> list[Finding]:
    def shape_of(text: Sequence[Domain], what: str = "all") -> jobcounts.Shape:
        shards = {part: sum(domain.shards for domain in text if domain.part == part) for part in (jobcounts.CORE, jobcounts.EXTRA)}
        stages = {"stages": settings.stages, "covered": settings.covered_stages}
        named = len({domain.name for domain in text if domain.positions})
        fetched = {name.replace(what, "all"): jobs for name, jobs in settings.downloads.items() if name.split()[0] in (what, "core")}
        return jobcounts.Shape(**shards, **stages, trained=settings.origin == "training", by_position=named, downloads=fetched)

    proof = architecture.n_layers * architecture.ffn * architecture.d * ITEMSIZE[settings.stored]
    shape, core = shape_of(domains), [domain for domain in domains if domain.part == jobcounts.CORE]
    by_position = [domain for domain in domains if domain.positions]
    every, covered = shape.stages, shape.covered

    writing = extras(architecture, window, settings, rate)

    def finding(
        name: str, target: str, text: Sequence[Domain], stages: int, jobs: dict[str, int], read: int = 0, more: Sequence[Extra] = ()
    ) -> Finding:
        """`stages`: how many are computed, from the first; `read`: bytes of weights beside those of collect jobs; `more`: other work."""
        computed = _stages(architecture, text, window, settings, rate)[:stages]
        flops = sum(stage.flops for stage in computed) + sum(extra.flops for extra in more)
        read += sum(stage.weights_read for stage in computed) + sum(extra.weights_read for extra in more)
        numbers, parts = tuple(stage.number for stage in computed), tuple(dict.fromkeys(domain.part for domain in text))
        seconds = sum(stage.seconds for stage in computed) + sum(extra.seconds for extra in more)
        return Finding(name, target, parts, numbers, jobs, flops, read, seconds)

    positional = [
        finding("positional neurons", "positional.pdf", by_position, every, jobcounts.positional(shape_of(by_position, "positional")))
    ]
    return [
        finding("tokenizing", "windows of tokens", domains, 0, jobcounts.tokenizing(shape)),
        finding("frequency", "frequency.parquet", domains, every, jobcounts.frequencies(shape)),
        finding("dead neurons", "dead.pdf", domains, every, jobcounts.dead(shape), proof),
        finding("n-grams that cover", "coverage.pdf", domains, covered, jobcounts.coverage(shape)),
        finding("detectors", "detectors.pdf", core, covered, jobcounts.detectors(shape)),
        *(positional if by_position else []),
        finding("what neurons write", "updates.pdf", core, covered, jobcounts.updates(shape), more=writing),
        finding("saturation", "saturation.pdf", domains, every, jobcounts.saturation(shape), proof),
        finding("all of them", "a bare run", domains, every, jobcounts.everything(shape), proof, writing),
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
    stored = sum(prod(shape) for shape in expected_tensors(architecture).values()) * ITEMSIZE[settings.stored]
    jobs = job_shapes(architecture, domains, window, settings)
    hosts, devices = zip(*map(job_memory, jobs), strict=True)
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
        stages=tuple(_stages(architecture, domains, window, settings, rate)),
        findings=tuple(_findings(architecture, domains, window, settings, rate)),
        training_flops=3.0 * settings.training_positions * once,
        jobs=tuple(jobs),
        host=max(hosts, key=lambda memory: memory.total),
        device=max(devices, key=lambda memory: memory.total) if settings.device == "cuda" else None,
        extras=tuple(extras(architecture, window, settings, rate)),
        projection=projection_memory(architecture, settings.stored),
        disk=tuple(disk_taken(architecture, domains, window, settings, settings.checkpoint or stored)),
    )
