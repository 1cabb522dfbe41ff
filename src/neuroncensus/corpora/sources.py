"""Where texts come from: the documents of a source, in order.

A source is a mapping of the config, one of

- `{path: glob, field: name}`: files in the order of their names, compared as strings, folders included.
  `.jsonl`, `.jsonl.gz`, `.jsonl.zst` and `.parquet` hold records whose `field` (default `text`) is the text;
  a file of any other extension is one document. **Choice**: files and folders whose names begin with a dot
  are read only if the glob spells the dot out; a byte order mark at the start of a file is no part of its
  text; blank lines of a `.jsonl` are no records; every other character, line ends included, stays as it is.
- `{hub: org/name, files: [...], revision: commit, field: name, where: {dotted.key: value}, drop: [...]}`: files of a data set
  on the Hub, in the order given, as `neuroncensus.hub.download` left them below the working directory. `.jsonl` and `.json`
  (JSON lines), plain, `.gz` or `.zst`, and `.parquet` hold records. Documents are the records whose keys have the values
  of `where` and whose text is none of `drop`, numbered in order; the others are passed over.
- `{installed: name, split: train | held_out}`: text that comes with a pinned package.
"""

import glob
from collections.abc import Iterator
from pathlib import Path

from neuroncensus.corpora.installed import SOURCES, SPLITS, installed_documents
from neuroncensus.corpora.records import Document, file_documents
from neuroncensus.corpora.wanted import Wanted
from neuroncensus.errors import CensusError
from neuroncensus.hub.places import data_folder

__all__ = ["Document", "read_documents", "read_texts", "source_files"]

DEFAULT_FIELD = "text"


def source_files(source: dict) -> list[str]:
    """The files that a source reads, in order, relative to the working directory as a `path` is; none of an installed text."""
    if "hub" in source:
        if not source.get("files"):
            raise CensusError(f"data set {source['hub']} has no files named: add files, in the order in which they are to be read")
        return [f"{data_folder(source)}/{name}" for name in source["files"]]
    if "path" not in source:
        return []
    return sorted({name for name in glob.glob(source["path"], recursive=True) if Path(name).is_file()})  # noqa: PTH207


def _check_installed(source: dict) -> None:
    if source["installed"] not in SOURCES:
        raise CensusError(f"installed: {source['installed']} is not a text of any package: use one of {', '.join(SOURCES)}")
    if source.get("split") not in SPLITS:
        raise CensusError(f"split: {source.get('split')} is no part of installed text {source['installed']}: use {' or '.join(SPLITS)}")


def _data_set(source: dict, start: int) -> Iterator[Document]:
    where, drop = source.get("where", {}), frozenset(source.get("drop", ()))
    wanted = Wanted(source.get("field", DEFAULT_FIELD), where, drop, records=True)
    first = 0
    for path in source_files(source):
        first += yield from file_documents(path, wanted, first, start)
    if where and not first and wanted.passed_by:
        asked = ", ".join(f"{key}: {value}" for key, value in where.items())
        raise CensusError(
            f"where: {{{asked}}} matches none of the {wanted.passed_by} records in {', '.join(source['files'])} of {source['hub']} "
            f"({wanted.told()}): correct where"
        )


def read_documents(source: dict, start: int = 0) -> Iterator[Document]:
    """The documents of a source from number `start` on.

    Every record and file counts, one without any text too, so a document's number does not depend on the
    tokenizer; of a data set, every record that passes its filter. In memory: the longest document, a chunk of 64 kB, or a
    parquet file's row group.

    Raises:
        CensusError: with file and line or row: the field is missing or no string, broken JSON, wrong
            encoding, a file that is corrupt, truncated or not readable; a filter that nothing passes; or a source of
            another kind.
    """
    if "path" in source:
        first = 0
        for path in source_files(source):
            first += yield from file_documents(path, Wanted(source.get("field", DEFAULT_FIELD)), first, start)
    elif "hub" in source:
        yield from _data_set(source, start)
    elif "installed" in source:
        _check_installed(source)
        for index, text in enumerate(installed_documents(source["installed"], source["split"])):
            if index >= start:
                yield Document(index, text, f"{source['installed']}:{index + 1}")
    else:
        kind = next(iter(source), "nothing")
        raise CensusError(f"a text source of {kind} cannot be read: it must be one of `path`, `hub` and `installed`")


def read_texts(source: dict) -> Iterator[str]:
    """The texts of a source's documents, in order; raises as `read_documents` does."""
    return (document.text for document in read_documents(source))
