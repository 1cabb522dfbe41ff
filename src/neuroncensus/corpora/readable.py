"""Tokens as text in which everything shows: `␣the`, `⏎`, `<0xE2>`.

A token of a byte-level vocabulary may hold part of a character only; such bytes are written out, each token by itself.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from neuroncensus.corpora.tokenizer import load_tokenizer

SHOWN = {" ": "␣", "\n": "⏎", "\t": "⇥", "\x7f": "␡"}
_PICTURES = 0x2400  # Unicode's pictures of the control characters, in their order
_ESCAPED = range(0xDC80, 0xDD00)  # where `surrogateescape` puts bytes that are no UTF-8
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


def _show(character: str) -> str:
    code = ord(character)
    if character in SHOWN:
        return SHOWN[character]
    if code < ord(" "):
        return chr(_PICTURES + code)
    if code in _ESCAPED:
        return f"<0x{code - 0xDC00:02X}>"
    return character if character.isprintable() else f"<U+{code:04X}>"


def readable(content: bytes) -> str:
    """UTF-8 with spaces, control characters and all that has no shape written visibly, and stray bytes as `<0xE2>`."""
    return "".join(map(_show, content.decode("utf-8", "surrogateescape")))


def _byte_alphabet() -> dict[str, int]:
    """The character that stands for each byte in a byte-level vocabulary: itself if it has a shape, else one from U+0100 on."""
    shapely = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in shapely]
    return {chr(byte): byte for byte in shapely} | {chr(0x100 + place): byte for place, byte in enumerate(others)}


def token_reader(folder: Path | str) -> Callable[[int], str]:
    """A function from token ids to readable text, for the tokenizer of a folder in Hugging Face layout.

    Tokens of a byte-level vocabulary are shown as the bytes they stand for; of any other as they are in it, with
    SentencePiece's `▁` as a space and its `<0x0A>` as a byte; special and added ones as they are. An id that the
    tokenizer does not have is `<token 50270>`.

    Raises:
        CensusError: the folder has no tokenizer, or its files are broken.
    """
    tokenizer = load_tokenizer(folder)._tokenizer
    added = tokenizer.get_added_tokens_decoder()
    state = json.loads(tokenizer.to_str())
    steps = json.dumps([state["pre_tokenizer"], state["decoder"], state["normalizer"]], ensure_ascii=False)
    alphabet = _byte_alphabet() if '"ByteLevel"' in steps else None

    def content(token: str) -> bytes:
        if alphabet is not None and all(character in alphabet for character in token):
            return bytes(alphabet[character] for character in token)
        if alphabet is None and (byte := _BYTE.fullmatch(token)):
            return bytes([int(byte[1], 16)])
        spaced = token.replace("▁", " ") if '"▁"' in steps else token
        return spaced.encode("utf-8", "surrogatepass")

    @cache
    def read(token_id: int) -> str:
        if token_id in added:
            return readable(added[token_id].content.encode("utf-8", "surrogatepass"))
        token = tokenizer.id_to_token(token_id) if 0 <= token_id < 1 << 32 else None
        return readable(content(token)) if token else f"<token {token_id}>"

    return read
