"""Small random OPT checkpoints in every layout that the product reads."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import OPTConfig, OPTForCausalLM

LAYOUTS = ("safetensors", "safetensors-sharded", "bin", "bin-sharded")
DEAD_NEURONS = (1, 5)
"""Neurons of every layer whose fc1 bias no LayerNorm output can overcome."""


def random_opt(
    *,
    seed: int = 0,
    layers: int = 4,
    d: int = 32,
    ffn: int = 64,
    heads: int = 4,
    vocab: int = 64,
    positions: int = 32,
    pre_layer_norm: bool = True,
    embedding_width: int | None = None,
    tied: bool = True,
    dtype: torch.dtype = torch.float32,
    activation: str = "relu",
) -> OPTForCausalLM:
    """A random model in evaluation mode: varied activations, random biases and gains, `DEAD_NEURONS` dead."""
    config = OPTConfig(
        vocab_size=vocab,
        hidden_size=d,
        num_hidden_layers=layers,
        ffn_dim=ffn,
        num_attention_heads=heads,
        max_position_embeddings=positions,
        do_layer_norm_before=pre_layer_norm,
        word_embed_proj_dim=embedding_width or d,
        tie_word_embeddings=tied,
        activation_function=activation,
        dropout=0.0,
        attn_implementation="eager",
    )
    model = OPTForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "layer_norm" in name:
                parameter.copy_(0.1 * noise + (1.0 if name.endswith("weight") else 0.0))
            elif parameter.ndim == 1:
                parameter.copy_(0.3 * noise)
            else:
                parameter.copy_(noise * (0.5 if "embed" in name else parameter.shape[1] ** -0.5))
            if name.endswith("fc1.bias"):
                parameter[[neuron for neuron in DEAD_NEURONS if neuron < ffn]] = -50.0
    return model.to(dtype=dtype)


def stored_tensors(model: OPTForCausalLM, prefix: str = "model.decoder.", lm_head: bool = False) -> dict[str, torch.Tensor]:
    """The state dict under the names that a file has; a tied lm_head only if asked for."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name != "lm_head.weight":
            tensors[prefix + name.removeprefix("model.decoder.")] = tensor.clone()
        elif lm_head or not model.config.tie_word_embeddings:
            tensors[name] = tensor.clone()
    return tensors


def write_weights(folder: Path, tensors: dict[str, torch.Tensor], layout: str, shards: int = 3) -> None:
    """Write tensors as one file, or dealt out in turn to shards so that every layer lies in all of them."""
    base, extension = ("model", "safetensors") if layout.startswith("safetensors") else ("pytorch_model", "bin")

    def save(part: dict[str, torch.Tensor], name: str) -> None:
        if extension == "safetensors":
            save_file(part, folder / name, metadata={"format": "pt"})
        else:
            torch.save(part, folder / name)

    if not layout.endswith("-sharded"):
        save(tensors, f"{base}.{extension}")
        return
    weight_map = {}
    for shard in range(shards):
        name = f"{base}-{shard + 1:05d}-of-{shards:05d}.{extension}"
        part = {key: tensors[key] for key in list(tensors)[shard::shards]}
        weight_map |= dict.fromkeys(part, name)
        save(part, name)
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / f"{base}.{extension}.index.json").write_text(json.dumps(index), encoding="utf-8")


def make_opt(
    folder: Path,
    *,
    seed: int = 0,
    layers: int = 4,
    d: int = 32,
    ffn: int = 64,
    heads: int = 4,
    vocab: int = 64,
    positions: int = 32,
    pre_layer_norm: bool = True,
    embedding_width: int | None = None,
    layout: str = "safetensors",
    prefix: str = "model.decoder.",
    lm_head: bool = False,
    tied: bool = True,
    dtype: torch.dtype = torch.float32,
    activation: str = "relu",
) -> Path:
    """Write `random_opt` of these arguments to `folder`, with config.json; returns the folder.

    Args:
        layout: one of `LAYOUTS`; shards have every layer straddling them.
        prefix: what stands before the decoder's names in the files.
        lm_head: store `lm_head.weight` although the config ties it.
    """
    model = random_opt(
        seed=seed,
        layers=layers,
        d=d,
        ffn=ffn,
        heads=heads,
        vocab=vocab,
        positions=positions,
        pre_layer_norm=pre_layer_norm,
        embedding_width=embedding_width,
        tied=tied,
        dtype=dtype,
        activation=activation,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(model.config.to_json_string(), encoding="utf-8")
    write_weights(folder, stored_tensors(model, prefix, lm_head), layout)
    return folder
