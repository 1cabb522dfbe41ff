"""A training run between two steps: its steps, its state on disk, and whether it still makes sense."""

import logging
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from neuroncensus.errors import CensusError
from neuroncensus.files import atomic_path
from neuroncensus.models.batches import Batches

log = logging.getLogger(__name__)


def learning_rate(recipe: dict, step: int) -> float:
    """Linear warm-up, then a cosine down to a tenth of the recipe's rate. `step` counts from 0."""
    if step < recipe["warmup"]:
        return recipe["learning_rate"] * (step + 1) / recipe["warmup"]
    done = (step - recipe["warmup"]) / max(1, recipe["steps"] - recipe["warmup"])
    return recipe["learning_rate"] * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass
class Run:
    """A training run between two steps.

    Attributes:
        work: folder that holds the checkpoints made so far, and the state.
        identity: everything that the run's bytes hang on; a state of another identity is not gone on from.
        step: optimizer steps done.
        rows: the loss table so far.
    """

    work: Path
    identity: dict
    accelerator: Accelerator
    model: Any
    optimizer: Any
    step: int = 0
    rows: list[dict] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.work / "state.pt"

    @property
    def bare(self) -> Any:
        """The model without what accelerate wraps around it."""
        return self.accelerator.unwrap_model(self.model)

    def start(self) -> None:
        """Take up the saved state if it is this run's, and give model and optimizer to accelerate."""
        scaler = None
        if self.state.exists():
            saved = torch.load(self.state, weights_only=True, map_location="cpu")
            if saved["identity"] == self.identity and all((self.work / name).is_dir() for name in saved["checkpoints"]):
                self.model.load_state_dict(saved["model"])
                self.optimizer.load_state_dict(saved["optimizer"])
                self.step, self.rows, scaler = saved["step"], saved["rows"], saved["scaler"]
                log.info("going on from step %d", self.step)
            else:
                log.info(
                    "the state in %s is of another recipe, text, device or version, or lacks a checkpoint: starting from step 0",
                    self.work.name,
                )
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            self._clear()
        self.accelerator.wait_for_everyone()
        self.model, self.optimizer = self.accelerator.prepare(self.model, self.optimizer)
        if scaler is not None and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(scaler)

    def checkpoints(self) -> list[str]:
        """The folders of the checkpoints made so far, in order."""
        return [f"step-{row['step']}" for row in self.rows if row["held_out_loss"] is not None]

    def _clear(self) -> None:
        """Leave the state and the checkpoints it knows of: nothing else may get into the output."""
        known = {self.state.name, *self.checkpoints()}
        self.work.mkdir(parents=True, exist_ok=True)
        for path in self.work.iterdir():
            if path.is_dir() and path.name not in known:
                shutil.rmtree(path)
            elif path.name not in known or self.step == 0:
                path.unlink()

    def save(self) -> None:
        """Write the state that a killed run goes on from."""
        scaler = self.accelerator.scaler
        state = {
            "identity": self.identity,
            "step": self.step,
            "rows": self.rows,
            "checkpoints": self.checkpoints(),
            "model": self.bare.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": scaler and scaler.state_dict(),
        }
        # A file of Python's: torch's own does not say that the disk is full.
        with atomic_path(self.state) as path, path.open("wb") as file:
            torch.save(state, file)

    def steps(self, recipe: dict, batches: Batches) -> Iterator[torch.Tensor]:
        """One optimizer step at a time; yields this process's loss without waiting for the device."""
        size, rank, processes = recipe["batch_windows"], self.accelerator.process_index, self.accelerator.num_processes
        while self.step < recipe["steps"]:
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(recipe, self.step) * group["factor"]
            ids = batches.windows(self.step * size, size)[rank::processes].to(self.accelerator.device)
            loss = self.model(input_ids=ids, labels=ids).loss
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.model.parameters(), recipe["clip"])
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.step += 1
            yield loss.detach()

    def _not_finite(self, what: str, recipe: dict) -> CensusError:
        made = self.checkpoints()
        kept = f"the last good checkpoint is {self.work / made[-1]}" if made else "no checkpoint was made before it"
        return CensusError(f"{what} not finite: lower learning_rate of the recipe, {recipe['learning_rate']}; {kept}")

    def check(self, recent: list[torch.Tensor], recipe: dict) -> float:
        """The mean loss of the last steps, over all processes.

        Raises:
            CensusError: one of them, or a weight after them, is not finite.
        """
        losses = self.accelerator.reduce(torch.stack(recent).double(), "mean").cpu()
        if not losses.isfinite().all():
            bad = self.step - len(recent) + 1 + int((~losses.isfinite()).nonzero()[0])
            raise self._not_finite(f"the loss of step {bad} is", recipe)
        for name, weight in self.bare.named_parameters():
            if not weight.isfinite().all():
                raise self._not_finite(f"weight {name} after step {self.step} is", recipe)
        return losses.mean().item()
