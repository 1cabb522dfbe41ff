"""The one block that computes, for OPT: leaner than transformers' own and equal to it, bit for bit.

Operations and their order are those of transformers' `OPTDecoderLayer` with sdpa attention and no mask, unless a block is to skip
what adds nothing; a test holds the two equal. Only what is needed is here: no cache, no dropout, no padding mask (windows of one
batch start at position 0 and end where they end, so a causal kernel never looks at padding).
"""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F

from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import POSITION_OFFSET, Architecture, expected_tensors, place
from neuroncensus.models.attention import attend
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.columns import take_columns
from neuroncensus.sizes import SKIP_AT_MOST

Weights = dict[str, torch.Tensor]


def all_finite(x: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Whether no number of a tensor is NaN or infinite, in `dtype` if it is given, () bool.

    Without a second tensor of its size, and in one pass: rounding keeps the order of numbers, so the two extremes tell.
    """
    return torch.stack(torch.aminmax(x)).to(dtype or x.dtype).isfinite().all()


def check_tensor(checkpoint: Checkpoint, name: str, tensor: torch.Tensor, dtype: torch.dtype) -> None:
    """Stop if a tensor of a checkpoint is not finite in the run's dtype.

    Raises:
        CensusError: a value is not finite in that dtype; names the tensor.
    """
    if not all_finite(tensor, dtype):
        raise CensusError(
            f"{place(name)} of {checkpoint.file_of(name)} is not finite as {str(dtype).removeprefix('torch.')}: "
            "set dtype to bfloat16 or float32, or get the file again"
        )


def load_tensor(checkpoint: Checkpoint, name: str, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """One tensor in the run's dtype, on its device.

    Raises:
        CensusError: a value is not finite in that dtype.
    """
    # A copy even where nothing changes: products must not read a mapped file, which memory pressure takes away.
    tensor = checkpoint.tensor(name).to(device=device, dtype=dtype, copy=True)
    check_tensor(checkpoint, name, tensor, dtype)
    return tensor


PACKED_ROWS = 4096
"""Rows that a packed weight is made for; others give the same bits."""


def pack(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of a block; a matrix as its product reads it fastest.

    oneDNN, which multiplies bfloat16 on CPUs that can, turns a weight into its own layout at every product, and copies the bias to
    where the product goes. A block sees every batch of a shard, so it is turned once; the product is the same, bit for bit, and
    takes a tenth less time and more.
    """
    bfloat16 = tensor.dtype == torch.bfloat16 and tensor.device.type == "cpu" and torch.backends.mkldnn.is_available()
    if tensor.dim() == 2 and bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.ops.mkldnn._reorder_linear_weight(tensor, PACKED_ROWS)
    return tensor


def load_block(
    checkpoint: Checkpoint, architecture: Architecture, layer: int, dtype: torch.dtype, device: torch.device, *, skip: bool = False
) -> "Block":
    """The block of one layer, its tensors read one by one from wherever they lie; `skip` as `Block` takes it."""
    prefix = f"layers.{layer}."
    names = [name for name in expected_tensors(architecture) if name.startswith(prefix)]
    weights = {name.removeprefix(prefix): pack(load_tensor(checkpoint, name, dtype, device)) for name in names}
    return Block(architecture, weights, skip=skip)


def _layer_norm(x: torch.Tensor, weights: Weights, name: str) -> torch.Tensor:
    return F.layer_norm(x, (x.shape[-1],), weights.get(f"{name}.weight"), weights.get(f"{name}.bias"))


class Block:
    """One decoder layer.

    Args:
        architecture: of the model.
        weights: the layer's tensors by their names within the layer (`fc1.weight`), on the device, each as `pack` returns it.
        skip: leave out of sums what adds exactly nothing, neurons that are silent in the whole batch and keys that no query sees:
            no term changes, but the order of summation, so results are equal to rounding.
    """

    def __init__(self, architecture: Architecture, weights: Weights, *, skip: bool = False):
        self.architecture = architecture
        self.weights = weights
        self.skip = skip
        self.unpacked: Weights = {}

    def dense(self, name: str) -> torch.Tensor:
        """A weight as the checkpoint has it, (outputs, inputs), packed or not; unpacked once."""
        weight = self.weights[name]
        if not weight.is_mkldnn:
            return weight
        if name not in self.unpacked:
            self.unpacked[name] = weight.to_dense()
        return self.unpacked[name]

    def _project(self, x: torch.Tensor, name: str, out: torch.Tensor | None = None) -> torch.Tensor:
        """A product of the layer, (rows, inputs) to (rows, outputs), written to `out` where there is one and the weight is not packed."""
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        if weight.is_mkldnn:
            return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        if out is None:
            return F.linear(x, weight, bias)
        return torch.mm(x, weight.T, out=out) if bias is None else torch.addmm(bias, x, weight.T, out=out)

    def _split(self, y: torch.Tensor, name: str, out: torch.Tensor | None = None) -> torch.Tensor:
        """One of q, k, v of (windows, T, d), as (windows, heads, T, d / heads); `out`, (windows * T, d), is where it lies."""
        windows, length, d = y.shape
        heads = self.architecture.heads
        projected = self._project(y.reshape(-1, d), f"self_attn.{name}_proj", out)
        if name == "q":
            projected = projected.mul_((d // heads) ** -0.5)
        return projected.view(windows, length, heads, d // heads).transpose(1, 2)

    def _join(self, mixed: torch.Tensor) -> torch.Tensor:
        """What the heads give, (windows, heads, T, d / heads), as attention's output, (windows, T, d)."""
        windows, heads, length, width = mixed.shape
        return self._project(mixed.transpose(1, 2).reshape(-1, heads * width), "self_attn.out_proj").view(windows, length, -1)

    def _attend(self, x: torch.Tensor, buffer: torch.Tensor | None) -> torch.Tensor:
        places: Iterable[torch.Tensor | None] = (None, None, None)
        if buffer is not None and buffer.numel() >= 3 * x.numel():
            # The FFN's place is free meanwhile.
            places = buffer.view(-1)[: 3 * x.numel()].view(3, -1, x.shape[-1])
        query, key, value = (self._split(x, name, out) for name, out in zip("qkv", places, strict=True))
        return self._join(attend(query, key, value, skip=self.skip))

    def _attend_beside(self, others: torch.Tensor, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        query, own_key, own_value = (self._split(others, name) for name in "qkv")  # (windows, heads, G, d / heads)
        key, value = (self._split(x, name) for name in "kv")  # (windows, heads, T, d / heads)
        behind = torch.arange(x.shape[1], device=x.device) >= last[:, None]  # (windows, T)
        scores = (query @ key.transpose(2, 3)).masked_fill_(behind[:, None, None], -torch.inf)
        scores = torch.cat([scores, (query * own_key).sum(dim=3, keepdim=True)], dim=3)  # (windows, heads, G, T + 1)
        weights = scores.softmax(dim=3, dtype=torch.float32).to(x.dtype)
        return self._join(weights[..., :-1] @ value + weights[..., -1:] * own_value)

    def _write(self, values: torch.Tensor, active: torch.Tensor | None) -> torch.Tensor:
        """The second product of the FFN, (rows, F) to (rows, d); `active`, (F,) bool, says which columns are not all zero."""
        if active is not None and self.skip:
            columns = active.nonzero().flatten()
            if len(columns) <= SKIP_AT_MOST[values.device.type] * len(active):
                weight = take_columns(self.dense("fc2.weight"), columns)
                return F.linear(take_columns(values, columns), weight, self.weights.get("fc2.bias"))
        return self._project(values, "fc2")

    def __call__(
        self, x: torch.Tensor, rectify: Callable[[torch.Tensor], torch.Tensor | None], buffer: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The layer's output for (windows, T, d).

        `buffer`, contiguous, (rows, F) with as many rows at least, is where queries, keys and values are written and then the
        pre-activations: fresh memory for them costs as much as counting does.

        `rectify` is given the pre-activations, (windows, T, F), to apply the ReLU to in place and to count. It returns which
        neurons any position activates, (F,) bool, for `skip`; None where it does not say.
        """
        before = self.architecture.pre_layer_norm
        attended = self._attend(_layer_norm(x, self.weights, "self_attn_layer_norm") if before else x, buffer)
        return self._feed(attended, x, rectify, buffer)

    def _feed(
        self,
        attended: torch.Tensor,
        x: torch.Tensor,
        rectify: Callable[[torch.Tensor], torch.Tensor | None],
        buffer: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """All of the layer that follows attention; `attended` is written to."""
        windows, length, d = x.shape
        before = self.architecture.pre_layer_norm
        x = attended.add_(x)  # in place: the sum is the same in either order
        if not before:
            x = _layer_norm(x, self.weights, "self_attn_layer_norm")
        residual = x.reshape(-1, d)  # (windows * T, d)
        read = _layer_norm(residual, self.weights, "final_layer_norm") if before else residual
        values = self._project(read, "fc1", None if buffer is None else buffer[: len(residual)])
        active = rectify(values.view(windows, length, -1))
        if self.architecture.activation == "relu2":
            # Active means pre-activation > 0; the square of a small one may be zero.
            values = values.square_()
        x = self._write(values, active).add_(residual).view(windows, length, d)
        return x if before else _layer_norm(x, self.weights, "final_layer_norm")

    def beside(
        self, others: torch.Tensor, x: torch.Tensor, last: torch.Tensor, rectify: Callable[[torch.Tensor], torch.Tensor | None]
    ) -> torch.Tensor:
        """The layer's output at the last position of windows for other inputs there, what stands before it being the same.

        Args:
            others: G other inputs of each window's last position, (windows, G, d).
            x: the layer's input, (windows, T, d).
            last: the last position of each window, (windows,) int64.
            rectify: as `__call__` takes it, given (windows, G, F).
        """
        before = self.architecture.pre_layer_norm
        normed = [_layer_norm(y, self.weights, "self_attn_layer_norm") if before else y for y in (others, x)]
        return self._feed(self._attend_beside(normed[0], normed[1], last), others, rectify)


class Head:
    """The residual stream after the last block to logits of all rows of the output embedding, in float32."""

    def __init__(self, checkpoint: Checkpoint, architecture: Architecture, dtype: torch.dtype, device: torch.device):
        names = ("weight", "bias") if architecture.affine else ()
        self.final = architecture.final_layer_norm
        self.norm = {
            f"final_layer_norm.{name}": load_tensor(checkpoint, f"final_layer_norm.{name}", dtype, device) for name in names if self.final
        }
        projected = architecture.embedding_width != architecture.d
        self.project_out = load_tensor(checkpoint, "project_out.weight", dtype, device) if projected else None  # (e, d)
        rows = load_tensor(checkpoint, "embed_tokens.weight" if architecture.tied else "lm_head.weight", dtype, device)
        # The last product is in float32 whatever the run's dtype, for differences of logits are small.
        self.rows = rows.float()  # (V, e)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(R, d) -> (R, V) float32."""
        if self.final:
            x = _layer_norm(x, self.norm, "final_layer_norm")
        if self.project_out is not None:
            x = F.linear(x, self.project_out)
        return F.linear(x.float(), self.rows)


class Embedding:
    """Tokens and positions to the residual stream before the first block.

    The table of tokens stays in its file: only rows of tokens that occur become memory.
    """

    def __init__(self, checkpoint: Checkpoint, architecture: Architecture, dtype: torch.dtype, device: torch.device):
        self.dtype, self.device = dtype, device
        self.tokens = checkpoint.tensor("embed_tokens.weight")  # (V, e), as stored
        check_tensor(checkpoint, "embed_tokens.weight", self.tokens, dtype)
        self.positions = load_tensor(checkpoint, "embed_positions.weight", dtype, device)  # (positions + 2, d)
        projected = architecture.embedding_width != architecture.d
        self.project_in = load_tensor(checkpoint, "project_in.weight", dtype, device) if projected else None  # (d, e)

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """(windows, T) token ids on the host -> (windows, T, d) on the device."""
        x = F.embedding(ids, self.tokens).to(device=self.device, dtype=self.dtype)
        if self.project_in is not None:
            x = F.linear(x, self.project_in)
        return x + self.positions[POSITION_OFFSET : POSITION_OFFSET + ids.shape[1]]
