"""Which code a result depends on.

Snakemake watches a rule's script but not the modules that it imports. So every rule carries, as a
parameter, a digest of the package files that its one call can reach: a change in one of them re-runs
the rules that depend on it, and no others.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = "neuroncensus"
ROOT = Path(__file__).parent
# What a user sees while a job runs, not what it computes.
PRESENTATION = frozenset({"neuroncensus.errors", "neuroncensus.progress", "neuroncensus.jobs"})


def _module_file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split(".")[1:])
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


@cache
def _imports(module: str) -> frozenset[str]:
    file = _module_file(module)
    assert file is not None, f"no such module: {module}"
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return frozenset(name for name in found if name.split(".")[0] == PACKAGE and _module_file(name))


@cache
def code_digest(module: str) -> str:
    """A digest of a module of the package and of every package module that it imports, directly or not."""
    seen, waiting = {module}, [module]
    while waiting:
        for name in _imports(waiting.pop()) - seen - PRESENTATION:
            seen.add(name)
            waiting.append(name)
    digest = hashlib.sha256()
    for name in sorted(seen):
        file = _module_file(name)
        assert file is not None
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
