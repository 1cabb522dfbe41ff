"""Text to token ids with special tokens switched off: a literal `</s>` in a text is ordinary characters.

A byte-level BPE, OPT's, has no other way. Vocabularies that match whole words have the literal itself as a word, and it
would come out as the special token: such a text is refused.

Only the compiled `tokenizers` package is needed. The ids do not depend on its threads.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path

import numpy
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from neuroncensus.corpora.records import Document
from neuroncensus.errors import CensusError

BATCH_DOCUMENTS = 4096
BATCH_CHARACTERS = 1 << 20


@dataclass(frozen=True)
class TextTokenizer:
    """A tokenizer for text alone; make one with `load_tokenizer`.

    Attributes:
        fingerprint: sha256 over the names and bytes of what was read from the folder.
        folder: where it was read from.
        special: id and token of those that may stand in front of a text only, never in it; unknown words' is not among them.
        size: number of tokens in the vocabulary, special and added ones included.
    """

    _tokenizer: Tokenizer
    fingerprint: str
    folder: Path
    special: dict[int, str]

    @property
    def size(self) -> int:
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def ids(self) -> numpy.ndarray:
        """The ids of all tokens, special and added ones included, ascending, (size,) int64."""
        return numpy.array(sorted(self._tokenizer.get_vocab(with_added_tokens=True).values()), dtype=numpy.int64)

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Token ids of each text, without BOS or any other special token."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def check(self, ids: numpy.ndarray, where: str) -> None:
        """Text tokens, (tokens,), hold no special one.

        Raises:
            CensusError: they do; names the tokenizer, the token, and `where` the text stands.
        """
        found = ids[numpy.isin(ids, list(self.special))]
        if len(found):
            token = self.special[int(found[0])]
            raise CensusError(
                f"{where}: tokenizer {self.folder} makes its special token {token}, id {found[0]}, of a `{token}` in the text, "
                "where it must be ordinary characters: take it out of the text, or leave the document out"
            )

    def decode(self, ids: list[int]) -> str:
        """The text of token ids, special tokens spelled out; bytes that are no UTF-8 become U+FFFD."""
        return self._tokenizer.decode(ids, skip_special_tokens=False)


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CensusError(f"tokenizer file {path} cannot be read ({error.strerror}): fetch the tokenizer again") from error


def _broken(path: Path, error: Exception) -> CensusError:
    return CensusError(f"tokenizer file {path} is broken ({str(error).strip()}): fetch the tokenizer again")


def _prefix_space(folder: Path) -> bool:
    config = folder / "tokenizer_config.json"
    if not config.exists():
        return False
    try:
        return bool(json.loads(_file(config)).get("add_prefix_space", False))
    except (ValueError, AttributeError) as error:
        raise _broken(config, error) from error


def _from_json(path: Path) -> tuple[Tokenizer, list[bytes]]:
    content = _file(path)
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # the package raises nothing narrower
        raise _broken(path, error) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if isinstance(tokenizer.model, models.BPE):
        tokenizer.model.dropout = None
    return tokenizer, [b"tokenizer.json", content]


def _special(tokenizer: Tokenizer) -> dict[int, str]:
    model = json.loads(tokenizer.to_str())["model"]
    unknown = {model.get("unk_id"), tokenizer.token_to_id(model.get("unk_token") or "")}
    added = tokenizer.get_added_tokens_decoder().items()
    return {number: token.content for number, token in added if token.special and number not in unknown}


def _from_merges(vocabulary: Path, merges: Path, prefix_space: bool) -> tuple[Tokenizer, list[bytes]]:
    contents = _file(vocabulary), _file(merges)
    try:
        ids = {token: int(number) for token, number in json.loads(contents[0]).items() if number.bit_length() < 32}
    except (ValueError, AttributeError) as error:
        raise _broken(vocabulary, error) from error
    try:
        model = models.BPE.from_file(str(vocabulary), str(merges))
    except Exception as error:  # the package raises nothing narrower
        raise _broken(merges, error) from error
    missing = set(pre_tokenizers.ByteLevel.alphabet()) - set(ids)
    if missing:
        raise CensusError(f"tokenizer file {vocabulary} lacks {len(missing)} of 256 bytes ({min(missing)}): fetch the tokenizer again")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, [b"vocab.json", contents[0], b"merges.txt", contents[1], b"add_prefix_space", str(prefix_space).encode()]


def load_tokenizer(folder: Path | str) -> TextTokenizer:
    """The tokenizer of a folder in Hugging Face layout.

    `tokenizer.json` as it stands, but for truncation, padding and dropout; without it, `vocab.json` and
    `merges.txt` as a byte-level BPE (GPT-2's and OPT's form), with a space put in front of a text only if
    `tokenizer_config.json` has `add_prefix_space: true`.

    Raises:
        CensusError: neither form is there, or a file is broken.
    """
    folder = Path(folder)
    if (folder / "tokenizer.json").exists():
        tokenizer, parts = _from_json(folder / "tokenizer.json")
    elif (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
        tokenizer, parts = _from_merges(folder / "vocab.json", folder / "merges.txt", _prefix_space(folder))
    else:
        raise CensusError(f"tokenizer folder {folder} has neither tokenizer.json nor vocab.json with merges.txt: name a folder that has")
    tokenizer.encode_special_tokens = True
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return TextTokenizer(tokenizer, digest.hexdigest(), folder, _special(tokenizer))


def tokenize_documents(documents: Iterator[Document], tokenizer: TextTokenizer, characters: int) -> Iterator[tuple[int, numpy.ndarray]]:
    """The number and the text tokens of each document, int32 of shape (tokens,), in order.

    Args:
        characters: about how much text to tokenize at once, in parallel; at most 1 MB and 4,096 documents.

    Raises:
        CensusError: a special token comes out of a text, or from `documents`; once every document before the fault has
            been given out: whether a fault behind the last document needed is met does not hang on the size of a batch.
    """

    def encoded() -> Iterator[tuple[int, numpy.ndarray]]:
        rows = tokenizer.encode([document.text for document in batch])
        ends = list(accumulate(map(len, rows)))
        flat = numpy.fromiter(chain.from_iterable(rows), numpy.int32, ends[-1] if ends else 0)
        # All of a batch at once: a call of numpy for each short text would take as long as its tokens.
        suspect = numpy.isin(flat, list(tokenizer.special)).any()
        for document, start, end in zip(batch, [0, *ends], ends, strict=False):
            if suspect:
                tokenizer.check(flat[start:end], document.where)
            yield document.index, flat[start:end]

    batch: list[Document] = []
    size = 0
    try:
        for document in documents:
            batch.append(document)
            size += len(document.text)
            if size >= min(characters, BATCH_CHARACTERS) or len(batch) == BATCH_DOCUMENTS:
                yield from encoded()
                batch, size = [], 0
    except CensusError:
        yield from encoded()
        raise
    yield from encoded()
