"""Runs of the workflow in a user's own folder, in processes of their own."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import yaml
from pyarrow import parquet

from made_text import make_texts, make_tokenizer, write_jsonl
from models_made import make_opt

PROJECT = Path(__file__).parents[1]
WINDOW, SHARD_TOKENS = 16, 60
DEAD_PDF = "results/mine/dead.pdf"
FINDINGS = ["dead.pdf", "dead.parquet", "frequency.parquet", "positional.pdf", "updates.pdf", "saturation.pdf"]
FINDINGS += ["neurons.parquet", "summary.json", "provenance.json", "scorecard.md", "scorecard.json", "browser/index.html"]
# What differs from run to run by its nature: times, and what was said; and what Snakemake puts into a folder that it has seen.
NOT_COMPARED = ("logs", "benchmarks", ".snakemake_timestamp")
# What a user may set of Snakemake's; the rest is an outer run's.
KEPT = ("SNAKEMAKE_OUTPUT_CACHE",)


@dataclass(frozen=True)
class Run:
    """How a run of Snakemake ended and what it said on the terminal."""

    status: int
    said: str

    @property
    def last_lines(self) -> str:
        """What a user sees without scrolling."""
        return "\n".join(self.said.splitlines()[-40:])

    @property
    def planned(self) -> set[str]:
        """The outputs of the jobs that a dry run would run."""
        return {
            name for line in re.findall(r"^    output: (.*)$", self.said, re.MULTILINE) for name in re.sub(r" \(.*", "", line).split(", ")
        }

    @property
    def rules(self) -> dict[str, int]:
        """How many jobs of each rule a dry run would run; `all` left out."""
        names = re.findall(r"^ *(?:(?:local)?rule|checkpoint) (\w+):$", self.said, re.MULTILINE)
        return {name: names.count(name) for name in sorted(set(names)) if name != "all"}

    def resources(self, rule: str) -> str | None:
        """What a dry run says that the first job of a rule would ask for."""
        found = re.search(rf"^rule {rule}:\n(?:    .*\n)*?    resources: (.*)$", self.said, re.MULTILINE)
        return found and found[1]

    @property
    def nothing_to_do(self) -> bool:
        """Whether Snakemake found everything made."""
        return self.status == 0 and "Nothing to be done" in self.said


def command(folder: Path, *arguments: str, cores: int = 2, project: Path = PROJECT) -> list[str]:
    """The command that a user of the folder would type, by this Python."""
    own = ["--snakefile", str(project / "Snakefile"), "--directory", str(folder), "--configfile", str(folder / "my.yaml")]
    return [sys.executable, "-m", "snakemake", *own, "--cores", str(cores), *arguments]


def environment(project: Path = PROJECT) -> dict[str, str]:
    """This process's, with the project's own package in front and nothing of an outer Snakemake."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SNAKEMAKE_") or name in KEPT}
    return kept | {"PYTHONPATH": str(project / "src")}


def snakemake(folder: Path, *arguments: str, cores: int = 2, project: Path = PROJECT) -> Run:
    """Run the workflow in `folder` and wait for its end."""
    done = subprocess.run(
        command(folder, *arguments, cores=cores, project=project),
        cwd=folder,
        env=environment(project),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def plan(folder: Path, *targets: str, project: Path = PROJECT) -> Run:
    """A dry run that must find a way."""
    run = snakemake(folder, *targets, "-n", project=project)
    assert run.status == 0, run.said
    return run


def make_folder(folder: Path, *, layers: int = 2, positions: int = WINDOW) -> Path:
    """A user's folder: a checkpoint with its tokenizer, three kinds of text, and `my.yaml`."""
    model = make_opt(folder / "checkpoint", vocab=320, positions=positions, layers=layers, d=16, ffn=24)
    make_tokenizer(model)
    write_jsonl(folder / "data" / "prose.jsonl", make_texts(60, seed=1))
    (folder / "data" / "code").mkdir()
    for number, text in enumerate(make_texts(12, seed=2)):
        (folder / "data" / "code" / f"{number:02}.txt").write_text(text, encoding="utf-8")
    parquet.write_table(pyarrow.table({"body": make_texts(60, seed=3)}), folder / "data" / "letters.parquet")
    write_config(folder, USER_CONFIG)
    return folder


USER_CONFIG: dict = {
    "run": {"models": ["mine"]},
    "collect": {"shard_tokens": SHARD_TOKENS, "threads": 1},
    "models": {"mine": {"source": "checkpoint", "corpus": "mytext"}},
    "corpora": {
        "mytext": {
            "core": {
                "prose": {"path": "data/*.jsonl", "tokens": 100},
                "letters": {"path": "data/letters.parquet", "field": "body", "tokens": 50},
            },
            "extra": {"prose": {"path": "data/*.jsonl", "tokens": 40}, "code": {"path": "data/code/*.txt", "tokens": 60}},
            "positions": ["prose"],
        }
    },
}


def write_config(folder: Path, config: dict) -> None:
    """Write `my.yaml`."""
    (folder / "my.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")


def change_config(folder: Path, value: object, *path: str) -> None:
    """Set one key of `my.yaml`."""
    config = yaml.safe_load((folder / "my.yaml").read_text(encoding="utf-8"))
    place = config
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = value
    write_config(folder, config)


def copy_folder(folder: Path, to: Path) -> Path:
    """`cp -a`: times, links and Snakemake's records come along."""
    return Path(shutil.copytree(folder, to, symlinks=True))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of results/ and of the tokenized corpora, by name, but logs and benchmarks."""
    files = [file for top in ("results", "resources") for file in sorted((folder / top).rglob("*")) if file.is_file()]
    names = {str(file.relative_to(folder)): file for file in files}
    return {name: file.read_bytes() for name, file in names.items() if not set(NOT_COMPARED) & set(Path(name).parts)}


def records(folder: Path) -> dict[str, dict]:
    """What Snakemake wrote down about every output: its inputs, params, code."""
    found = {}
    for file in (folder / ".snakemake" / "metadata").rglob("*"):
        if file.is_file():
            name = base64.b64decode(str(file.relative_to(folder / ".snakemake" / "metadata")).replace("@", ""), validate=False)
            found[name.decode(errors="replace")] = json.loads(file.read_text(encoding="utf-8"))
    return found
