"""What the benchmarks share: options, runs in turns, the record of a row, and the two things that are compared everywhere."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks._made import PART, PROSE, Model, Text
from neuroncensus.collect.batches import make_batches
from neuroncensus.collect.job import Settings
from neuroncensus.collect.ngrams import NgramSettings
from neuroncensus.collect.shard import Ngrams, Positions, collect_shard
from neuroncensus.corpora.ngrams import write_order
from neuroncensus.corpora.shards import read_shard

THREADS = 2
"""Of torch, on both sides of every comparison on the CPU."""
BATCH_TOKENS = 4096
"""Positions of a batch, on both sides."""
SIZES = (1, 2, 3)
NGRAMS = NgramSettings(share=0.95, most=500, rotation_null=True)
SETTINGS: dict[str, Any] = {
    "device": "cpu",
    "dtype": "float32",
    "threads": THREADS,
    "batch_tokens": BATCH_TOKENS,
    "stages": 2,
    "skip_silent": True,
}
BOS = 2


@dataclass(frozen=True)
class Options:
    """Of every benchmark: a tiny shape in seconds, or the real one; and how many times each side runs."""

    quick: bool
    repeats: int
    folder: Path
    """For what is made; removed at the end."""


@dataclass(frozen=True)
class Row:
    """One figure: a ratio unless its unit says otherwise; None with a note if there is none."""

    case: str
    figure: float | None
    target: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Of each side, run by run."""
    note: str = ""
    unit: str = ""


def paired(options: Options, contenders: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Seconds of each contender, run in turns after a warm-up of each; a quick one has no warm-up.

    A contender that returns a float has timed itself, as those do that run in a process of their own.
    """
    if not options.quick:
        for run in contenders.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.repeats):
        for name, run in contenders.items():
            start = time.perf_counter()
            own = run()
            seconds[name].append(own if isinstance(own, float) else time.perf_counter() - start)
    return seconds


def ratio(seconds: Mapping[str, list[float]], over: str, under: str) -> float:
    """Of the minima of two contenders."""
    return min(seconds[over]) / min(seconds[under])


def collect(model: Model, text: Text, out: Path, *, everything: bool = True, null: bool = True, **changed: Any) -> None:
    """Ours: every stage of every shard, with every counter: activations, positions, n-grams of 1 to 3 tokens and their null.

    The order of a shard by n-gram, which depends on its tokens alone and serves all models, is in it. What is written stays in `out`.

    Args:
        everything: count n-grams and positions too, beside activations, at BOS, and documents.
        null: count the n-grams' null.
        changed: what differs from `SETTINGS`.
    """
    settings, rules = Settings(**SETTINGS | changed), replace(NGRAMS, rotation_null=null)
    for number, windows in enumerate(text.shards):
        folder = out / str(number)
        order, ngrams, hidden = (folder / name for name in ("order.parquet", "ngrams.parquet", "hidden.safetensors"))
        write_order(windows, SIZES, order, ngrams)
        for stage in range(1, settings.stages + 1):
            counters = {name: folder / f"{name}-{stage}.parquet" for name in ("activations", "ngrams", "positions")}
            collect_shard(
                settings,
                folder=model.folder,
                description=model.description,
                windows=windows,
                part=PART,
                domain=PROSE,
                shard=number,
                stage=stage,
                hidden_before=hidden if stage > 1 else None,
                hidden_after=hidden if stage < settings.stages else None,
                out=counters["activations"],
                # The first stage ends with the first half, whose n-grams are counted.
                ngrams=Ngrams(rules, order, ngrams, "first_half", counters["ngrams"]) if everything and stage == 1 else None,
                positions=Positions(True, counters["positions"]) if everything else None,
            )


def batches_of(text: Text, batch_tokens: int = BATCH_TOKENS) -> list[torch.Tensor]:
    """Token ids of the same windows in the same batches as ours, (windows, T) each."""
    found = []
    for path in text.shards:
        shard = read_shard(path)
        found += [torch.from_numpy(batch.ids(shard, BOS)) for batch in make_batches(shard.lengths, batch_tokens)]
    return found


def transformers_model(model: Model, dtype: str, attention: str = "sdpa", *, causal: bool = False) -> Any:
    """transformers' `OPTModel` of the same weights, or `OPTForCausalLM`, in evaluation mode; torch's threads are set."""
    from transformers import OPTForCausalLM, OPTModel  # noqa: PLC0415 # seconds, and not every benchmark needs it
    from transformers.utils import logging  # noqa: PLC0415

    logging.disable_progress_bar()
    torch.set_num_threads(THREADS)
    kind = OPTForCausalLM if causal else OPTModel
    return kind.from_pretrained(model.folder, dtype=getattr(torch, dtype), attn_implementation=attention).eval()


@torch.inference_mode()
def forward(model: Any, batches: Iterable[torch.Tensor]) -> None:
    """The bare forward pass: no cache, no mask, no head, nothing counted."""
    for ids in batches:
        model(input_ids=ids, use_cache=False)


def machine() -> dict[str, Any]:
    """The machine in general terms."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    cores, vector = len(os.sched_getaffinity(0)), torch.backends.cpu.get_cpu_capability()
    return {"cores": cores, "vector_unit": vector, "memory_gb": round(memory / 1e9), "cuda": cuda, "torch": torch.__version__}


def markdown(benchmark: str, row: Row) -> str:
    """A line of the table."""
    figure = "none" if row.figure is None else f"{row.figure:.3g} {row.unit}".strip()
    times = ", ".join(f"{name} {min(seconds):.3g} s" for name, seconds in row.seconds.items() if seconds)
    return f"| {benchmark} | {row.case} | {figure} | {row.target} | {'; '.join(filter(None, (times, row.note)))} |"


HEAD = ("| benchmark | case | measured | target | of which |", "|---|---|---|---|---|")


def main(rows: Callable[[Options], Iterable[Row]]) -> None:
    """The command line of a benchmark: each row is printed as it is measured, and appended to the file of `--records`."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tiny shape, once: shows that it runs, and nothing else")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side after its warm-up; the minimum counts")
    parser.add_argument("--records", type=Path, help="file to append a JSON record a row to")
    given = parser.parse_args()
    name = Path(sys.argv[0]).stem
    print(*HEAD, sep="\n")
    with tempfile.TemporaryDirectory(prefix="neuroncensus-bench-") as folder:
        for row in rows(Options(given.quick, 1 if given.quick else given.repeats, Path(folder))):
            print(markdown(name, row), flush=True)
            if given.records:
                with given.records.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"benchmark": name, "quick": given.quick, **asdict(row)}) + "\n")
