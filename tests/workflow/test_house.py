"""What holds for every rule, script and module: sizes, logs, environments, and which code each result depends on."""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from workflow_runs import PROJECT

RULE_FILES = sorted((PROJECT / "workflow" / "rules").glob("*.smk"))
SCRIPTS = sorted((PROJECT / "workflow" / "scripts").glob("*.py"))
PACKAGE = PROJECT / "src" / "neuroncensus"


@dataclass(frozen=True)
class Rule:
    """A rule as written."""

    file: Path
    name: str
    body: str

    def told(self, directive: str) -> str | None:
        """What stands behind `script:` or `conda:`, a string in the line below."""
        found = re.search(rf'^    {directive}:\n        "([^"]+)"', self.body, re.MULTILINE)
        return found and found[1]


def rules() -> list[Rule]:
    """Every rule with a body of its own; one that uses another's is left out."""
    found = []
    for file in [PROJECT / "Snakefile", *RULE_FILES]:
        for match in re.finditer(r"^(?:rule|checkpoint) (\w+):\n((?:    .*\n|\n)+)", file.read_text(encoding="utf-8") + "\n", re.MULTILINE):
            found.append(Rule(file, match[1], match[2]))
    return found


RULES = [rule for rule in rules() if rule.name != "all"]


def lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def test_there_are_rules():
    assert len(RULES) >= 10 and {rule.told("script") for rule in RULES} == {f"../scripts/{script.name}" for script in SCRIPTS}


@pytest.mark.parametrize(("files", "most"), [(SCRIPTS, 25), (RULE_FILES, 150), (sorted(PACKAGE.rglob("*.py")), 300)])
def test_files_are_small(files, most):
    assert not {file.name: lines(file) for file in files if lines(file) > most}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_has_a_log_an_environment_and_its_code(rule):
    assert re.search(r'^    log:\n        "[^"]+\.log",$', rule.body, re.MULTILINE)
    environment = rule.told("conda")
    assert environment and (rule.file.parent / environment).resolve().is_file()
    # What is downloaded is what its checksum says, whatever code fetched it.
    code = [] if rule.file.stem == "hub" else [Path(str(rule.told("script"))).stem]
    assert re.findall(r'code=census.code\("(\w+)"\)', rule.body) == code


def test_every_figure_is_an_item_of_the_report_with_a_caption_a_category_and_labels():
    told = {}
    for rule in RULES:
        if "{figure_format}" in rule.body:
            call = ast.parse(re.search(r"^        figure=(report\((?:.*\n)+?        \)),$", rule.body, re.MULTILINE)[1]).body[0]
            figure, how = call.value.args[0].value, {key.arg: ast.literal_eval(key.value) for key in call.value.keywords}
            caption = (rule.file.parent / how["caption"]).read_text(encoding="utf-8")
            wildcards = set(re.findall(r"{(\w+)}", figure)) - {"figure_format"}
            # What it is of stands in its labels, each wildcard as it is called, and in its caption.
            assert how["labels"] == {name: f"{{{name}}}" for name in wildcards} | {"finding": Path(figure).stem}
            assert set(re.findall(r"snakemake\.wildcards\.(\w+)", caption)) == wildcards and caption.strip().endswith(".")
            told[rule.name] = (how["category"], tuple(how["labels"]))
    assert len(told) == len([script for script in SCRIPTS if script.stem.startswith("plot_")])
    # One category has one set of labels, or its table in the report would have holes.
    assert len(set(told.values())) == len({category for category, _ in told.values()})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_imports_one_module_of_the_package_and_what_is_there(script):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    imported = {
        node.module: node.names for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "neuroncensus.jobs"
    }
    assert imported.pop("pathlib", None)
    ((module, names),) = imported.items()
    assert module
    source = ast.parse((PACKAGE / Path(*module.split(".")[1:])).with_suffix(".py").read_text(encoding="utf-8"))
    defined = {node.name for node in source.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert {name.name for name in names} <= defined


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_is_one_call_inside_a_job(script):
    (block,) = [node for node in ast.parse(script.read_text(encoding="utf-8")).body if not isinstance(node, ast.ImportFrom)]
    assert isinstance(block, ast.With) and ast.unparse(block.items[0]) == "job(snakemake.log[0])"
    assert isinstance(block.body[-1], ast.Expr) and isinstance(block.body[-1].value, ast.Call)


@pytest.mark.parametrize("profile", sorted((PROJECT / "profiles").iterdir()), ids=lambda profile: profile.name)
def test_a_profile_does_half_done_jobs_again(profile):
    keys = yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8"))
    assert keys["rerun-incomplete"] is True


def test_reading_the_workflow_imports_nothing_heavy():
    heavy = "{'torch', 'transformers', 'pyarrow', 'polars', 'numpy'}"
    code = f"import sys, neuroncensus.census, neuroncensus.digest; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
