"""Train an OPT from scratch: the same recipe with learned positions, or with none (section 5.4).

A recipe is a mapping of the config (`training.<name>`; config/schemas describes every key). The loop is
deterministic: the batch of a step depends on the seed and the step alone, and the state is saved whole,
so a run that was killed at any moment ends in the same bytes on one machine.
"""

import hashlib
import json
import logging
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import polars
import torch
from accelerate import Accelerator
from transformers import OPTConfig, OPTForCausalLM
from transformers.utils import logging as transformers_logging

from neuroncensus.collect.leases import lease_cuda
from neuroncensus.digest import code_digest
from neuroncensus.errors import CensusError
from neuroncensus.files import atomic_path, whole_folder
from neuroncensus.models.batches import BOS, Batches
from neuroncensus.models.run import Run, learning_rate
from neuroncensus.progress import progress

log = logging.getLogger(__name__)

PAD = 1
LOG_EVERY = 50
HELD_OUT_WINDOWS = 256
LOSS_SCHEMA = {
    "step": polars.Int64,
    "tokens": polars.Int64,
    "learning_rate": polars.Float64,
    "loss": polars.Float64,
    "held_out_loss": polars.Float64,
}


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
    half = OPTForCausalLM(OPTConfig.from_dict(model.config.to_dict()))
    half.load_state_dict(model.state_dict())
    with whole_folder(folder) as partial:
        half.half().save_pretrained(partial)
        # How to sample text is no part of a census.
        (partial / "generation_config.json").unlink()
        # safetensors makes its file readable to its owner only.
        shutil.copymode(partial / "config.json", partial / "model.safetensors")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(tokenizer / name, partial / name)


def _text_digest(recipe: dict, text: Path, held_out: Path, tokenizer: Path) -> str:
    """A digest of the token ids that a run reads and of what they stand for."""
    files = [tokenizer / "tokenizer.json"]
    for folder, part in ((text, "text"), (held_out, "held_out")):
        files += [file for domain in recipe[part] for file in sorted((folder / domain).glob("*.arrow"))]
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _accelerator(recipe: dict, device: str) -> Accelerator:
    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise CensusError("device is cuda but torch finds no CUDA device: set device to cpu or auto")
    on_cpu = device == "cpu" or not found
    if recipe["precision"] == "fp16" and on_cpu:
        raise CensusError("precision of the recipe is fp16 but the device is cpu, which has bf16 only: set precision to bf16 or no")
    torch.set_num_threads(recipe["threads"])
    if not on_cpu and "LOCAL_RANK" not in os.environ:  # with several processes accelerate gives each its device
        lease_cuda()
    return Accelerator(mixed_precision=recipe["precision"], cpu=on_cpu)


def _train(run: Run, recipe: dict, batches: Batches, held_out: Batches, tokenizer: Path) -> None:
    """From where the run stands to its last step."""
    window_tokens = recipe["batch_windows"] * recipe["architecture"]["max_position_embeddings"]
    recent: list[torch.Tensor] = []
    total, done = recipe["steps"] * window_tokens, run.step * window_tokens
    main = run.accelerator.is_main_process
    what = f"training {run.work.parent.name}"
    with progress(total=total, done=done, unit="token", what=what) if main else nullcontext() as bar:
        for loss in run.steps(recipe, batches):
            recent.append(loss)
            if bar is not None:
                bar.update(window_tokens)
            checkpoint, resumable = run.step in recipe["checkpoints"], run.step % recipe["resume_every"] == 0
            if not (checkpoint or resumable or run.step % LOG_EVERY == 0):
                continue
            mean, recent = run.check(recent, recipe), []
            if bar is None:
                continue
            bar.set_postfix_str(f"loss {mean:.3f}")
            row = {"step": run.step, "tokens": run.step * window_tokens, "learning_rate": learning_rate(recipe, run.step - 1), "loss": mean}
            if checkpoint:
                row["held_out_loss"] = held_out_loss(run.bare, held_out, run.accelerator.device)
                log.info("step %d: loss %.4f, held out %.4f", run.step, mean, row["held_out_loss"])
                save_checkpoint(run.bare, tokenizer, run.work / f"step-{run.step}")
            run.rows.append({"held_out_loss": None} | row)
            if checkpoint or resumable:
                run.save()


def train_model(
    recipe: dict, *, text: Path, held_out: Path, tokenizer: Path, positions: bool, out: Path, loss_table: Path, device: str = "auto"
) -> None:
    """Train one variant of a recipe and write a checkpoint for each of `recipe["checkpoints"]`.

    Under `accelerate launch` the windows of a step are shared out among the processes; one of them writes.

    Args:
        recipe: the mapping `training.<name>` of the config.
        text: folder of packed windows, one data set a domain (`pack_text`); `held_out` likewise.
        tokenizer: folder with `tokenizer.json` (`train_tokenizer`).
        positions: learned positions, or a table held at zero.
        out: folder that gets `step-<n>/` for every checkpoint; everything is prepared in `<out>.partial`,
            which also holds the state that a killed run goes on from.
        loss_table: parquet with step, tokens, learning_rate, loss (mean since the row before), held_out_loss;
            a row every 50 steps and wherever a checkpoint or the state is saved.
        device: auto, cpu or cuda.

    Raises:
        CensusError: cuda is asked for and there is none; the windows of a step cannot be shared out evenly, or are more than a
            domain has;
            the loss or a weight is not finite (names the step; the last good state and checkpoints stay in
            `<out>.partial`).
    """
    accelerator = _accelerator(recipe, device)
    transformers_logging.disable_progress_bar()
    if recipe["batch_windows"] % accelerator.num_processes:
        raise CensusError(
            f"batch_windows of the recipe is {recipe['batch_windows']} but must be a multiple of the {accelerator.num_processes} processes"
        )
    batches = [Batches(folder, list(recipe[part]), recipe["seed"]) for part, folder in (("text", text), ("held_out", held_out))]
    batches[0].check_size(recipe["batch_windows"])
    vocabulary = len(json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
    model = initial_model(recipe, vocabulary, positions)
    identity = {
        "recipe": recipe,
        "positions": positions,
        "text": _text_digest(recipe, text, held_out, tokenizer),
        "device": accelerator.device.type,
        "processes": accelerator.num_processes,
        "code": code_digest(Path(__file__)),
        "torch": str(torch.__version__),
    }
    run = Run(out.with_name(f"{out.name}.partial"), identity, accelerator, model, make_optimizer(recipe, model))
    run.start()
    _train(run, recipe, *batches, tokenizer)
    if accelerator.is_main_process:
        with atomic_path(loss_table) as path:
            polars.DataFrame(run.rows, schema=LOSS_SCHEMA).write_parquet(path)
        run.state.unlink()
        shutil.rmtree(out, ignore_errors=True)
        os.replace(run.work, out)
    accelerator.wait_for_everyone()
