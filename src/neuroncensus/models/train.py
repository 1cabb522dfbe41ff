"""Train an OPT from scratch: the same recipe with learned positions, or with none (section 5.4).

A recipe is a mapping of the config (`training.<name>`; config/schemas describes every key). The loop is
deterministic: the batch of a step depends on the seed and the step alone, and the state is saved whole,
so a run that was killed at any moment ends in the same bytes on one machine.
"""

import json
import logging
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy
import polars
import torch
from accelerate import Accelerator
from datasets import Dataset
from transformers import OPTConfig, OPTForCausalLM
from transformers.utils import logging as transformers_logging

from neuroncensus.errors import CensusError
from neuroncensus.files import atomic_path
from neuroncensus.progress import progress

log = logging.getLogger(__name__)

BOS = 2
PAD = 1
LOG_EVERY = 50
HELD_OUT_WINDOWS = 256


def learning_rate(recipe: dict, step: int) -> float:
    """Linear warm-up, then a cosine down to a tenth of the recipe's rate. `step` counts from 0."""
    if step < recipe["warmup"]:
        return recipe["learning_rate"] * (step + 1) / recipe["warmup"]
    done = (step - recipe["warmup"]) / max(1, recipe["steps"] - recipe["warmup"])
    return recipe["learning_rate"] * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def initial_model(recipe: dict, vocabulary: int, positions: bool) -> OPTForCausalLM:
    """A fresh model in float32, the same for both variants but for the position table.

    The position table starts at zero: at this size transformers' random table drowns the tokens. Without
    positions it also stays there, and the checkpoint is still a valid OPT.
    """
    torch.manual_seed(recipe["seed"])
    architecture = recipe["architecture"]
    config = OPTConfig(
        vocab_size=vocabulary,
        word_embed_proj_dim=architecture["hidden_size"],
        dropout=0.0,
        attention_dropout=0.0,
        bos_token_id=BOS,
        eos_token_id=BOS,
        pad_token_id=PAD,
        **architecture,
    )
    config._attn_implementation = "sdpa"
    model = OPTForCausalLM(config)
    table = model.model.decoder.embed_positions.weight
    with torch.no_grad():
        table.zero_()
    table.requires_grad_(positions)
    return model


def make_optimizer(recipe: dict, model: torch.nn.Module) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices only, the position table at its own multiple of the rate."""
    groups: dict[str, list] = {"matrices": [], "vectors": [], "positions": []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kind = "positions" if "embed_positions" in name else "matrices" if parameter.ndim > 1 else "vectors"
            groups[kind].append(parameter)
    decay = {"matrices": recipe["weight_decay"], "vectors": 0.0, "positions": 0.0}
    factor = {"matrices": 1.0, "vectors": 1.0, "positions": recipe["position_rate"]}
    return torch.optim.AdamW(
        [{"params": groups[k], "weight_decay": decay[k], "factor": factor[k]} for k in groups if groups[k]],
        lr=recipe["learning_rate"],
        betas=(0.9, 0.95),
        fused=True,
    )


class Batches:
    """Windows of the packed text, the domains in turn; which ones depends on seed and step alone."""

    def __init__(self, text: Path, domains: list[str], seed: int):
        self.blocks = [Dataset.load_from_disk(str(text / domain)).with_format("numpy") for domain in domains]
        for domain, blocks in zip(domains, self.blocks, strict=True):
            if len(blocks) == 0:
                raise CensusError(f"training text {domain} is shorter than one window: give it more text")
        self.seed = seed
        self._orders: dict[tuple[int, int], numpy.ndarray] = {}

    def _block(self, draw: int) -> numpy.ndarray:
        domain, turn = draw % len(self.blocks), draw // len(self.blocks)
        blocks = self.blocks[domain]
        epoch, place = divmod(turn, len(blocks))
        if (domain, epoch) not in self._orders:
            order = numpy.random.Generator(numpy.random.PCG64([self.seed, domain, epoch])).permutation(len(blocks))
            self._orders[domain, epoch] = order
            self._orders.pop((domain, epoch - 1), None)
        return blocks[int(self._orders[domain, epoch][place])]["tokens"]

    def windows(self, first: int, count: int) -> torch.Tensor:
        """Draws `first .. first+count-1`, BOS in front of each; (count, T) int64."""
        rows = numpy.stack([self._block(draw) for draw in range(first, first + count)]).astype(numpy.int64)
        return torch.from_numpy(numpy.pad(rows, ((0, 0), (1, 0)), constant_values=BOS))


@torch.no_grad()
def held_out_loss(model: torch.nn.Module, batches: Batches, device: torch.device) -> float:
    """Mean cross-entropy in nats a token over the first windows of the held-out text."""
    total, size = 0.0, 16
    for first in range(0, HELD_OUT_WINDOWS, size):
        ids = batches.windows(first, size).to(device)
        total += model(input_ids=ids, labels=ids).loss.item() * size
    return total / HELD_OUT_WINDOWS


def save_checkpoint(model: OPTForCausalLM, tokenizer: Path, folder: Path) -> None:
    """A folder in Hugging Face layout: float16 weights as the published OPTs have them, config, tokenizer."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    config = OPTConfig.from_dict(model.config.to_dict())
    half = OPTForCausalLM(config)
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(partial)
    for file in tokenizer.iterdir():
        shutil.copy(file, partial / file.name)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def _steps(model, optimizer, accelerator: Accelerator, recipe: dict, batches: Batches, start: int) -> Iterator[torch.Tensor]:
    """One optimizer step at a time; yields the step's loss without waiting for the device."""
    size, rank, processes = recipe["batch_windows"], accelerator.process_index, accelerator.num_processes
    for step in range(start, recipe["steps"]):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step) * group["factor"]
        ids = batches.windows(step * size, size)[rank::processes].to(accelerator.device)
        loss = model(input_ids=ids, labels=ids).loss
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), recipe["clip"])
        optimizer.step()
        optimizer.zero_grad()
        yield loss.detach()


