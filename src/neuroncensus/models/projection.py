"""What the output embedding makes of vectors of the residual stream: the logits of all tokens.

**Choice**: logits are of the tokens that the tokenizer has. Rows of the embedding that no token has (OPT's 50272 rows have 50265
tokens) are in no list, mean, rank or moment.
"""

import math
from pathlib import Path

import numpy
import torch

from neuroncensus.corpora.tokenizer import load_tokenizer
from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import Architecture
from neuroncensus.models.checkpoint import Checkpoint

# Rows of the embedding that are looked at in float64 at once.
ROWS = 4096
# By how much, in units of its last place and of the two lengths, a product of e terms in float32 may be out, beside e.
EXTRA = 8


def tokens_of(tokenizer: Path, architecture: Architecture) -> numpy.ndarray:
    """The ids of the tokens that have a row in a model's embedding, ascending, int64.

    Raises:
        CensusError: the tokenizer is missing or broken, or none of its tokens has a row.
    """
    ids = load_tokenizer(tokenizer).ids
    ids = ids[ids < architecture.vocabulary]
    if not len(ids):
        raise CensusError(f"tokenizer {tokenizer} has no token below {architecture.vocabulary}, the model's vocabulary: give it its own")
    return ids


def read_double(checkpoint: Checkpoint, name: str) -> torch.Tensor:
    """A tensor as it is stored, in float64."""
    return checkpoint.tensor(name).to(torch.float64)


class Projection:
    """The way from a vector of the residual stream to logits, in float64 from the weights as they are stored.

    Args:
        checkpoint: of the model.
        architecture: its shape.
        tokens: ids of the tokens, ascending (`tokens_of`).

    Attributes:
        tokens: the same.
        rows: the tokens' rows of the output embedding, (V, e) float32, which holds every stored format exactly. The embedding
            is the input's where the head is tied, whatever `lm_head.weight` the file has.
        mean: their mean, (e,) float64.
        longest: length of the longest.
    """

    def __init__(self, checkpoint: Checkpoint, architecture: Architecture, tokens: numpy.ndarray):
        stored = checkpoint.tensor("embed_tokens.weight" if architecture.tied else "lm_head.weight")
        self.tokens = tokens
        self.rows: numpy.ndarray = stored[torch.from_numpy(tokens)].to(torch.float32).numpy()
        total, longest = numpy.zeros(self.rows.shape[1]), 0.0
        for start in range(0, len(tokens), ROWS):
            part = self.rows[start : start + ROWS].astype(numpy.float64)
            total += part.sum(axis=0)
            longest = max(longest, float((part * part).sum(axis=1).max()))
        self.mean, self.longest = total / len(tokens), math.sqrt(longest)
        projected = architecture.embedding_width != architecture.d
        self._out = read_double(checkpoint, "project_out.weight") if projected else None  # (e, d)
        self._gain = None
        if architecture.final_layer_norm:
            ones = torch.ones(architecture.d, dtype=torch.float64)
            self._gain = read_double(checkpoint, "final_layer_norm.weight") if architecture.affine else ones

    def plain(self, updates: torch.Tensor) -> torch.Tensor:
        """What the embedding is multiplied with, (R, e) float64, for updates, (R, d): themselves, or through `project_out`."""
        return updates if self._out is None else updates @ self._out.T

    def scaled(self, updates: torch.Tensor) -> torch.Tensor | None:
        """The same with the final LayerNorm's centring and gain folded in; None of a model without that LayerNorm."""
        if self._gain is None:
            return None
        return self.plain((updates - updates.mean(dim=1, keepdim=True)) * self._gain)

    def slack(self, vectors: torch.Tensor) -> numpy.ndarray:
        """By how much a logit of each vector may be out if it is computed in float32, (R,): proved, not estimated.

        The sum of e products is out by at most `e u |row| |vector|` in whatever order (Higham, section 3.1), u = 2^-24.
        """
        width = self.rows.shape[1]
        return (vectors.norm(dim=1) * (self.longest * (width + EXTRA) * 2.0**-24)).numpy()


class Products:
    """Logits in float32, on the device that is asked for, of one block of vectors after the other."""

    def __init__(self, projection: Projection, device: torch.device):
        self.device = device
        self.columns = torch.from_numpy(projection.rows).to(device).T  # (e, V)

    def __call__(self, vectors: torch.Tensor) -> numpy.ndarray:
        """(R, e) float64 to (R, V) float32 on the host."""
        return (vectors.to(device=self.device, dtype=torch.float32) @ self.columns).cpu().numpy()
