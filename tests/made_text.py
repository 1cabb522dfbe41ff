"""A small tokenizer and small texts, made on the spot."""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL_TOKENS = ["<s>", "<pad>", "</s>", "<unk>"]
WORDS = [
    *[
        "the",
        "a",
        "cat",
        "dog",
        "sat",
        "ran",
        "on",
        "under",
        "mat",
        "hat",
        "and",
        "then",
        "it",
        "was",
        "in",
        "return",
        "self",
        "value",
        "12",
        "-34",
        "+",
        "=",
        "(",
        ")",
        ":",
        ".",
        ",",
    ],
    "\n",
]


def make_tokenizer(folder: Path, vocabulary: int = 300) -> None:
    """Write a byte-level BPE `tokenizer.json` with OPT's special ids to `folder`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([" ".join(WORDS)] * 4, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def make_texts(count: int, seed: int = 0, longest: int = 60) -> list[str]:
    """Documents of random words, the odd one empty."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(0, longest))) for _ in range(count)]


def write_jsonl(path: Path, texts: list[str], field: str = "text") -> None:
    """One record a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({field: text}) + "\n" for text in texts), encoding="utf-8")
