"""What jobs ask a scheduler for, held against what plan.md says of the same census."""

from dataclasses import asdict, replace
from math import ceil

import pytest

from neuroncensus.report.costs import price
from neuroncensus.report.needs import SLOWEST, Needing
from neuroncensus.report.terms import Rate
from plans_made import BIG, SETTINGS, TEXT
from workflow_runs import change_config, make_folder, plan

COMPUTE = {"device": "cuda", "dtype": "auto", "threads": 2}


def needing(compute: dict | None = None, flops: float | None = 5e14, **changed) -> Needing:
    settings = {key: value for key, value in asdict(replace(SETTINGS, **changed)).items() if key not in ("device", "dtype")}
    return Needing(asdict(BIG), [asdict(domain) for domain in TEXT], 2048, settings, COMPUTE | (compute or {}), flops)


@pytest.mark.parametrize(("device", "dtype"), [("cuda", "float16"), ("cpu", "float32"), ("auto", "float32")])
def test_memory_and_time_are_those_of_the_plan_and_more(device, dtype):
    kind = "cpu" if device == "auto" else device
    planned = price(BIG, TEXT, 2048, replace(SETTINGS, device=kind, dtype=dtype), Rate(5e14, "made up"))
    asked = needing({"device": device})
    shards = [asked.collect(domain.part, domain.name, 1) for domain in TEXT]
    assert max(needs.mem_mb for needs in shards) == ceil(1.2 * planned.host.total / 1e6)
    # Fifteen shards of prose are full: a job has a fifteenth of what the stage takes of them.
    stage = price(BIG, TEXT[:1], 2048, replace(SETTINGS, device=kind, dtype=dtype), Rate(5e14, "made up")).stages[0]
    assert shards[0].minutes == 10 + ceil(4 * stage.seconds / 15 / 60)
    assert asked.recollect("prose") == shards[0]
    projected, ablated = planned.extras
    assert asked.project().mem_mb == ceil(1.2 * planned.projection.total / 1e6)
    assert asked.project().minutes == 10 + ceil(4 * projected.seconds / 60)
    assert asked.ablate().minutes == 10 + ceil(4 * ablated.seconds / 60)
    assert asked.ablate().mem_mb < shards[0].mem_mb * 2


def test_without_a_rate_a_slow_device_is_reckoned_with():
    slow, given = needing(flops=None), needing(flops=SLOWEST["cuda"])
    assert slow.collect("core", "prose", 2) == given.collect("core", "prose", 2)
    threads = [needing({"device": "cpu", "threads": threads}, None).collect("core", "prose", 1).minutes - 10 for threads in (1, 8)]
    assert threads[0] == pytest.approx(8 * threads[1], rel=1e-3)


def test_recollecting_takes_every_stage_that_counts_ngrams():
    asked = needing(stages=3, layers="all")
    stages = [asked.collect("core", "prose", stage) for stage in (1, 2, 3)]
    found = asked.recollect("prose")
    assert found.minutes == sum(needs.minutes for needs in stages) and found.mem_mb == max(needs.mem_mb for needs in stages)


def test_a_shape_that_is_not_known_yet_is_asked_for_later(tmp_path, monkeypatch):
    folder = make_folder(tmp_path)
    monkeypatch.chdir(folder)
    change_config(folder, {"source": "org/whole", "corpus": "mytext", "window": 16, "tokenizer": "opt"}, "models", "whole")
    asked = plan(folder, "results/whole/dead.pdf").resources("collect_stage")
    assert asked and "mem_mb=<TBD>" in asked and "runtime=<TBD>" in asked
