"""Packed text: the tokenizer's ids, in blocks that lose nothing but the last rest."""

from pathlib import Path

import numpy
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from made_text import make_texts, write_jsonl
from neuroncensus.errors import CensusError
from neuroncensus.models.text import cut_blocks, pack_text, train_tokenizer

WINDOW = 8


def recipe(folder: Path) -> dict:
    return {
        "text": {"prose": {"path": str(folder / "prose.jsonl")}, "other": {"path": str(folder / "other.jsonl"), "field": "body"}},
        "held_out": {"prose": {"path": str(folder / "held.jsonl")}},
        "vocabulary": 300,
        "architecture": {"max_position_embeddings": WINDOW},
    }


@pytest.fixture
def made(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "prose.jsonl", ["the cat </s> sat", "", *make_texts(40)])
    write_jsonl(tmp_path / "other.jsonl", make_texts(3, seed=1), field="body")
    write_jsonl(tmp_path / "held.jsonl", make_texts(5, seed=2))
    train_tokenizer(recipe(tmp_path), tmp_path / "tokenizer")
    return tmp_path


@given(st.lists(st.lists(st.integers(0, 300), max_size=40), max_size=12), st.integers(1, 9))
def test_blocks_are_the_whole_stream(documents: list[list[int]], length: int):
    stream = [token for document in documents for token in [*document, 2]]
    wanted = [stream[i : i + length] for i in range(0, len(stream) - length + 1, length)]
    assert [block.tolist() for block in cut_blocks((numpy.array(d, dtype=numpy.int32) for d in documents), length)] == wanted


def test_data_sets_hold_every_domain_in_order(made: Path):
    pack_text(recipe(made), "text", made / "tokenizer", made / "text")
    encoder = Tokenizer.from_file(str(made / "tokenizer" / "tokenizer.json"))
    encoder.encode_special_tokens = True
    for name, texts in (("prose", ["the cat </s> sat", "", *make_texts(40)]), ("other", make_texts(3, seed=1))):
        stream = [token for text in texts for token in [*encoder.encode(text, add_special_tokens=False).ids, 2]]
        wanted = numpy.array(stream[: len(stream) // 7 * 7]).reshape(-1, 7)
        found = Dataset.load_from_disk(str(made / "text" / name))
        assert (numpy.array(found["tokens"]) == wanted).all()
        assert "uint16" in str(found.features)
    assert sorted(path.name for path in (made / "text").iterdir()) == ["other", "prose"]


def test_special_tokens_come_from_no_text(made: Path):
    encoder = Tokenizer.from_file(str(made / "tokenizer" / "tokenizer.json"))
    assert [encoder.token_to_id(token) for token in ("<s>", "<pad>", "</s>", "<unk>")] == [0, 1, 2, 3]
    pack_text(recipe(made), "text", made / "tokenizer", made / "text")
    tokens = numpy.array(Dataset.load_from_disk(str(made / "text" / "prose"))["tokens"])
    # One </s> ends each of the 42 documents, less those in the rest that no block holds.
    assert 40 <= (tokens == 2).sum() <= 42
    assert not numpy.isin(tokens, [0, 1, 3]).any()


def test_the_tokenizer_is_the_same_bytes_each_time(made: Path):
    train_tokenizer(recipe(made), made / "again")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (made / "again" / name).read_bytes() == (made / "tokenizer" / name).read_bytes()


def test_packed_again_after_the_text_changed(made: Path):
    pack_text(recipe(made), "held_out", made / "tokenizer", made / "held_out")
    before = Dataset.load_from_disk(str(made / "held_out" / "prose"))["tokens"][:]
    write_jsonl(made / "held.jsonl", make_texts(5, seed=3))
    pack_text(recipe(made), "held_out", made / "tokenizer", made / "held_out")
    assert Dataset.load_from_disk(str(made / "held_out" / "prose"))["tokens"][:] != before


def test_less_text_than_a_window_names_the_domain(made: Path):
    write_jsonl(made / "other.jsonl", ["a", ""], field="body")
    with pytest.raises(CensusError, match=r"domain text\.other has 3 tokens, .* takes 7: give it more text"):
        pack_text(recipe(made), "text", made / "tokenizer", made / "text")
    assert not list(made.glob("text*"))


def test_a_broken_record_keeps_its_sentence(made: Path):
    (made / "held.jsonl").write_text('{"text": "the cat sat on the mat and ran"}\n{"text": \n')
    with pytest.raises(CensusError, match=r"held\.jsonl:2"):
        pack_text(recipe(made), "held_out", made / "tokenizer", made / "held_out")
    (made / "prose.jsonl").write_text('{"body": "a"}\n')
    with pytest.raises(CensusError, match=r"prose\.jsonl:1"):
        train_tokenizer(recipe(made), made / "tokenizer")
    assert (made / "tokenizer" / "tokenizer.json").exists()
