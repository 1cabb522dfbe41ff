"""Checkpoints and text, made up in the real shapes and the real file layout.

A neuron's pre-activation is normal by construction, so its bias sets how often it is active: rates are spread
evenly on a logarithmic scale from the least of RATES to the most, about 8% on average. Tokens follow Zipf's law.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from neuroncensus.corpora.shards import write_shard
from neuroncensus.models.architecture import Architecture, expected_tensors, read_architecture
from neuroncensus.models.describe import describe_model

RATES = (0.001, 0.5)
SPARSE = (1e-5, 0.2)
"""As in the first half of a large model; with a third of its neurons silent."""
SILENT_BIAS = -100.0
PREFIX = "model.decoder."
PART, PROSE = "core", "prose"
# Ids below are special tokens.
FIRST_WORD = 4
WINDOWS_OF_A_DOCUMENT = 2


@dataclass(frozen=True)
class Shape:
    """Of a checkpoint; the vocabulary and positions are OPT's unless they are said."""

    layers: int
    d: int
    ffn: int
    heads: int
    vocabulary: int = 50272
    positions: int = 2048

    def with_layers(self, layers: int) -> "Shape":
        """The same width with another number of layers."""
        return replace(self, layers=layers)


OPT_125M = Shape(12, 768, 3072, 12)
TINY = Shape(4, 64, 256, 4, 512, 64)


@dataclass(frozen=True)
class Model:
    """A checkpoint on disk and its `model.json`."""

    folder: Path
    description: Path
    architecture: Architecture

    @property
    def bytes(self) -> int:
        """Of its weight files."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.suffix in (".bin", ".safetensors"))


@dataclass(frozen=True)
class Text:
    """Full windows of T positions in shards."""

    shards: tuple[Path, ...]
    window: int
    positions: int


def _tensor(name: str, shape: tuple[int, ...], silent: float, rates: tuple[float, float], generator: torch.Generator) -> torch.Tensor:
    kind = name.rpartition(".")[2]
    if "layer_norm" in name:
        return torch.full(shape, 1.0 if kind == "weight" else 0.0, dtype=torch.float16)
    if name.endswith("fc1.bias"):
        # Normal with variance 1 before the bias, as fc1's rows have length 1 and LayerNorm's output length sqrt(d).
        low, high = map(math.log, rates)
        bias = torch.special.ndtri(torch.exp(low + (high - low) * torch.rand(shape, generator=generator)))
        bias[torch.randperm(len(bias), generator=generator)[: round(silent * len(bias))]] = SILENT_BIAS
        return bias.half()
    scale = 0.02 if kind == "bias" else 0.5 if "embed" in name else shape[1] ** -0.5
    return torch.randn(shape, generator=generator).mul_(scale).half()


def _files(tensors: Iterator[tuple[str, torch.Tensor]], count: int, total: int) -> Iterator[dict[str, torch.Tensor]]:
    """Tensors in their order, dealt to `count` files of about the same size."""
    part: dict[str, torch.Tensor] = {}
    done = written = 0
    for name, tensor in tensors:
        part[name] = tensor
        done += tensor.nbytes
        if done * count >= total * (written + 1):
            yield part
            part, written = {}, written + 1
    if part:
        yield part


def make_model(
    folder: Path, shape: Shape, *, silent: float = 0.0, rates: tuple[float, float] = RATES, files: int = 1, kind: str = "bin"
) -> Model:
    """A checkpoint in float16.

    Args:
        silent: share of each layer's neurons that no input activates.
        rates: of the others, least and most.
        files: number of weight files, with an index if there are several; layers lie across them.
        kind: `bin`, as on the Hub, or `safetensors`.
    """
    folder.mkdir(parents=True)
    config: dict[str, Any] = {"model_type": "opt", "architectures": ["OPTForCausalLM"], "dtype": "float16", "hidden_size": shape.d}
    config |= {"word_embed_proj_dim": shape.d, "ffn_dim": shape.ffn}
    config |= {"num_hidden_layers": shape.layers, "num_attention_heads": shape.heads}
    config |= {"vocab_size": shape.vocabulary, "max_position_embeddings": shape.positions, "do_layer_norm_before": True}
    config |= {"activation_function": "relu", "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1, "dropout": 0.0}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    architecture = read_architecture(config, "made")
    generator = torch.Generator().manual_seed(1)
    shapes = expected_tensors(architecture)
    made = ((PREFIX + name, _tensor(name, size, silent, rates, generator)) for name, size in shapes.items())
    base = "pytorch_model" if kind == "bin" else "model"
    weight_map = {}
    for number, part in enumerate(_files(made, files, 2 * sum(map(math.prod, shapes.values()))), start=1):
        name = f"{base}.{kind}" if files == 1 else f"{base}-{number:05d}-of-{files:05d}.{kind}"
        if kind == "bin":
            torch.save(part, folder / name)
        else:
            save_file(part, folder / name, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, name)
    if files > 1:
        (folder / f"{base}.{kind}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}), encoding="utf-8")
    description = folder.with_suffix(".json")
    describe_model(folder, model=folder.name, out=description)
    return Model(folder, description, architecture)


def write_tokenizer(folder: Path, vocabulary: int) -> None:
    """A tokenizer whose words are the token ids themselves."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.WordLevel({str(token): token for token in range(vocabulary)}, unk_token="3"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))


def write_documents(path: Path, vocabulary: int, window: int, positions: int, seed: int = 1) -> None:
    """Documents that fill windows of `window` positions, BOS included, to at least `positions` positions in all."""
    generator = numpy.random.default_rng(seed)
    words = generator.permutation(numpy.arange(FIRST_WORD, vocabulary))
    shares = 1 / numpy.arange(2, len(words) + 2)
    length = WINDOWS_OF_A_DOCUMENT * (window - 1)
    documents = -(-positions // (WINDOWS_OF_A_DOCUMENT * window))
    tokens = words[generator.choice(len(words), size=(documents, length), p=shares / shares.sum())]
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"text": " ".join(map(str, document))}) for document in tokens.tolist())
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def make_text(folder: Path, vocabulary: int, *, window: int, positions: int, shards: int = 1) -> Text:
    """Text of `positions` positions in windows of `window`, in `shards` shards of the same size."""
    write_tokenizer(folder, vocabulary)
    write_documents(folder / "text.jsonl", vocabulary, window, positions)
    size = positions // shards
    paths: list[Path] = []
    for shard in range(shards):
        out = folder / f"{shard}.parquet"
        last = positions if shard == shards - 1 else None
        where: dict[str, Any] = {"part": PART, "domain": PROSE, "corpus": "made", "previous": paths[-1] if paths else None}
        cut: dict[str, Any] = {"window": window, "windows": "all", "shard": shard, "shard_tokens": size, "tokens": last, "asked": positions}
        write_shard({"path": str(folder / "text.jsonl")}, folder, out, **where, **cut)
        paths.append(out)
    return Text(tuple(paths), window, positions)
