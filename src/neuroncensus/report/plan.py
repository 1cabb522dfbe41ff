"""`plan.md`: what a census of a model costs, before anything is spent on it."""

import logging
from collections.abc import Iterable
from pathlib import Path

import torch

from neuroncensus.collect.devices import Compute, resolve_compute
from neuroncensus.dtypes import resolve_dtype
from neuroncensus.errors import CensusError
from neuroncensus.files import atomic_path
from neuroncensus.models.architecture import Architecture
from neuroncensus.report.calibration import LARGEST, calibration_shape, measure_rate
from neuroncensus.report.costs import SLOWER, Plan, price
from neuroncensus.report.jobmemory import BLOCKS, ITEMSIZE, Memory, device_shortage
from neuroncensus.report.terms import Domain, Rate, Settings
from neuroncensus.report.units import counted, prefixed, shown_bytes, shown_flops, shown_seconds

log = logging.getLogger(__name__)

UPDATES_66B = (
    "28 minutes, 1.15 times its bare products, and 3.2 GB on 2 cores that others used too (extrapolated from 4 of its 56 blocks of "
    "neurons); 64 of them are 30 hours."
)
"""Measured by `benchmarks/updates.py`."""


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(cells) + " |" for cells in lines), ""]


def _totals(plan: Plan) -> str:
    everything, settings = plan.findings[-1], plan.settings
    place = f", and {shown_bytes(plan.device.total)} on the device" if plan.device else ""
    disk = sum(size for _, size, _ in plan.disk)
    return (
        f"A census of {settings.model} on corpus {settings.corpus}: {counted(plan.positions, 'position')} in "
        f"{counted(plan.shards, 'shard')} go through {counted(plan.architecture.n_layers, 'layer')}, which is with all "
        f"that reads the weights {shown_flops(everything.flops)} FLOP in {counted(sum(everything.jobs.values()), 'job')}: "
        f"about **{shown_seconds(everything.seconds)}** on one device. "
        f"A collect job needs {shown_bytes(plan.host.total)} of memory{place}. "
        f"{shown_bytes(disk)} of disk are written at most."
    )


def _rate_sentence(rate: Rate, d: int) -> str:
    if rate.width is None:
        how = "given by `plan.flops`"
    else:
        how = "measured for this page, counting included, in a block of made-up weights of "
        how += "the model's shape" if rate.width == d else f"width {rate.width}, the model's own halved until it is quickly made"
    return f"Rate: {prefixed(rate.flops, 'FLOP/s')} on {rate.on}, {how}."


def _device_sentence(plan: Plan) -> list[str]:
    """Whether the CUDA device that was found can hold what a job needs; nothing where none was found."""
    memory = plan.rate.memory
    if plan.device is None or memory is None:
        return []
    told = device_shortage(plan.jobs, memory)
    return [f"The device has {shown_bytes(memory)}: enough." if told is None else f"**{told[:1].upper()}{told[1:]}.**", ""]


def _stage_lines(plan: Plan) -> list[str]:
    head = ("stage", "layers", "positions", "shards", "jobs", "FLOP", "weights read", "hidden states read", "written", "time")
    rows = []
    for stage in plan.stages:
        layers = f"{stage.layers.start}–{stage.layers.stop - 1}" if stage.layers else "none"
        moved = [shown_bytes(size) for size in (stage.weights_read, stage.hidden_read, stage.hidden_written)]
        counts = [f"{stage.positions:,}", f"{plan.shards:,}", f"{stage.jobs:,}", shown_flops(stage.flops)]
        rows.append([str(stage.number), layers, *counts, *moved, shown_seconds(stage.seconds)])
    return ["## Stages", "", *_table(head, rows)]


def _finding_lines(plan: Plan) -> list[str]:
    rows = []
    for finding in plan.findings:
        stages = ", ".join(map(str, finding.stages)) or "none"
        time = shown_seconds(finding.seconds) if finding.stages else "not estimated"
        counts = [f"{sum(finding.jobs.values()):,}", shown_flops(finding.flops), shown_bytes(finding.weights_read), time]
        rows.append([finding.name, finding.target, ", ".join(finding.parts), stages, *counts])
    lines = ["## Findings, each as if asked for alone", ""]
    lines += _table(("finding", "made", "parts", "stages", "jobs", "FLOP", "weights read", "time"), rows)
    lines += ["A collect job writes every counter that there is, so a finding that is asked for later collects what has not run yet.", ""]
    lines += [*_again_lines(plan.settings), *_ngram_lines(plan.settings)]
    jobs = ", ".join(f"{rule} {count:,}" for rule, count in plan.findings[-1].jobs.items())
    return [*lines, f"Jobs of all of them, by rule: {jobs}.", ""]


