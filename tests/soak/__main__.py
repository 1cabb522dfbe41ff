"""`python -m soak`: the whole soak; the table on the terminal, and in results/soak/ as Markdown and JSON."""

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from soak.ground import Ground
from soak.soak import soak
from workflow_runs import PROJECT

RESULTS = PROJECT / "benchmarks" / "results"


def main() -> None:
    """Try them all; status 1 where one ended neither in a sentence nor in the same bytes."""
    arguments = argparse.ArgumentParser(prog="soak", description=__doc__)
    arguments.add_argument("--seed", type=int, default=0, help="of all draws")
    arguments.add_argument("--times", type=int, default=1, help="how many times the hundred")
    arguments.add_argument("--only", default="", help="kinds of fault with this in their name")
    asked = arguments.parse_args()
    folder, begun = Path(tempfile.mkdtemp(prefix="soak-")), time.monotonic()
    print(f"in {folder}", flush=True)
    ground = Ground(folder)
    try:
        result = soak(
            ground,
            asked.seed,
            lambda kind: kind.soak * asked.times if asked.only in kind.name else 0,
            told=lambda line: print(f"{time.monotonic() - begun:6.0f} s  {line}", flush=True),
        )
    finally:
        ground.close()
    RESULTS.mkdir(exist_ok=True)
    minutes = round((time.monotonic() - begun) / 60, 1)
    (RESULTS / "soak.json").write_text(
        json.dumps(result.told() | {"minutes": minutes, "cores": os.cpu_count()}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (RESULTS / "soak.md").write_text(result.markdown(), encoding="utf-8")
    print("", result.markdown(), f"{minutes} minutes. Written to {RESULTS}: soak.json, soak.md", sep="\n")
    if not result.clean:
        raise SystemExit(f"not every fault ended in a sentence or the same bytes; the runs are left in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
