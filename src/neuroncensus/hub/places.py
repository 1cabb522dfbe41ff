"""What is wanted from the Hugging Face Hub and where it comes to lie, from names alone.

Free of the Hub's client: the workflow reads this while it works out its jobs.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from neuroncensus.errors import CensusError

HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")
BRANCH = "main"
"""The revision of a source that names none."""
LISTING = "hub.json"
"""The file in a downloaded folder that says what the repository holds; see `neuroncensus.hub.listing`."""
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json")
RECORD_FORMATS = (*(f".{kind}{packed}" for kind in ("jsonl", "json") for packed in ("", ".gz", ".zst")), ".parquet")
"""Files of a data set that can be read: JSON lines, plain or packed, and parquet."""


@dataclass(frozen=True)
class HubSource:
    """One repository at one revision, as the configuration asks for it.

    Attributes:
        place: its folder below resources/, such as `models/opt-66b`.
        kind: `model` or `dataset`.
        repo: org/name.
        revision: commit, branch or tag.
        key: the key of the configuration that names it, for sentences.
        files: what of it is wanted, each a target of its own; none for what `neuroncensus.hub.download` chooses, in one job.
        weights, tokenizer: what is chosen, where no files are named.
        architecture: what its config.json must say, where that is known before; keys as there.
    """

    place: str
    kind: str
    repo: str
    revision: str
    key: str
    files: tuple[str, ...] = ()
    weights: bool = False
    tokenizer: bool = False
    architecture: tuple[tuple[str, object], ...] = ()

    @property
    def folder(self) -> str:
        """Where it lies, below the working directory."""
        return f"resources/{self.place}"

    @property
    def listing(self) -> str:
        """The file that says what the repository holds."""
        return f"{self.folder}/{LISTING}"

    @property
    def entry(self) -> str:
        """The entry of the configuration, whose keys sentences name: `models.opt-66b`."""
        return self.key.rsplit(".", 1)[0]

    def paths(self, names: Iterable[str] | None = None) -> list[str]:
        """Where files of it lie; all that are wanted unless told which."""
        return [f"{self.folder}/{name}" for name in (self.files if names is None else names)]


def outside(name: str) -> bool:
    """Whether a file name of a repository would lie outside its folder, or could on some system."""
    return bool(set(name) & set("\\:\0")) or any(part in ("", ".", "..") for part in name.split("/"))


def check_files(names: Iterable[str], key: str, *, folders: bool) -> None:
    """Refuse file names of a configuration that no repository can mean.

    Args:
        folders: whether the file may lie in a folder of the repository.

    Raises:
        CensusError: names the key and the file.
    """
    for name in names:
        if outside(name):
            raise CensusError(f"{key} has {name!r}, which lies outside the repository's folder: refused; name a file of the repository")
        if not folders and "/" in name:
            raise CensusError(f"{key} has {name}: the files of a model lie in its repository's top folder; name one there")
        if name == LISTING or "{" in name or "}" in name or "\n" in name:
            raise CensusError(f"{key} has {name!r}, a name that the workflow cannot give to a file: leave it out")


def data_place(repo: str, revision: str) -> str:
    """Where a data set lies, below resources/."""
    return f"corpora/hub/{repo.replace('/', '--')}@{quote(revision, safe='')}"


def data_folder(source: dict) -> str:
    """Where the files of a `hub` text source lie, below the working directory."""
    return f"resources/{data_place(source['hub'], source.get('revision') or BRANCH)}"
