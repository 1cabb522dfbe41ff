"""Which records of a data set became windows, so that a corpus can be rebuilt exactly: source, commit, file, rows, counts."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from neuroncensus.corpora.records import Document
from neuroncensus.hub.listing import read_listing
from neuroncensus.hub.places import LISTING, data_folder


def data_commit(source: dict) -> dict[str, str]:
    """The `commit` that the files of a `hub` source are of; nothing of any other source.

    Raises:
        CensusError: its listing is missing or broken.
    """
    return {"commit": read_listing(Path(data_folder(source), LISTING)).commit} if "hub" in source else {}


class Taken:
    """Documents as they pass by, and where those that were used stood; remembers nothing of a source that is no data set."""

    def __init__(self, source: dict, documents: Iterable[Document]):
        self._source = source
        self._documents = documents
        self._where: dict[int, str] = {}

    def __iter__(self) -> Iterator[Document]:
        for document in self._documents:
            if "hub" in self._source:
                self._where[document.index] = document.where
            yield document

    def rows(self, used: Iterable[int]) -> dict[str, list[dict]]:
        """`taken`: of each file with a document among those used, its checksum, the first and the last row (from 1; lines of
        JSON lines) and how many documents; nothing of any other source."""
        if "hub" not in self._source:
            return {}
        folder = data_folder(self._source)
        listed, found = read_listing(Path(folder, LISTING)).files, {}
        for number in used:
            path, _, row = self._where[int(number)].rpartition(":")
            name = path.removeprefix(f"{folder}/")
            entry = found.setdefault(name, {"file": name, "checksum": listed[name].checksum, "first_row": int(row), "documents": 0})
            entry |= {"last_row": int(row), "documents": entry["documents"] + 1}
        return {"taken": list(found.values())}
