"""The reference pages are those that the schemas give."""

import importlib.util
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
specification = importlib.util.spec_from_file_location("docs_tool", PROJECT / "tools" / "docs.py")
assert specification and specification.loader
docs = importlib.util.module_from_spec(specification)
specification.loader.exec_module(docs)


@pytest.mark.parametrize("name", docs.PAGES)
def test_page_is_up_to_date(name):
    assert (PROJECT / "docs" / name).read_text(encoding="utf-8") == docs.PAGES[name](), "run `make docs` and commit the pages"
