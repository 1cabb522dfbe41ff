"""The reference pages are those that the schemas give, and README's table of costs is what plans say."""

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import neuroncensus
from neuroncensus.report.plan import plan_census

PROJECT = Path(__file__).parent.parent


def tool(name: str) -> ModuleType:
    """A program of tools/, which are no package."""
    specification = importlib.util.spec_from_file_location(f"{name}_tool", PROJECT / "tools" / f"{name}.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


docs, plans = tool("docs"), tool("plans")


@pytest.mark.parametrize("name", docs.PAGES)
def test_page_is_up_to_date(name):
    assert (PROJECT / "docs" / name).read_text(encoding="utf-8") == docs.PAGES[name](), "run `make docs` and commit the pages"


PAGES = [*PROJECT.glob("*.md"), *PROJECT.glob("*/*.md"), *PROJECT.glob("models/*/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_to_files_of_the_project(page):
    links = re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("script", sorted((PROJECT / "workflow" / "scripts").glob("*.py")), ids=lambda script: script.stem)
def test_package_tells_the_call_of_every_rule(script):
    (imported,) = [
        node
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("neuroncensus.") and node.module != "neuroncensus.jobs"
    ]
    (call,) = [name.name for name in imported.names]
    told = call if call.startswith("plot_") else f" {imported.module}.{call} "
    assert neuroncensus.__doc__ and told in neuroncensus.__doc__


def test_readme_has_the_costs_of_all_sizes():
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert plans.with_table(readme) == readme, "run `make docs` and commit README"


# The program prices by itself, so it is held to the page that the workflow writes of the same configuration.
def test_costs_are_those_of_plan_md(tmp_path):
    asked = plans.asked("opt-66b")
    plan_census(**asked | {"compute": asked["compute"] | {"device": "cuda"}}, flops=plans.FLOPS, out=tmp_path / "plan.md")
    page = (tmp_path / "plan.md").read_text(encoding="utf-8")
    _, flops, jobs, time, download, *_, device = plans.row(plans.priced("opt-66b"))
    assert f"{flops} FLOP in {jobs} jobs: about **{time}** on one device" in page
    assert f"{device} on the device" in page and f"| checkpoint to download or to make | {download} |" in page
