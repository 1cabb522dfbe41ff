"""Every sentence that docs/troubleshooting.md quotes is one that the package says."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PAGE = PROJECT / "docs" / "troubleshooting.md"
LISTS = re.findall(r"^- (`[^`]+`(?:, `[^`]+`)*):", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
QUOTED = [quoted for sentences in LISTS for quoted in re.findall(r"`([^`]+)`", sentences)]


def sentences() -> str:
    """All string literals of the package, one a line, with … for what an f-string fills in."""
    found = []
    for file in sorted((PROJECT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n" + "\n".join(found)


SENTENCES = sentences()


def test_page_quotes_sentences():
    assert len(LISTS) == sum(line.startswith("- ") for line in PAGE.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("quoted", QUOTED)
def test_quoted_sentence_starts_one_of_the_package(quoted):
    # Two places beside each other (`{table} {path}`) are one … on the page.
    assert re.search(r"\n(… ?)*" + re.escape(quoted.removeprefix("… ")), SENTENCES)