def train_model(
    recipe: dict, *, text: Path, held_out: Path, tokenizer: Path, positions: bool, out: Path, loss_table: Path, device: str = "auto"
) -> None:
    """Train one variant of a recipe and write a checkpoint for each of `recipe["checkpoints"]`.

    Args:
        recipe: the mapping `training.<name>` of the config.
        text: folder of packed windows, one data set a domain (`pack_text`); `held_out` likewise.
        tokenizer: folder with `tokenizer.json` (`train_tokenizer`).
        positions: learned positions, or a table held at zero.
        out: folder that gets `step-<n>/` for every checkpoint; everything is prepared in `<out>.partial`,
            which also holds the state that a killed run goes on from.
        loss_table: parquet with step, tokens, learning_rate, loss, held_out_loss.
        device: auto, cpu or cuda.

    Raises:
        CensusError: the loss is not finite (names the step; the last good state and checkpoints stay in
            `<out>.partial`), or a domain has less text than one window.
    """
    torch.set_num_threads(recipe["threads"])
    transformers_logging.disable_progress_bar()
    accelerator = Accelerator(mixed_precision=recipe["precision"], cpu=device == "cpu")
    work = out.with_name(out.name + ".partial")
    work.mkdir(parents=True, exist_ok=True)
    vocabulary = len(json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
    domains = list(recipe["text"])
    batches = Batches(text, domains, recipe["seed"])
    held_batches = Batches(held_out, list(recipe["held_out"]), recipe["seed"])
    bare = initial_model(recipe, vocabulary, positions)
    state, start, rows = work / "state.pt", 0, []
    optimizer = make_optimizer(recipe, bare)
    if state.exists():
        saved = torch.load(state, weights_only=True)
        if saved["recipe"] == recipe:
            bare.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            start, rows = saved["step"], saved["rows"]
            log.info("going on from step %d", start)
    model, optimizer = accelerator.prepare(bare, optimizer)

    size, window = recipe["batch_windows"], recipe["architecture"]["max_position_embeddings"]
    bar = progress(total=recipe["steps"] * size * window, done=start * size * window, unit="token", what=f"training {out.parent.name}")
    recent: list[torch.Tensor] = []
    for step, loss in enumerate(_steps(model, optimizer, accelerator, recipe, batches, start), start=start + 1):
        recent.append(loss)
        bar.update(size * window)
        checkpoint = step in recipe["checkpoints"]
        if not (step % LOG_EVERY == 0 or checkpoint or step == recipe["steps"]):
            continue
        losses = torch.stack(recent).double().cpu()
        if not losses.isfinite().all():
            bad = step - len(recent) + 1 + int((~losses.isfinite()).nonzero()[0])
            raise CensusError(f"the loss of step {bad} is not finite: lower training learning_rate; the last good state is in {work.name}")
        recent = []
        row = {"step": step, "tokens": step * size * window, "learning_rate": learning_rate(recipe, step - 1)}
        rows.append(row | {"loss": losses.mean().item(), "held_out_loss": None})
        bar.set_postfix_str(f"loss {rows[-1]['loss']:.3f}")
        if checkpoint and accelerator.is_main_process:
            rows[-1]["held_out_loss"] = held_out_loss(model, held_batches, accelerator.device)
            log.info("step %d: loss %.4f, held out %.4f", step, rows[-1]["loss"], rows[-1]["held_out_loss"])
            save_checkpoint(accelerator.unwrap_model(model), tokenizer, work / f"step-{step}")
        if (step % recipe["resume_every"] == 0 or checkpoint) and accelerator.is_main_process:
            kept = {"step": step, "rows": rows, "recipe": recipe, "optimizer": optimizer.state_dict()}
            with atomic_path(state) as path:
                torch.save(kept | {"model": accelerator.unwrap_model(model).state_dict()}, path)
    bar.close()
    if accelerator.is_main_process:
        with atomic_path(loss_table) as path:
            schema = {"step": polars.Int64, "tokens": polars.Int64, "learning_rate": polars.Float64}
            polars.DataFrame(rows, schema=schema | {"loss": polars.Float64, "held_out_loss": polars.Float64}).write_parquet(path)
        state.unlink()
        shutil.rmtree(out, ignore_errors=True)
        os.replace(work, out)
