"""Both forms of a tokenizer give transformers' ids with special tokens switched off."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Tokenizer, PreTrainedTokenizerFast

from neuroncensus.corpora.records import Document
from neuroncensus.corpora.tokenizer import load_tokenizer, tokenize_documents
from neuroncensus.errors import CensusError

NASTY = [
    "",
    " ",
    "the cat sat",
    "  two spaces, then three   and a tab\t",
    "</s>",
    "a</s>b <pad><s><unk> </s> </S>",
    "👩‍👩‍👧‍👦 naïve é e\u0301 \ufeff",
    "\x00\x01\x1f\x7f\x85\u2028\u2029",
    "line\r\nline\rline\n\n\n",
    "مرحبا بالعالم \u202eabc\u202c שלום",
    "中文字符 \U0001d518\U0001d52b \U0010ffff \uffff",
    "it's we'll I'M 1234567 +=-*/",
    "x" * 3000,
]


@pytest.fixture(scope="module")
def references(json_folder: Path, merges_folder: Path) -> dict:
    names = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
    fast = PreTrainedTokenizerFast(tokenizer_file=str(json_folder / "tokenizer.json"), split_special_tokens=True, **names)
    slow = GPT2Tokenizer.from_pretrained(str(merges_folder), split_special_tokens=True)
    return {json_folder: fast, merges_folder: slow}


def test_ids_are_those_of_transformers(references: dict):
    for folder, reference in references.items():
        wanted = [reference(text, add_special_tokens=False)["input_ids"] for text in NASTY]
        assert load_tokenizer(folder).encode(NASTY) == wanted


@given(text=st.text(max_size=40))
def test_ids_of_any_text_are_those_of_transformers_and_decode_to_it(references: dict, text: str):
    for folder, reference in references.items():
        tokenizer = load_tokenizer(folder)
        (ids,) = tokenizer.encode([text])
        assert ids == reference(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text


def test_no_special_id_comes_from_text(json_folder: Path, merges_folder: Path):
    for folder in (json_folder, merges_folder):
        assert not {0, 1, 2, 3} & {token for ids in load_tokenizer(folder).encode(NASTY) for token in ids}


PIECES = [("<unk>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("x", -1.0), ("a", -1.0), ("b", -1.0)]
WORDS = {piece: number for number, (piece, _) in enumerate(PIECES)}


@pytest.mark.parametrize(
    "model",
    [
        models.WordLevel(WORDS, unk_token="<unk>"),
        models.WordPiece(WORDS, unk_token="<unk>"),
        models.Unigram(PIECES, unk_id=0),
        models.BPE(WORDS, [], unk_token="<unk>", ignore_merges=True),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_special_token_that_is_a_word_of_the_vocabulary_does_not_pass(tmp_path: Path, model: models.Model):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["<unk>", "<pad>", "</s>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    loaded = load_tokenizer(tmp_path)
    texts = ["a b", "b q a <unk>", "a </s> b", "a"]
    documents = (Document(index, text, f"prose.jsonl:{index + 1}") for index, text in enumerate(texts))
    found = tokenize_documents(documents, loaded, 1 << 20)
    assert next(found)[1].tolist() == [4, 5]
    assert 0 in next(found)[1]  # an unknown word is no fault
    with pytest.raises(CensusError, match=rf"prose\.jsonl:3: tokenizer {tmp_path} makes its special token </s>, id 2, of a `</s>`"):
        next(found)


def test_truncation_padding_and_dropout_of_the_file_are_off(json_folder: Path, tmp_path: Path):
    loud = Tokenizer.from_file(str(json_folder / "tokenizer.json"))
    loud.enable_truncation(4)
    loud.enable_padding(length=50, pad_id=1)
    loud.model.dropout = 0.9
    loud.save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path).encode(NASTY) == load_tokenizer(json_folder).encode(NASTY)


def test_prefix_space_only_where_the_config_says_so(merges_folder: Path, tmp_path: Path):
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(merges_folder / name, tmp_path)
    plain = load_tokenizer(tmp_path)
    assert plain.encode(["the"]) == load_tokenizer(merges_folder).encode(["the"])
    (tmp_path / "tokenizer_config.json").write_text('{"add_prefix_space": true}')
    spaced = load_tokenizer(tmp_path)
    assert spaced.encode(["the"]) == plain.encode([" the"])
    assert spaced.fingerprint != plain.fingerprint


def test_size_and_fingerprint(json_folder: Path, merges_folder: Path, tmp_path: Path):
    tokenizer = load_tokenizer(json_folder)
    assert tokenizer.ids.tolist() == sorted(json.loads((merges_folder / "vocab.json").read_text(encoding="utf-8")).values())
    assert tokenizer.size == len(json.loads((merges_folder / "vocab.json").read_text(encoding="utf-8")))
    shutil.copytree(json_folder, tmp_path / "copy")
    assert load_tokenizer(tmp_path / "copy").fingerprint == tokenizer.fingerprint
    with (tmp_path / "copy" / "tokenizer.json").open("a") as file:
        file.write("\n")
    assert load_tokenizer(tmp_path / "copy").fingerprint != tokenizer.fingerprint


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "neither tokenizer.json nor vocab.json"),
        ({"vocab.json": "{}"}, "neither tokenizer.json nor vocab.json"),
        ({"tokenizer.json": '{"version": "1.0"'}, "tokenizer.json is broken"),
        ({"tokenizer.json": b"\xff"}, "tokenizer.json is broken"),
        ({"vocab.json": "[", "merges.txt": ""}, "vocab.json is broken"),
        ({"vocab.json": '{"a": 0}', "merges.txt": "#version: 0.2\na b\n"}, "merges.txt is broken"),
        ({"vocab.json": '{"a": "0"}', "merges.txt": ""}, "vocab.json is broken"),
        ({"vocab.json": '{"a": 0}', "merges.txt": ""}, "vocab.json lacks 255 of 256 bytes"),
        ({"vocab.json": "{}", "merges.txt": "", "tokenizer_config.json": "[]"}, "tokenizer_config.json is broken"),
    ],
)
def test_faults_are_told(tmp_path: Path, files: dict, says: str):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CensusError, match=says):
        load_tokenizer(tmp_path)
