"""Which code a result depends on.

Snakemake watches a rule's script, by its time, but not the modules that it imports; a fresh clone has new times
and the same code. So every rule carries, as a parameter, a digest of its script and of the package files that
this can reach, and profiles/default leaves times of scripts alone: a change in one of the files re-runs the
rules that depend on it, and no others. What else lies in a package's folder (a page, a style) belongs to its `__init__.py`.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = "neuroncensus"
ROOT = Path(__file__).parent
# What a user sees while a job runs, not what it computes.
PRESENTATION = frozenset({f"neuroncensus.{name}" for name in ("errors", "progress", "jobs", "collect.devicememory")})


def _module_file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split(".")[1:])
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _with_data(file: Path) -> list[Path]:
    """A file of the package, and with an `__init__.py` the files of its folder that are not Python."""
    data = file.parent.iterdir() if file.name == "__init__.py" else ()
    return [file, *sorted(other for other in data if other.is_file() and other.suffix != ".py" and not other.name.startswith("."))]


@cache
def _imports(file: Path) -> frozenset[str]:
    """The modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return frozenset(name for name in found if name.split(".")[0] == PACKAGE and _module_file(name)) - PRESENTATION


@cache
def code_digest(entry: Path) -> str:
    """A digest of a Python file and of every module of the package that it imports, directly or not, with its data.

    Args:
        entry: a rule's script, or a module of the package.
    """
    files, waiting = {"": entry}, [entry]
    while waiting:
        for name in _imports(waiting.pop()) - files.keys():
            file = _module_file(name)
            assert file is not None, "only modules of the package are followed"
            files[name] = file
            waiting.append(file)
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        for part in _with_data(file):
            told = name if part == file else f"{name}/{part.name}"
            digest.update(told.encode() + b"\0" + part.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
