"""Tokens as text: nothing in it is invisible, and nothing is lost."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from neuroncensus.corpora.readable import SHOWN, readable, token_reader
from neuroncensus.corpora.tokenizer import load_tokenizer
from neuroncensus.errors import CensusError

FORMS = re.compile(r"<0x([0-9A-F]{2})>|<U\+([0-9A-F]{4,6})>|([\u2400-\u241f])|(.)", re.DOTALL)
BACK = {shown: character for character, shown in SHOWN.items()}


def undone(text: str) -> bytes:
    """The bytes behind readable text that holds none of its own signs."""
    parts = []
    for byte, code, picture, character in FORMS.findall(text):
        if byte:
            parts.append(bytes([int(byte, 16)]))
        elif code:
            parts.append(chr(int(code, 16)).encode())
        else:
            parts.append((chr(ord(picture) - 0x2400) if picture else BACK.get(character, character)).encode())
    return b"".join(parts)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b" the", "␣the"),
        (b"\n", "⏎"),
        (b"\r\n\t", "␍⏎⇥"),
        (b"\x00\x1b\x7f", "␀␛␡"),
        ("naïve 中".encode(), "naïve␣中"),
        ("中".encode()[:2], "<0xE4><0xB8>"),
        (b"a\xff", "a<0xFF>"),
        ("\u200b\u202e\u00a0\ufeff\u2028\x85".encode(), "<U+200B><U+202E><U+00A0><U+FEFF><U+2028><U+0085>"),
        (b"\xed\xa0\x80", "<0xED><0xA0><0x80>"),
        (b"", ""),
    ],
)
def test_what_has_no_shape_is_written_out(content: bytes, shown: str):
    assert readable(content) == shown


@given(content=st.binary(max_size=12))
def test_every_character_shows_and_nothing_is_lost(content: bytes):
    shown = readable(content)
    assert shown.isprintable() and " " not in shown
    if not set(content) & set(b"<>") and not {*BACK, *map(chr, range(0x2400, 0x2420))} & set(content.decode("utf-8", "ignore")):
        assert undone(shown) == content


@given(text=st.text(max_size=20).filter(lambda text: not {"<", ">", *BACK, *map(chr, range(0x2400, 0x2420))} & set(text)))
def test_the_tokens_of_a_text_show_its_bytes(json_folder: Path, merges_folder: Path, text: str):
    for folder in (json_folder, merges_folder):
        (ids,) = load_tokenizer(folder).encode([text])
        assert undone("".join(map(token_reader(folder), ids))) == text.encode()


def test_special_and_unknown_tokens(json_folder: Path, merges_folder: Path):
    for folder in (json_folder, merges_folder):
        read = token_reader(folder)
        assert [read(token) for token in (0, 2, 10**6, 1 << 40, -1)] == [
            "<s>",
            "</s>",
            "<token 1000000>",
            "<token 1099511627776>",
            "<token -1>",
        ]


def test_an_added_token_is_shown_as_it_is(json_folder: Path, tmp_path: Path):
    tokenizer = Tokenizer.from_file(str(json_folder / "tokenizer.json"))
    tokenizer.add_tokens(["Ġé two"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert token_reader(tmp_path)(tokenizer.token_to_id("Ġé two")) == "Ġé␣two"


def test_a_token_outside_the_alphabet_of_bytes_is_shown_as_it_is(tmp_path: Path):
    tokenizer = Tokenizer(models.BPE(vocab={"Ġa": 0, "中 ": 1}, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert [token_reader(tmp_path)(token) for token in range(2)] == ["␣a", "中␣"]


def test_tokens_of_a_sentencepiece_vocabulary(tmp_path: Path):
    vocabulary = {"<unk>": 0, "▁the": 1, "<0x0A>": 2, "<0xE2>": 3, "é": 4, "▁": 5}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert [token_reader(tmp_path)(token) for token in range(6)] == ["<unk>", "␣the", "⏎", "<0xE2>", "é", "␣"]


def test_tokens_of_a_vocabulary_of_words(tmp_path: Path):
    tokenizer = Tokenizer(models.WordPiece(vocab={"[UNK]": 0, "the": 1, "##ing": 2, "▁x": 3}, unk_token="[UNK]"))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert [token_reader(tmp_path)(token) for token in range(5)] == ["[UNK]", "the", "##ing", "▁x", "<token 4>"]


def test_no_tokenizer_is_told(tmp_path: Path):
    with pytest.raises(CensusError, match="neither tokenizer"):
        token_reader(tmp_path)
