"""What a checkpoint's `config.json` says about the model, read before any weight is.

Free of torch: the workflow reads it while it works out its jobs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroncensus.errors import CensusError

CONFIG = "config.json"
# Weights, or the index of their shards, in the order of preference: safetensors cannot hold code, and need no unpickling.
LAYOUTS = tuple(f"{single}{index}" for single in ("model.safetensors", "pytorch_model.bin") for index in ("", ".index.json"))
# "Active" means a value that is not exactly zero, so only these can be counted (section 2: ReLU).
EXACT_ZERO_ACTIVATIONS = ("relu", "relu2")
# What configs of other model types call the activation; OPT's have the first.
ACTIVATION_KEYS = ("activation_function", "hidden_act", "hidden_activation")
# Rows of OPT's position table before that of position 0.
POSITION_OFFSET = 2


@dataclass(frozen=True)
class Architecture:
    """Shape of an OPT decoder; every count is a positive integer."""

    family: str
    """`opt`."""
    n_layers: int
    d: int
    """Width of the residual stream."""
    ffn: int
    """Neurons of a layer."""
    heads: int
    vocabulary: int
    """Rows of the embedding, V."""
    positions: int
    """Longest window, in tokens with BOS."""
    activation: str
    """One of `EXACT_ZERO_ACTIVATIONS`."""
    embedding_width: int
    """e; where it is not d, embeddings are projected in and out (350m)."""
    pre_layer_norm: bool
    """LayerNorm before attention and FFN; after them where false (350m)."""
    final_layer_norm: bool
    """A LayerNorm after the last layer."""
    tied: bool
    """The output embedding is the input embedding, whatever `lm_head.weight` a file has."""
    bias: bool
    affine: bool
    """LayerNorms have gain and bias."""
    bos: int
    """Token id at position 0 of every window."""


def read_json(path: Path, remedy: str = "get the file again") -> dict[str, Any]:
    """The JSON object in a file of a model.

    Args:
        path: the file.
        remedy: of one that is broken.

    Raises:
        CensusError: the file is missing, unreadable, no JSON (with its line) or no object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CensusError(f"{path.name} is missing in {path.parent}: the folder must hold a whole model") from error
    except OSError as error:
        raise CensusError(f"{path} cannot be read ({error.strerror}): make it readable") from error
    except json.JSONDecodeError as error:
        raise CensusError(f"{path}:{error.lineno} is broken JSON ({error.msg}): {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise CensusError(f"{path} is not JSON in UTF-8: {remedy}") from error
    if not isinstance(value, dict):
        raise CensusError(f"{path} holds a JSON {type(value).__name__}, not an object: {remedy}")
    return value


def read_config(folder: Path) -> dict[str, Any]:
    """The `config.json` of a model folder.

    Raises:
        CensusError: it is missing or broken; the checkpoint needs code of its own (`auto_map`), which is never
            executed; its weights are quantized.
    """
    config = read_json(folder / CONFIG)
    if config.get("auto_map"):
        raise CensusError(f"{folder / CONFIG} has auto_map: a checkpoint that needs code of its own is refused; convert it to a plain OPT")
    if config.get("quantization_config"):
        raise CensusError(f"{folder / CONFIG} has quantization_config: quantized weights are refused; take the float16 checkpoint")
    return config


def _count(config: dict[str, Any], key: str, where: str, default: int | None = None) -> int:
    value = config.get(key)
    if value is None and default is not None:
        return default
    if key not in config:
        raise CensusError(f"{where} has no {key}: get the config of the model again")
    if type(value) is not int or value < 1:
        raise CensusError(f"{where} has {key} {value!r}: it must be a positive integer")
    return value


def _flag(config: dict[str, Any], key: str, where: str, default: bool) -> bool:
    value = config.get(key, default)
    if not isinstance(value, bool):
        raise CensusError(f"{where} has {key} {value!r}: it must be true or false")
    return value


def _check_activation(config: dict[str, Any], where: str) -> None:
    opt = config.get("model_type") == "opt"
    for key in ACTIVATION_KEYS[:1] if opt else ACTIVATION_KEYS:
        activation = config.get(key, "relu")
        if activation not in EXACT_ZERO_ACTIVATIONS and (opt or activation is not None):
            raise CensusError(
                f"{where} has {key} {activation!r}, an activation whose zeros are not exact: "
                f"take a model with one of {', '.join(EXACT_ZERO_ACTIVATIONS)}"
            )


def read_architecture(config: dict[str, Any], where: str) -> Architecture:
    """The architecture that a `config.json` describes.

    Args:
        config: the parsed file; missing keys mean OPT's defaults where OPT has any that does not vary by size.
        where: what the sentences name, such as the file's path.

    Raises:
        CensusError: an activation whose zeros are not exact, another model type, or a missing or senseless value.
    """
    _check_activation(config, where)
    family = config.get("model_type")
    if family != "opt":
        raise CensusError(f"{where} has model_type {family!r}: this version reads OPT (model_type 'opt')")
    d, heads, vocabulary = (_count(config, key, where) for key in ("hidden_size", "num_attention_heads", "vocab_size"))
    if d % heads:
        raise CensusError(f"{where} has hidden_size {d}, not divisible by num_attention_heads {heads}: get the config of the model again")
    bos = config.get("bos_token_id", 2)
    if type(bos) is not int or not 0 <= bos < vocabulary:
        raise CensusError(f"{where} has bos_token_id {bos!r}: it must be a token id, an integer below vocab_size {vocabulary}")
    pre_layer_norm = _flag(config, "do_layer_norm_before", where, True)
    return Architecture(
        family=family,
        n_layers=_count(config, "num_hidden_layers", where),
        d=d,
        ffn=_count(config, "ffn_dim", where),
        heads=heads,
        vocabulary=vocabulary,
        positions=_count(config, "max_position_embeddings", where),
        activation=config.get("activation_function", "relu"),
        embedding_width=_count(config, "word_embed_proj_dim", where, default=d),
        pre_layer_norm=pre_layer_norm,
        final_layer_norm=pre_layer_norm and not _flag(config, "_remove_final_layer_norm", where, False),
        tied=_flag(config, "tie_word_embeddings", where, True),
        bias=_flag(config, "enable_bias", where, True),
        affine=_flag(config, "layer_norm_elementwise_affine", where, True),
        bos=bos,
    )


def expected_tensors(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Canonical name -> shape of every tensor that the model computes with, bottom to top.

    Matrices are stored as (outputs, inputs). A tied `lm_head.weight` is not among them.
    """
    d, ffn, width, vocabulary = architecture.d, architecture.ffn, architecture.embedding_width, architecture.vocabulary
    shapes: dict[str, tuple[int, ...]] = {"embed_tokens.weight": (vocabulary, width)}
    shapes["embed_positions.weight"] = (architecture.positions + POSITION_OFFSET, d)

    def linear(name: str, outputs: int, inputs: int) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs)
        if architecture.bias:
            shapes[f"{name}.bias"] = (outputs,)

    def layer_norm(name: str) -> None:
        if architecture.affine:
            shapes[f"{name}.weight"] = (d,)
            shapes[f"{name}.bias"] = (d,)

    if width != d:
        shapes["project_in.weight"] = (d, width)
    for layer in range(architecture.n_layers):
        for projection in ("k", "v", "q", "out"):
            linear(f"layers.{layer}.self_attn.{projection}_proj", d, d)
        layer_norm(f"layers.{layer}.self_attn_layer_norm")
        linear(f"layers.{layer}.fc1", ffn, d)
        linear(f"layers.{layer}.fc2", d, ffn)
        layer_norm(f"layers.{layer}.final_layer_norm")
    if architecture.final_layer_norm:
        layer_norm("final_layer_norm")
    if width != d:
        shapes["project_out.weight"] = (width, d)
    if not architecture.tied:
        shapes["lm_head.weight"] = (vocabulary, width)
    return shapes


def place(name: str) -> str:
    """A canonical tensor name as sentences quote it, with its layer: `tensor layers.3.fc1.weight (layer 3)`."""
    return f"tensor {name} (layer {name.split('.')[1]})" if name.startswith("layers.") else f"tensor {name}"
