"""What a training run reads: a tokenizer trained on the recipe's text, and that text packed into blocks."""

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy
from datasets import Dataset, Features, List, Value, disable_progress_bars
from datasets.exceptions import DatasetGenerationError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from neuroncensus.corpora.sources import read_documents, read_texts
from neuroncensus.corpora.tokenizer import load_tokenizer, tokenize_documents
from neuroncensus.errors import CensusError
from neuroncensus.files import whole_folder
from neuroncensus.progress import progress

log = logging.getLogger(__name__)

# OPT's own ids: <s> 0, <pad> 1, </s> 2 (begin and end of a text), <unk> 3.
SPECIAL_TOKENS = ["<s>", "<pad>", "</s>", "<unk>"]
END = 2
TOKENIZE_CHARACTERS = 1 << 20


def train_tokenizer(recipe: dict, out: Path) -> None:
    """Train a byte-level BPE tokenizer on the recipe's text and write it as a Hugging Face folder.

    It has at most `recipe["vocabulary"]` tokens: a short text may not have as many pairs to merge.
    """
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
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "</s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
    }
    with whole_folder(out) as folder:
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def cut_blocks(documents: Iterator[numpy.ndarray], length: int) -> Iterator[numpy.ndarray]:
    """The documents' tokens end to end, each document ended by `</s>`, in blocks of `length`; a shorter rest is left out."""
    rest = numpy.empty(0, dtype=numpy.int32)
    for ids in documents:
        stream = numpy.concatenate([rest, ids, [END]], dtype=numpy.int32)
        whole = len(stream) // length * length
        yield from stream[:whole].reshape(-1, length)
        rest = stream[whole:].copy()


def _blocks(name: str, source: dict, tokenizer: Path, length: int) -> Iterator[dict]:
    """The blocks of one source, as records of a data set."""
    tokens = blocks = 0

    def documents() -> Iterator[numpy.ndarray]:
        nonlocal tokens
        for _, ids in tokenize_documents(read_documents(source), load_tokenizer(tokenizer), TOKENIZE_CHARACTERS):
            tokens += len(ids) + 1
            yield ids

    with progress(total=0, unit="token", what=f"packing {name}") as bar:
        for block in cut_blocks(documents(), length):
            blocks += 1
            bar.update(length)
            yield {"tokens": block}
    if not blocks:
        raise CensusError(
            f"domain {name} has {tokens} tokens, ends of documents included, and a window of training takes {length}: give it more text"
        )


def pack_text(recipe: dict, part: str, tokenizer: Path, out: Path) -> None:
    """Write `out/<domain>`, a data set of blocks of T-1 tokens (BOS takes the place in front).

    Args:
        recipe: the mapping `training.<name>` of the config.
        part: `text` or `held_out`, the recipe's key that lists the domains.
        tokenizer: folder of `train_tokenizer`.
        out: folder to make.

    Raises:
        CensusError: a domain has less text than one block; or from reading the text.
    """
    disable_progress_bars()
    length = recipe["architecture"]["max_position_embeddings"] - 1
    features = Features({"tokens": List(Value("uint16" if recipe["vocabulary"] <= 65536 else "int32"), length=length)})
    with whole_folder(out) as folder:
        cache = folder / "cache"
        for domain, source in recipe[part].items():
            arguments = {"name": f"{part}.{domain}", "source": source, "tokenizer": tokenizer, "length": length}
            try:
                blocks = Dataset.from_generator(_blocks, features=features, gen_kwargs=arguments, cache_dir=str(cache))
            except DatasetGenerationError as error:
                if isinstance(error.__cause__, CensusError):
                    raise error.__cause__ from None
                raise
            blocks.save_to_disk(str(folder / domain))
            log.info("%s %s: %d blocks of %d tokens", part, domain, len(blocks), length)
            del blocks
        shutil.rmtree(cache)
