"""Plain forward hooks on transformers' own model: what a user writes first."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy
import torch

from benchmarks._common import SIZES

See = Callable[[int, torch.Tensor, int], None]
"""Given a layer, its FFN's values after ReLU, (w * T, F), and which position of the text their first row is."""


@torch.inference_mode()
def with_hooks(model: Any, batches: Sequence[torch.Tensor], see: See) -> None:
    """The forward pass of all batches, `see` called in every layer of every batch."""
    first = 0
    layers = model.decoder.layers
    hooks = [
        layer.activation_fn.register_forward_hook(lambda _module, _given, values, number=number: see(number, values, first))
        for number, layer in enumerate(layers)
    ]
    try:
        for ids in batches:
            model(input_ids=ids, use_cache=False)
            first += ids.numel()
    finally:
        for hook in hooks:
            hook.remove()


def _shape(model: Any) -> tuple[int, int]:
    """Layers, F."""
    layers = model.decoder.layers
    return len(layers), layers[0].fc1.out_features


def count_activations(model: Any, batches: Sequence[torch.Tensor]) -> torch.Tensor:
    """How often each neuron is active, (layers, F) int64, and nothing else."""
    counts = torch.zeros(_shape(model), dtype=torch.int64)

    def see(layer: int, values: torch.Tensor, _first: int) -> None:
        counts[layer] += (values > 0).sum(dim=0)

    with_hooks(model, batches, see)
    return counts


def _ngrams(batches: Sequence[torch.Tensor], n: int, vocabulary: int) -> torch.Tensor:
    """The n-gram that ends at each position, numbered from 0; -1 where BOS would be in it; (positions,) int64."""
    found = []
    for ids in batches:
        keys = torch.full_like(ids, -1)
        grams = ids[:, 1:].unfold(1, n, 1)  # (w, T - n, n)
        key = torch.zeros(grams.shape[:2], dtype=torch.int64)
        for place in range(n):
            key = key * vocabulary + grams[:, :, place]
        keys[:, n:] = key
        found.append(keys.ravel())
    keys = torch.cat(found)
    _, numbers = numpy.unique(keys[keys >= 0].numpy(), return_inverse=True)
    keys[keys >= 0] = torch.from_numpy(numbers)
    return keys


def count_everything(model: Any, batches: Sequence[torch.Tensor], vocabulary: int) -> torch.Tensor:
    """What ours counts, without the null: activations, at BOS, by position, and of the first half (n-gram, neuron) pairs.

    Pairs of tokens are added into a table of them, those of longer n-grams are listed and sorted at the end, which is
    kinder than a dictionary. Returns activations.
    """
    layers, neurons = _shape(model)
    length = batches[0].shape[1]
    ngrams = {n: _ngrams(batches, n, vocabulary) for n in SIZES}
    tokens = int(ngrams[1].max()) + 1
    counts, at_bos = torch.zeros(2, layers, neurons, dtype=torch.int64)
    at_position = torch.zeros(layers, length, neurons, dtype=torch.int32)
    of_tokens = torch.zeros(layers // 2, tokens, neurons, dtype=torch.int32)
    pairs: dict[tuple[int, int], list[torch.Tensor]] = {(layer, n): [] for layer in range(layers // 2) for n in SIZES if n > 1}

    def see(layer: int, values: torch.Tensor, first: int) -> None:
        active = values > 0
        by_window = active.view(-1, length, neurons)
        counts[layer] += active.sum(dim=0)
        at_bos[layer] += by_window[:, 0].sum(dim=0)
        at_position[layer] += by_window.sum(dim=0)
        if layer < layers // 2:
            here = {n: ngrams[n][first : first + len(values)] for n in SIZES}
            text = here[1] >= 0
            of_tokens[layer].index_add_(0, here[1][text], active[text].int())
            rows, columns = active.nonzero(as_tuple=True)
            for n in SIZES[1:]:
                gram = here[n][rows]
                pairs[layer, n].append((gram * neurons + columns)[gram >= 0])

    with_hooks(model, batches, see)
    for of_layer in pairs.values():
        torch.unique(torch.cat(of_layer), return_counts=True)
    return counts
