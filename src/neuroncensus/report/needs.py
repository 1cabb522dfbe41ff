"""What a job asks a scheduler for: memory and time, worked out as plan.md works them out, before anything is read.

Memory is the sum that `neuroncensus.report.jobmemory` makes, and a fifth more. Time is a limit, not a forecast: the FLOP of
`neuroncensus.report.costs` at `plan.flops` or, without it, at a rate that any device of the kind should reach, four times over,
since n-grams are counted and counters written beside them, and ten minutes to begin. A job that was killed for either asks for as
much again.
"""

from dataclasses import dataclass
from math import ceil

from neuroncensus.collect.stages import stage_layers
from neuroncensus.dtypes import resolve_dtype
from neuroncensus.models.architecture import Architecture
from neuroncensus.report.costs import extras, job_shapes, layer_flops
from neuroncensus.report.jobmemory import job_memory
from neuroncensus.report.terms import Domain, Rate, Settings
from neuroncensus.report.updatecosts import projection_memory

SLOWEST = {"cpu": 1e10, "cuda": 5e13}
"""FLOP a second by device, on the CPU of each thread, that a time limit reckons with."""
MARGIN, TIMES, BEGIN = 1.2, 4, 10


@dataclass(frozen=True)
class Needs:
    """What a job asks for: MB (10^6 bytes) of host memory, and minutes."""

    mem_mb: int
    minutes: int


class Needing:
    """The jobs of one model.

    Args:
        architecture, domains, window, settings, compute: as `neuroncensus.report.plan.plan_census` takes them. A device `auto` is priced
            as the CPU, which is what a job finds that asked for no GPU.
        flops: FLOP a second, as `plan.flops`; None for the slowest to reckon with.
    """

    def __init__(self, architecture: dict, domains: list[dict], window: int, settings: dict, compute: dict, flops: float | None):
        self.architecture, self.window = Architecture(**architecture), window
        self.domains = [Domain(**domain) for domain in domains]
        device = "cuda" if compute["device"] == "cuda" else "cpu"
        self.settings = Settings(**settings, device=device, dtype=resolve_dtype(compute["dtype"], device))
        self.rate = Rate(flops or SLOWEST[device] * (compute["threads"] if device == "cpu" else 1), device)

    def _asked(self, host: int, seconds: float) -> Needs:
        return Needs(ceil(MARGIN * host / 1e6), BEGIN + ceil(TIMES * seconds / 60))

    def collect(self, part: str, domain: str, stage: int) -> Needs:
        """A whole shard of a domain through a stage of layers.

        Raises:
            KeyError: there is no such domain.
        """
        domains = {(d.part, d.name): d for d in self.domains}
        (shape,) = job_shapes(self.architecture, [domains[part, domain]], self.window, self.settings)
        layers = stage_layers(self.architecture.n_layers, self.settings.stages)[stage - 1]
        seconds = shape.shard * len(layers) * layer_flops(self.architecture, self.window) / self.rate.flops
        return self._asked(job_memory(shape)[0].total, seconds)

    def recollect(self, domain: str) -> Needs:
        """A whole shard of core once more, through every stage whose n-grams are counted."""
        stages = [self.collect("core", domain, stage) for stage in range(1, self.settings.covered_stages + 1)]
        return Needs(max(needs.mem_mb for needs in stages), sum(needs.minutes for needs in stages))

    def project(self) -> Needs:
        """`project_updates`."""
        projected, _ = extras(self.architecture, self.window, self.settings, self.rate)
        return self._asked(projection_memory(self.architecture, self.settings.stored).total, projected.seconds)

    def ablate(self) -> Needs:
        """`collect_ablation`: a shard's positions at once without counters, and a row for each version of each context."""
        _, ablated = extras(self.architecture, self.window, self.settings, self.rate)
        domain = Domain("extra", "", self.settings.shard_tokens, 1)
        (shape,) = job_shapes(self.architecture, [domain], self.window, self.settings)
        contexts = self.settings.ablation_detectors * self.settings.ablation_contexts * self.architecture.n_layers
        versions = contexts * (2 + self.settings.ablation_matched) * self.architecture.d * shape.item
        return self._asked(job_memory(shape)[0].total + versions, ablated.seconds)