def _again_lines(settings: Settings) -> list[str]:
    if settings.stages == 1:
        return []
    if settings.keep_hidden:
        return ["Hidden states between stages are kept: a target of a later stage goes on from them whenever it is asked for.", ""]
    gone = "Hidden states between stages are temporary, as `collect.keep_hidden` is false: a target of a later stage that is asked for "
    return [gone + "when they are gone runs the earlier stages again, to the same bytes.", ""]


def _ngram_lines(settings: Settings) -> list[str]:
    """What n-grams cost beside the passes, and their null."""
    sizes, state = ", ".join(map(str, settings.n)), "on" if settings.rotation_null else "off"
    return [
        f"N-grams of n = {sizes} are counted in core. No time of counting them is in this page: `benchmarks/ngrams.py` measures it, as a "
        f"share of the forward pass of the layers covered. The rotation null (`coverage.rotation_null`, which is {state}) doubles it, "
        "and about doubles the counters of n-grams on disk. The jobs of recollect_ngrams mostly find nothing to do; where a shard has "
        "dropped n-grams without proof, it goes once more through the layers in question.",
        "",
    ]


def _extra_lines(plan: Plan) -> list[str]:
    """What updates and ablations take, and the memory of the job that has more than a collect job's parts to hold."""
    settings = plan.settings
    rows = [(extra.rule, shown_flops(extra.flops), shown_bytes(extra.weights_read), shown_seconds(extra.seconds)) for extra in plan.extras]
    half = f" On CUDA its products are taken to be {SLOWER['cuda']} times as slow as half precision's." if settings.device == "cuda" else ""
    return [
        "## What neurons write, beside the collection",
        "",
        *_table(("job", "FLOP", "weights read", "time"), rows),
        f"project_updates multiplies every update with the embedding of every token, in float32, a layer in memory at a time.{half} "
        f"A layer of the 66b shape took {UPDATES_66B} collect_ablation zeroes at most {settings.ablation_detectors} token detectors "
        f"of a layer, each in {settings.ablation_contexts} contexts of T / 2 positions on average, with {settings.ablation_matched} "
        "neurons beside each (`ablation`); contexts of more than a shard's positions go up in turns.",
        "",
        *_memory_lines("Memory of project_updates, host", plan.projection),
    ]


def _memory_lines(title: str, memory: Memory) -> list[str]:
    rows = [(part.name, f"`{part.formula}`", part.phase or "always", shown_bytes(part.bytes)) for part in memory.parts]
    rows.append(("**at most together**", "", "", f"**{shown_bytes(memory.total)}**"))
    return [f"## {title}", "", *_table(("part", "bytes", "phase", "size"), rows)]


