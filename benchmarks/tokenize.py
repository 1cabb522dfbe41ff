"""How fast text becomes tokens: the whole job of a shard, from JSON lines to a file of windows, against the tokenizers library alone.

The text is that of installed packages (articles of Wikipedia in two languages, and Python), written as JSON lines, plain and as zstd; the
tokenizer is opt-nano's, a byte-level BPE like OPT's, of 4,096 tokens. *Alone* is `encode_batch_fast` on the same texts, which are in
memory already, 1 MB at a time; what it returns is thrown away without a look. Ours reads and parses the file, tokenizes, checks for special
tokens, cuts windows, and writes the shard. Both use the library's own threads, as many as there are cores.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard
from tokenizers import Tokenizer

from benchmarks._common import Options, Row, main, paired, ratio
from neuroncensus.corpora.installed import installed_documents
from neuroncensus.corpora.shards import write_shard

FOLDER = Path(__file__).resolve().parent.parent / "models" / "opt-nano"
SOURCES = ("wikipedia", "wikipedia-fr", "sympy")
WINDOW, BATCH = 2048, 1 << 20
QUICK_BYTES = 200_000
TARGET = "at least 0.8"


def _texts(options: Options) -> list[str]:
    texts: list[str] = []
    size = 0
    for source in SOURCES:
        for text in installed_documents(source, "train"):
            texts.append(text)
            size += len(text.encode())
            if options.quick and size > QUICK_BYTES:
                return texts
    return texts


def _batches(texts: list[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size > BATCH:
            yield batch
            batch, size = [], 0
    yield batch


def rows(options: Options) -> Iterator[Row]:
    """Plain JSON lines, and packed with zstd."""
    texts = _texts(options)
    size = sum(len(text.encode()) for text in texts)
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts).encode()
    (options.folder / "text.jsonl").write_bytes(lines)
    (options.folder / "text.jsonl.zst").write_bytes(zstandard.compress(lines))
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    lengths = [len(ids) for batch in _batches(texts) for ids in tokenizer.encode_batch_fast(batch, add_special_tokens=False)]
    tokens = sum(lengths) + sum(-(-length // (WINDOW - 1)) for length in lengths)

    def alone() -> None:
        for batch in _batches(texts):
            tokenizer.encode_batch_fast(batch, add_special_tokens=False)

    def ours(name: str) -> None:
        names: dict[str, Any] = {"part": "core", "domain": "text", "corpus": "made", "previous": None, "shard": 0}
        cut: dict[str, Any] = {"window": WINDOW, "windows": "all", "shard_tokens": tokens, "tokens": tokens, "asked": tokens}
        write_shard({"path": str(options.folder / name)}, FOLDER, options.folder / "shard.parquet", **names, **cut)

    for name, case in (("text.jsonl", "JSON lines"), ("text.jsonl.zst", "JSON lines, zstd")):
        seconds = paired(options, {"ours": lambda name=name: ours(name), "tokenizers alone": alone})
        speeds = ", ".join(f"{side} {size / 1e6 / min(of):.1f} MB/s" for side, of in seconds.items())
        yield Row(
            f"text to windows, {case}, {size / 1e6:.1f} MB: MB/s ÷ tokenizers alone",
            ratio(seconds, "tokenizers alone", "ours"),
            TARGET,
            seconds,
            speeds,
        )


if __name__ == "__main__":
    main(rows)
