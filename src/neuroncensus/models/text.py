"""What a training run reads: a tokenizer trained on the recipe's text, and that text packed into blocks."""

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from datasets import Dataset, Features, List, Value, disable_progress_bars
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from neuroncensus.corpora.sources import read_texts

log = logging.getLogger(__name__)

# OPT's own ids: <s> 0, <pad> 1, </s> 2 (begin and end of a text), <unk> 3.
SPECIAL_TOKENS = ["<s>", "<pad>", "</s>", "<unk>"]
END = 2


def train_tokenizer(recipe: dict, out: Path) -> None:
    """Train a byte-level BPE tokenizer on the recipe's text and write it as a Hugging Face folder."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe["vocabulary"],
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (text for source in recipe["text"].values() for text in read_texts(source))
    tokenizer.train_from_iterator(texts, trainer)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "</s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
    }
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _blocks(source: dict, tokenizer: Path, length: int) -> Iterator[dict]:
    """The source's documents end to end, each ended by `</s>`, cut into blocks of `length` tokens."""
    encoder = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    encoder.encode_special_tokens = True
    stream: list[int] = []
    for text in read_texts(source):
        stream += [*encoder.encode(text, add_special_tokens=False).ids, END]
        while len(stream) >= length:
            yield {"tokens": stream[:length]}
            stream = stream[length:]


def pack_text(recipe: dict, part: str, tokenizer: Path, out: Path) -> None:
    """Write `out/<domain>`, a data set of blocks of T-1 tokens (BOS takes the place in front).

    Args:
        recipe: the mapping `training.<name>` of the config.
        part: `text` or `held_out`, the recipe's key that lists the domains.
        tokenizer: folder of `train_tokenizer`.
        out: folder to make; shorter rests than one block are left out.
    """
    disable_progress_bars()
    length = recipe["architecture"]["max_position_embeddings"] - 1
    features = Features({"tokens": List(Value("uint16" if recipe["vocabulary"] <= 65536 else "int32"), length=length)})
    shutil.rmtree(out, ignore_errors=True)
    cache = out.with_name(out.name + ".cache")
    for domain, source in recipe[part].items():
        arguments = {"source": source, "tokenizer": tokenizer, "length": length}
        blocks = Dataset.from_generator(_blocks, features=features, gen_kwargs=arguments, cache_dir=str(cache))
        blocks.save_to_disk(str(out / domain))
        log.info("%s %s: %d blocks of %d tokens", part, domain, len(blocks), length)
    shutil.rmtree(cache)
