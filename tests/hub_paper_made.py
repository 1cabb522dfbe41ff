"""The repositories that config/ names, on a Hub of this machine: the real names, layouts, formats and fields, of tiny size."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow
import torch
import yaml
import zstandard
from pyarrow import parquet
from tokenizers import Tokenizer

from hub_made import Hub
from made_text import make_texts, make_tokenizer
from models_made import random_opt, stored_tensors, write_weights
from workflow_runs import PROJECT

SIZES = ("125m", "350m", "1.3b", "2.7b", "6.7b", "13b", "30b", "66b")
# What the names in the files begin with does not follow from the size; those with `model.` have lm_head too.
WITHOUT_MODEL = ("350m", "6.7b", "13b", "30b")
MODELS, CORPORA, CONFIG = (
    yaml.safe_load((PROJECT / "config" / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("models", "corpora", "config")
)
PAPER = CORPORA["corpora"]["paper"]
WINDOW, VOCABULARY = 16, 320
TOKENIZER_CONFIG = b'{"tokenizer_class": "GPT2Tokenizer", "add_bos_token": true, "add_prefix_space": false}'
OTHER_FORMATS = {"flax_model.msgpack": b"flax", "tf_model.h5": b"tf", "README.md": b"# OPT", "LICENSE.md": b"licence"}
PILE = ("Wikipedia (en)", "DM Mathematics", "HackerNews", "EuroParl", "FreeLaw", "PubMed Abstracts", "StackExchange", "Github", "ArXiv")


def tiny_architecture(size: str) -> dict[str, Any]:
    """The keys of `architecture` of a model that has what is odd about its size."""
    narrow = 8 if size == "350m" else 16
    return {"hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "word_embed_proj_dim": narrow} | {
        "vocab_size": VOCABULARY,
        "max_position_embeddings": WINDOW,
    }


def make_checkpoint(folder: Path, size: str) -> Path:
    """Weights, config and tokenizer of a size, under the names that its repository has them."""
    shape = {"layers": 2, "d": 16, "ffn": 24, "vocab": VOCABULARY, "positions": WINDOW, "dtype": torch.float16}
    odd = {"pre_layer_norm": False, "embedding_width": 8} if size == "350m" else {}
    model = random_opt(seed=SIZES.index(size), **shape, **odd)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(model.config.to_json_string(), encoding="utf-8")
    files = sum(name.endswith(".bin") for name in MODELS["models"][f"opt-{size}"]["files"])
    bare = size in WITHOUT_MODEL
    tensors = stored_tensors(model, "decoder." if bare else "model.decoder.", lm_head=not bare)
    write_weights(folder, tensors, "bin-sharded" if files > 1 else "bin", shards=files)
    make_tokenizer(folder / "made")
    Tokenizer.from_file(str(folder / "made" / "tokenizer.json")).model.save(str(folder))
    (folder / "made" / "tokenizer.json").unlink()
    (folder / "made").rmdir()
    (folder / "tokenizer_config.json").write_bytes(TOKENIZER_CONFIG)
    return folder


def put_models(hub: Hub, folder: Path, sizes: tuple[str, ...] = SIZES) -> None:
    """The repositories of some sizes at the commits of the configuration; the smallest is always there, for its tokenizer."""
    for size in dict.fromkeys(("125m", *sizes)):
        entry = MODELS["models"][f"opt-{size}"]
        made = make_checkpoint(folder / size, size)
        hub.put_folder(entry["source"], entry["revision"], made)
        hub.repositories["models", entry["source"]][entry["revision"]] |= OTHER_FORMATS


def lines(records: list[dict]) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def put_data(hub: Hub, folder: Path, documents: int = 40) -> None:
    """The data sets of the corpus `paper`, `documents` of each domain in each file."""
    texts = make_texts(documents * len(PILE) * 2, seed=7)
    pile = [{"text": text, "meta": {"pile_set_name": PILE[number % len(PILE)]}} for number, text in enumerate(texts)]
    half = len(pile) // 2
    splits = {"val.jsonl.zst": zstandard.compress(lines(pile[:half])), "test.jsonl.zst": zstandard.compress(lines(pile[half:]))}
    code = [
        {"repo_name": "a/b", "path": "c.py", "copies": "1", "size": str(len(text)), "content": text, "license": "mit", "hash": number}
        for number, text in enumerate(make_texts(documents * 2, seed=8))
    ]
    bodies = [text for pair in zip(make_texts(documents * 2, seed=9), ["[deleted]", "[removed]"] * documents, strict=True) for text in pair]
    comments = {"author": ["someone"] * len(bodies), "body": bodies, "score": range(len(bodies)), "subreddit": ["all"] * len(bodies)}
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(comments), folder / "RC.parquet", row_group_size=16)
    held = {
        "monology/pile-uncopyrighted": splits | {"train/00.jsonl.zst": b"never"},
        "codeparrot/codeparrot-clean-valid": {"file-000000000054.json.gz": gzip.compress(lines(code))},
        "fddemarco/pushshift-reddit-comments": {"data/RC_2012-02.parquet": (folder / "RC.parquet").read_bytes()},
    }
    for text in (*PAPER["core"].values(), *PAPER["extra"].values()):
        hub.put("datasets", text["hub"], text["revision"], held[text["hub"]] | {"README.md": b"# data"})


def user_config(sizes: tuple[str, ...], tokens: int = 60, domains: tuple[str, ...] = ("wikipedia", "reddit", "codeparrot")) -> dict:
    """What a user would write to run some sizes in small, on three formats of the paper's data sets."""
    corpus = {
        part: {name: {**copy.deepcopy(PAPER[part][name]), "tokens": tokens} for name in domains if name in PAPER[part]}
        for part in PAPER
        if part in ("core", "extra")
    }
    return {
        "run": {"models": [f"opt-{size}" for size in sizes]},
        "collect": {"shard_tokens": 100, "threads": 1, "stages": 1},
        "models": {f"opt-{size}": {"architecture": tiny_architecture(size), "corpus": "small"} for size in sizes},
        "corpora": {"small": {"window": WINDOW, **{part: texts for part, texts in corpus.items() if texts}}},
    }


def needed(sizes: tuple[str, ...], domains: tuple[str, ...]) -> set[str]:
    """Every file that a run of some sizes must fetch, as `org/name/file`."""
    models = {f"{entry['source']}/{name}" for size in sizes for entry in [MODELS["models"][f"opt-{size}"]] for name in entry["files"]}
    shared = CONFIG["tokenizers"]["opt"]
    data = {
        f"{text['hub']}/{name}"
        for part in ("core", "extra")
        for domain, text in PAPER[part].items()
        if domain in domains
        for name in text["files"]
    }
    return models | {f"{shared['source']}/{name}" for name in shared["files"]} | data
