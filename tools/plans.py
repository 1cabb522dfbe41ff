"""Print README's table of what a census of each OPT size costs, by the sums of plan.md, and put it there (`make docs`).

A test holds README to it.
"""

import re
from pathlib import Path

import yaml

from neuroncensus.census import Census
from neuroncensus.dtypes import resolve_dtype
from neuroncensus.models.architecture import Architecture
from neuroncensus.report.costs import Plan, price
from neuroncensus.report.terms import Domain, Rate, Settings
from neuroncensus.report.units import shown_bytes, shown_flops, shown_seconds

PROJECT = Path(__file__).parent.parent
DEVICE, FLOPS = "cuda", 2e14
"""What one H100 did with every counter and the null: 0.29 of 668 TFLOP/s (`benchmarks/README.md`)."""
HEAD = ("model", "FLOP", "jobs", "time on one GPU", "to download", "disk, with the download", "memory", "GPU memory")


def asked(model: str) -> dict:
    """What the defaults ask of a model's plan, as `neuroncensus.report.plan.plan_census` takes it."""
    names = ("config", "models", "corpora")
    files = [yaml.safe_load((PROJECT / "config" / f"{name}.yaml").read_text(encoding="utf-8")) for name in names]
    return Census(files[0] | files[1] | files[2], PROJECT).plan_inputs(model)


def priced(model: str) -> Plan:
    """What `results/{model}/plan.md` says with `device: cuda` and `plan: {flops: 2e14}`, everything else by default."""
    told = asked(model)
    settings = Settings(**told["settings"], device=DEVICE, dtype=resolve_dtype(told["compute"]["dtype"], DEVICE))
    domains = [Domain(**domain) for domain in told["domains"]]
    return price(Architecture(**told["architecture"]), domains, told["window"], settings, Rate(FLOPS, DEVICE))


def row(plan: Plan) -> tuple[str, ...]:
    """A model's cells, as `HEAD` names them."""
    everything, disk = plan.findings[-1], [size for _, size, _ in plan.disk]
    assert plan.device is not None, "priced for CUDA"
    memory = max(plan.host.total, plan.projection.total)
    sizes = [shown_bytes(size) for size in (disk[0], sum(disk), memory, plan.device.total)]
    jobs = f"{sum(everything.jobs.values()):,}"
    return (f"`{plan.settings.model}`", shown_flops(everything.flops), jobs, shown_seconds(everything.seconds), *sizes)


def table() -> str:
    """README's table, in Markdown."""
    models = yaml.safe_load((PROJECT / "config" / "config.yaml").read_text(encoding="utf-8"))["groups"]["paper"]
    rows = [HEAD, ("---",) * len(HEAD), *(row(priced(model)) for model in models)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def with_table(page: str) -> str:
    """README with the table in the place of the one that it has."""
    found, times = re.subn(r"^\| model \| FLOP \|.*\n(?:\|.*\n)+", lambda _: table() + "\n", page, flags=re.MULTILINE)
    assert times == 1, "README has one such table"
    return found


if __name__ == "__main__":
    readme = PROJECT / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
    print(table())
