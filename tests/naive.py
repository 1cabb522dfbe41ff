"""An independent census: transformers' own forward pass, one window at a time, counted in plain Python."""

from pathlib import Path

import numpy
import torch
from transformers import OPTForCausalLM

TOLERANCE = 2e-5
"""Pre-activations nearer to zero than this may fall on either side in float32."""


def forward_values(folder: Path, windows: list[list[int]], dtype: torch.dtype = torch.float32) -> list[numpy.ndarray]:
    """Pre-activations of each window (BOS in front), (layers, T, F) each."""
    model = OPTForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()
    seen: list[torch.Tensor] = []
    for layer in model.model.decoder.layers:
        layer.fc1.register_forward_hook(lambda _module, _arguments, output: seen.append(output.detach().double()))
    values = []
    with torch.inference_mode():
        for window in windows:
            seen.clear()
            model(input_ids=torch.tensor([[model.config.bos_token_id, *window]]))
            values.append(torch.stack([x.reshape(len(window) + 1, -1) for x in seen]).numpy())
    return values


def count(values: list[numpy.ndarray], documents: list[int], threshold: float = 0.0) -> dict[str, numpy.ndarray]:
    """activations, activations_bos and documents_active of each neuron, (layers, F) each; active above `threshold`."""
    layers, _, neurons = values[0].shape
    totals = {name: numpy.zeros((layers, neurons), dtype=int) for name in ("activations", "activations_bos", "documents_active")}
    by_document: dict[int, numpy.ndarray] = {}
    for value, document in zip(values, documents, strict=True):
        active = value > threshold
        totals["activations"] += active.sum(axis=1)
        totals["activations_bos"] += active[:, 0]
        here = active[:, 1:].any(axis=1)
        by_document[document] = by_document.get(document, numpy.zeros_like(here)) | here
    for active in by_document.values():
        totals["documents_active"] += active
    return totals


def assert_counts(found: dict[str, numpy.ndarray], values: list[numpy.ndarray], documents: list[int]) -> None:
    """Counts equal the naive ones, every difference explained by a pre-activation within `TOLERANCE` of zero."""
    exact, low, high = (count(values, documents, threshold) for threshold in (0.0, TOLERANCE, -TOLERANCE))
    for name, counts in found.items():
        undecided = low[name] != high[name]
        assert (counts[~undecided] == exact[name][~undecided]).all(), name
        assert ((low[name] <= counts) & (counts <= high[name])).all(), name
        assert undecided.mean() < 0.2, "too few neurons are decided for the comparison to say anything"
