"""Write requirements.lock, requirements-bench.lock and envs/neuroncensus.yaml from the pins of pyproject.toml (`make lock`).

The pins are installed into a fresh environment in a temporary folder, first those of the package, then the test
tools, then what benchmarks compare with, each held to the versions before it; what pip put there is the lock. Torch is
locked without its build (`+cpu`, `+cu126`) and without the CUDA packages, which torch pins itself: the same lock serves
machines with and without a GPU.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CUDA = re.compile(r"(nvidia|cuda|cupti|cudnn|nccl|triton|pytorch-triton)(-|_|=)")
LOCK_HEADER = """\
# Written by `make lock` from pyproject.toml; install with `pip install -r requirements.lock`.
# CUDA packages are left out on purpose: torch pins its own where it needs them.
"""
BENCH_HEADER = """\
# Written by `make lock` from pyproject.toml; what benchmarks compare with, on top of requirements.lock (`make bench`).
"""
ENVIRONMENT_HEADER = """\
# Written by `make lock`: the runtime pins of requirements.lock for conda and containers.
# The package itself goes on top: `pip install --no-deps <project>`.
name: neuroncensus
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def freeze(python: Path) -> list[str]:
    """`name==version` of every package beside `python`, without pip, CUDA packages and local versions."""
    command = [python, "-m", "pip", "freeze", "--all", "--exclude", "pip"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    pins = [line.partition("+")[0] for line in lines if not CUDA.match(line)]
    strange = [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+", pin)]
    if strange:
        raise SystemExit(f"make lock: {strange[0]!r} is not of the form name==version, so that it cannot be locked")
    return pins


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        locked: list[str] = []

        def install(requirements: list[str]) -> list[str]:
            """What these add to the environment; what is locked already keeps its version."""
            constraints = Path(folder) / "locked.txt"
            constraints.write_text("\n".join(locked), encoding="utf-8")
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", constraints]
            subprocess.run([*pip, *requirements], check=True)
            added = [pin for pin in freeze(python) if pin not in locked]
            locked.extend(added)
            return added

        runtime, tools, bench = install(project["dependencies"]), install(extras["test"]), install(extras["bench"])
    sections = ["# runtime", *runtime, "", "# test tools", *tools]
    (ROOT / "requirements.lock").write_text(LOCK_HEADER + "\n" + "\n".join(sections) + "\n", encoding="utf-8")
    (ROOT / "requirements-bench.lock").write_text(BENCH_HEADER + "\n" + "\n".join(bench) + "\n", encoding="utf-8")
    environment = ENVIRONMENT_HEADER + "".join(f"      - {pin}\n" for pin in runtime)
    (ROOT / "envs" / "neuroncensus.yaml").write_text(environment, encoding="utf-8")
    counted = f"{len(runtime)} runtime packages, {len(tools)} test tools and {len(bench)} packages of the benchmarks"
    print(f"locked {counted}", file=sys.stderr)


if __name__ == "__main__":
    main()
