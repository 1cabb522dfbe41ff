"""Every command that README, CONTRIBUTING and docs/ show runs: here, as a dry run, or in a test that is named."""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from neuroncensus.config import check_config
from workflow_runs import PROJECT, environment, make_folder

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
PROGRAMS = r"(?:snakemake|make|python|pip|hf|docker|apptainer|sbatch|\.|\./\S+|\S*bin/\S+)"
SHELLS = ("", "sh", "bash", "shell", "console")
# What stands for something of the reader's own.
STANDS_FOR = {"path/to/neuroncensus": str(PROJECT), "…": "results/opt-nano/dead.pdf"}
# Run by another test, which is named, or by nobody here, with the reason.
ELSEWHERE = {
    ". .venv/bin/activate": "the environment that these tests run in",
    "snakemake --unlock": "tests/workflow/test_kills.py",
    "snakemake --cores 2 results/opt-nano/specialists.pdf": "tests/workflow/test_adding.py",
    "export SNAKEMAKE_OUTPUT_CACHE=/shared/tokenized": "tests/workflow/test_cache.py",
    "snakemake --cache tokenize_shard …": "tests/workflow/test_cache.py",
    "hf download org/name --revision <commit>": "needs the Hub",
    "hf auth login": "needs the Hub",
    "docker build -f envs/Dockerfile -t neuroncensus .": "needs docker; tests/test_pins.py holds what it installs",
    "apptainer build neuroncensus.sif envs/apptainer.def": "needs apptainer; tests/test_pins.py holds what it installs",
    "pip install --no-deps path/to/neuroncensus": "needs the package index; `make .venv` installs the same way",
}


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it."""

    page: str
    text: str

    def words(self, folder: Path) -> list[str]:
        """What a reader would type, with the made folder for the reader's own."""
        text = self.text
        for name, place in (STANDS_FOR | {"my-folder": str(folder)}).items():
            text = text.replace(name, place)
        return shlex.split(text, comments=True)


def commands(page: Path) -> list[Shown]:
    """Lines of blocks without a language or of a shell, and code within a line that calls a program."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found, block, language = [], False, ""
    for line in text.splitlines():
        if fence := re.match(r"\s*```(\w*)", line):
            block, language = not block, fence[1]
        elif block and language in SHELLS:
            found.append(line.partition("  #")[0])
        elif not block:
            # A program alone (`make`) is talked about, not called.
            found += [code for code in re.findall(r"`([^`]+)`", line) if re.match(rf"{PROGRAMS} ", code)]
    return [Shown(page.name, " ".join(line.split())) for line in found if line.strip()]


# The first page that shows a command counts: README before all others.
SHOWN = {shown.text: shown for page in reversed(PAGES) for shown in commands(page)}
MAKE = sorted({text.split()[1] for text in SHOWN if text.startswith("make ")})
OWN_FOLDER = [shown for shown in SHOWN.values() if "--directory" in shown.text]
HERE = [shown for shown in SHOWN.values() if shown.text.startswith("snakemake ") and shown not in OWN_FOLDER]
DRY = [shown for shown in HERE if shown.text not in ELSEWHERE]
TARGETS = [shown for shown in DRY if re.fullmatch(r"snakemake --cores \d+( results/\S+)+", shown.text)]
OTHERS = [shown for shown in DRY if shown not in TARGETS]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_every_command_is_run_somewhere():
    left = SHOWN.keys() - ELSEWHERE.keys() - {shown.text for shown in [*DRY, *OWN_FOLDER]}
    assert {text for text in left if not text.startswith("make ")} == set()
    assert not ELSEWHERE.keys() - SHOWN.keys(), "no page shows these any more"
    assert all((PROJECT / told).is_file() for told in ELSEWHERE.values() if re.fullmatch(r"tests/\S+", told))
    assert len(MAKE) >= 8 and len(TARGETS) >= 4 and OWN_FOLDER


# `.ci/run`, which makes the environment, lints and tests, is what runs these in earnest.
def test_makefile_has_every_target_that_is_shown():
    for target in MAKE:
        done = subprocess.run(["make", "--dry-run", target], cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"make {target}: {done.stderr}"


def dry_run(words: list[str], folder: Path) -> None:
    """A command from the project's folder, that would write to another one."""
    dry = [sys.executable, "-m", *words, "--directory", str(folder), "--dry-run"]
    done = subprocess.run(dry, cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(dry)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def test_targets_that_are_shown_can_be_made(tmp_path):
    """All of them in one dry run, which takes seconds each time."""
    targets = [word for shown in TARGETS for word in shown.words(tmp_path) if word.startswith("results/")]
    dry_run(["snakemake", "--cores", "2", *targets], tmp_path)


def readers_folder(folder: Path) -> Path:
    """A folder as README wants it, with its six lines of configuration."""
    (six,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert len(six.splitlines()) == 6
    make_folder(folder)
    for name, place in {"path/to/checkpoint": "checkpoint", "texts/*.txt": "data/code/*.txt"}.items():
        assert name in six
        six = six.replace(name, place)
    (folder / "my.yaml").write_text(six, encoding="utf-8")
    return folder


def test_own_folder_of_the_readme(tmp_path):
    (shown,) = [shown for shown in OWN_FOLDER if shown.page == "README.md"]
    dry_run(shown.words(readers_folder(tmp_path / "my-folder")), tmp_path / "my-folder")


@pytest.mark.slow
@pytest.mark.parametrize("shown", [*OTHERS, *(shown for shown in OWN_FOLDER if shown.page != "README.md")], ids=lambda shown: shown.text)
def test_other_commands_have_something_to_do(shown, tmp_path):
    folder = readers_folder(tmp_path / "my-folder")
    dry_run(shown.words(folder), folder)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configuration_that_is_shown_is_valid(page):
    """All YAML blocks of a page together over the defaults; what is no part of the configuration is another test's."""
    files = [yaml.safe_load((PROJECT / "config" / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("config", "models", "corpora")]
    config = files[0] | files[1] | files[2]
    for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        shown = yaml.safe_load(block)
        if shown.keys() <= config.keys():
            update_config(config, shown)
    check_config(config, PROJECT / "config" / "schemas" / "config.schema.yaml")
