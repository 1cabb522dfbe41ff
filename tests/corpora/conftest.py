"""A tiny byte-level BPE with OPT's special ids, in both forms that a folder can have."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXT = ["the cat sat on the mat and the dog ate the hat", "return self.value if self.value else None", "Multiply 12 and -34.\n-408\n"] * 4


@pytest.fixture(scope="session")
def json_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tokenizer.json, which asks for truncation, padding, dropout and BOS: none of it may be heard."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
    folder = tmp_path_factory.mktemp("json")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def merges_folder(json_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same tokenizer as vocab.json, merges.txt and a tokenizer_config.json like OPT's."""
    folder = tmp_path_factory.mktemp("merges")
    Tokenizer.from_file(str(json_folder / "tokenizer.json")).model.save(str(folder))
    names = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
    config = {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "add_prefix_space": False, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