def _assumptions(plan: Plan) -> list[str]:
    settings, architecture = plan.settings, plan.architecture
    sizes = f"d {architecture.d}, F {architecture.ffn}, T {plan.window}, V {architecture.vocabulary}, e {architecture.embedding_width}"
    lines = [
        f"Symbols: {sizes}; i {ITEMSIZE[settings.dtype]} bytes of a number ({settings.dtype}); p weights of a block, "
        f"{shown_bytes(plan.block)} in all; S positions of the largest shard; b rows of a batch; "
        f"m {len(settings.n)} sizes of n-grams; r {settings.series // len(settings.n)}: 2 with their null, else 1; "
        f"K {settings.most}, the most n-grams that a finding asks about; R neurons of a block of updates.",
        "A position costs a layer `2 (4 d^2 + 2 d F)` FLOP in products and `4 T d / 2` in causal attention.",
        "Every window is full. Shorter ones need less attention; batches of unlike windows are padded by a seventh at most, and the "
        "residual stream and the bits with them.",
        "Time is FLOP divided by the rate, one job after another. Reading and writing are not in it: the next block is read while one "
        "computes. Nor are the seconds that each job takes to start, tokenizing, reductions and figures.",
        "Neurons that are silent in a whole batch save work, which is not deducted." if settings.skip_silent else "",
        f"Weights are read once by each collect job, stored as {settings.stored}; where the page cache holds them, not from disk.",
        f"Memory: {BLOCKS} blocks, since the next is being read; no page cache; no buffers of the libraries' own kernels"
        + (" and none of CUDA's own." if settings.device == "cuda" else "."),
        "Downloading is in no time, and the files of data sets are in no figure of disk: how large they are is said when they are listed."
        if settings.downloads.get("all")
        else "",
        f"The model is trained first: {shown_flops(plan.training_flops)} FLOP more, three times the forward pass of its "
        f"{settings.training_positions:,} positions, about {shown_seconds(plan.training_flops / plan.rate.flops)} at this rate."
        if plan.training_flops
        else "",
    ]
    return ["## What these numbers assume", "", *(f"- {line}" for line in lines if line), ""]


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan as Markdown: totals in a paragraph, then tables, then what was assumed."""
    texts = [(domain.part, domain.name, f"{domain.tokens:,}", f"{domain.shards:,}") for domain in plan.domains]
    disk = [(what, shown_bytes(size), note) for what, size, note in plan.disk]
    lines = [
        f"# Plan: {plan.settings.model}",
        "",
        _totals(plan),
        "",
        _rate_sentence(plan.rate, plan.architecture.d),
        "",
        *_device_sentence(plan),
    ]
    lines += [*_stage_lines(plan), *_finding_lines(plan)]
    lines += _memory_lines("Memory of a collect job, host", plan.host)
    if plan.device:
        lines += _memory_lines("Memory of a collect job, device", plan.device)
    lines += _extra_lines(plan)
    lines += ["## Disk, at most", "", *_table(("what", "size", "note"), disk)]
    lines += ["## Text", "", *_table(("part", "domain", "positions", "shards"), texts), *_assumptions(plan)]
    with atomic_path(path) as partial:
        partial.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _planned_compute(device: str, dtype: str, threads: int, flops: float | None) -> Compute:
    """As a job would resolve it; a given rate lets a machine without CUDA plan for one that has it."""
    if device != "cuda" or torch.cuda.is_available():
        return resolve_compute(device, dtype, threads)
    if flops is None:
        raise CensusError("device is cuda but torch finds no CUDA device to measure: set plan.flops, or set device to cpu or auto")
    return Compute(torch.device("cuda"), getattr(torch, resolve_dtype(dtype, "cuda")), threads)


def plan_census(
    architecture: dict, domains: list[dict], window: int, settings: dict, compute: dict, flops: float | None, out: Path
) -> None:
    """Price a census from its configuration and write the page.

    Args:
        architecture: fields of `Architecture`.
        domains: fields of each `Domain`.
        window: T.
        settings: fields of `Settings` but device and dtype.
        compute: device, dtype and threads as the configuration has them.
        flops: FLOP a second, or None to measure it here, which takes a few seconds.
        out: the page.

    Raises:
        CensusError: device is cuda, none is here, and no rate is given.
    """
    shape = Architecture(**architecture)
    resolved = _planned_compute(**compute, flops=flops)
    terms = Settings(**settings, **{key: value for key, value in resolved.settings().items() if key != "threads"})
    here = terms.device == "cuda" and torch.cuda.is_available()
    device = f"cuda ({torch.cuda.get_device_name()})" if here else terms.device
    on = f"{device}, {terms.dtype}" + (f", {counted(resolved.threads, 'thread')}" if terms.device == "cpu" else "")
    width = None if flops else calibration_shape(shape, resolved.dtype.itemsize, LARGEST[terms.device]).d
    memory = torch.cuda.get_device_properties(resolved.device).total_memory if here else None
    rate = Rate(flops or measure_rate(shape, resolved, window, terms.batch_tokens, skip=terms.skip_silent), on, width, memory)
    plan = price(shape, [Domain(**domain) for domain in domains], window, terms, rate)
    log.info(_rate_sentence(rate, shape.d))
    write_plan(plan, out)
