"""The digest of a rule's code: the script, what it reaches, and nothing else."""

from pathlib import Path

import pytest

from neuroncensus import digest

FILES = {
    "script.py": "from pkg_jobs import x\nwith job():\n    from neuroncensus.a import f\n",
    "neuroncensus/a.py": "from neuroncensus.inner.b import g\nimport os\n",
    "neuroncensus/inner/b.py": "from neuroncensus import errors\nfrom neuroncensus.page import read\n",
    "neuroncensus/page/__init__.py": "def read(): ...\n",
    "neuroncensus/page/style.css": "p {}\n",
    "neuroncensus/inner/notes.txt": "of no package that is reached\n",
    "neuroncensus/c.py": "unrelated = 1\n",
    "neuroncensus/errors.py": "words = 1\n",
}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(digest, "ROOT", tmp_path / "neuroncensus")
    return tmp_path


def fresh(tree: Path) -> str:
    digest.code_digest.cache_clear()
    digest._imports.cache_clear()
    return digest.code_digest(tree / "script.py")


@pytest.mark.parametrize("name", FILES)
def test_what_a_script_reaches_changes_its_digest(tree, name):
    before = fresh(tree)
    (tree / name).write_text(FILES[name] + "# changed\n", encoding="utf-8")
    of_page = [f"neuroncensus/page/{file}" for file in ("__init__.py", "style.css")]
    reached = name in ("script.py", "neuroncensus/a.py", "neuroncensus/inner/b.py", *of_page)
    assert (fresh(tree) != before) == reached


def test_a_circle_of_imports_ends(tree):
    (tree / "neuroncensus/inner/b.py").write_text("from neuroncensus.a import f\n", encoding="utf-8")
    assert fresh(tree) == fresh(tree)
