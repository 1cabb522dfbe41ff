"""Training a tiny OPT: what a checkpoint is, what decides its bytes, and what is left when it breaks off."""

import copy
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import polars
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from transformers import OPTForCausalLM, PreTrainedTokenizerFast

from made_text import make_texts, write_jsonl
from neuroncensus.errors import CensusError
from neuroncensus.models import run as run_module
from neuroncensus.models.batches import Batches
from neuroncensus.models.describe import describe_model
from neuroncensus.models.run import Run, learning_rate
from neuroncensus.models.text import pack_text, train_tokenizer
from neuroncensus.models.train import held_out_loss, initial_model, make_optimizer, train_model

WINDOW, BATCH, STEPS, CHECKPOINTS = 16, 3, 12, [6, 12]
POSITIONS = "model.decoder.embed_positions.weight"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text of two domains, packed, with its tokenizer."""
    folder = tmp_path_factory.mktemp("text")
    write_jsonl(folder / "prose.jsonl", make_texts(60))
    write_jsonl(folder / "other.jsonl", make_texts(20, seed=1))
    write_jsonl(folder / "held.jsonl", make_texts(30, seed=2))
    made = make_recipe(folder)
    train_tokenizer(made, folder / "tokenizer")
    for part in ("text", "held_out"):
        pack_text(made, part, folder / "tokenizer", folder / part)
    return folder


def make_recipe(folder: Path, **changes) -> dict:
    recipe = {
        "seed": 3,
        "text": {"prose": {"path": str(folder / "prose.jsonl")}, "other": {"path": str(folder / "other.jsonl")}},
        "held_out": {"held": {"path": str(folder / "held.jsonl")}},
        "vocabulary": 300,
        "architecture": {
            "hidden_size": 16,
            "ffn_dim": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": WINDOW,
        },
        "steps": STEPS,
        "checkpoints": CHECKPOINTS,
        "batch_windows": BATCH,
        "learning_rate": 0.01,
        "position_rate": 2,
        "warmup": 3,
        "weight_decay": 0.1,
        "clip": 1.0,
        "precision": "no",
        "threads": 1,
        "resume_every": 4,
    }
    return recipe | changes


def train(folder: Path, to: Path, *, positions: bool = True, **changes) -> None:
    read = {name: folder / name for name in ("text", "held_out", "tokenizer")}
    out, table = to / "checkpoints", to / "loss.parquet"
    train_model(make_recipe(folder, **changes), **read, positions=positions, out=out, loss_table=table, device="cpu")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    to = tmp_path_factory.mktemp("trained")
    train(folder, to)
    return to


@pytest.fixture(scope="module")
def nopos(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same recipe without positions."""
    to = tmp_path_factory.mktemp("nopos")
    train(folder, to, positions=False)
    return to


# What comes out


def test_output_holds_the_checkpoints_and_nothing_else(trained: Path):
    files = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert sorted(contents(trained)) == sorted(["loss.parquet", *(f"checkpoints/step-{n}/{file}" for n in CHECKPOINTS for file in files)])
    assert sorted(path.name for path in trained.iterdir()) == ["checkpoints", "loss.parquet"]
    modes = {file.stat().st_mode for file in (trained / "checkpoints" / "step-12").iterdir()}
    assert len(modes) == 1


def test_checkpoints_are_opts(folder: Path, trained: Path):
    for step in CHECKPOINTS:
        place = trained / "checkpoints" / f"step-{step}"
        model, report = OPTForCausalLM.from_pretrained(place, dtype=torch.float32, output_loading_info=True)
        assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
        assert {tensor.dtype for tensor in load_file(place / "model.safetensors").values()} == {torch.float16}
        with torch.no_grad():
            assert model(input_ids=torch.tensor([[2, 5, 6]])).logits.isfinite().all()
        config = json.loads((place / "config.json").read_text())
        assert (config["bos_token_id"], config["pad_token_id"], config["do_layer_norm_before"]) == (2, 1, True)
        assert not any("attn_implementation" in key for key in config)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(place)
        assert tokenizer.eos_token_id == 2
        assert (place / "tokenizer.json").read_bytes() == (folder / "tokenizer" / "tokenizer.json").read_bytes()


def test_checkpoints_are_read_by_the_census(trained: Path, tmp_path: Path):
    out = tmp_path / "model.json"
    describe_model(trained / "checkpoints" / "step-12", model="tiny", out=out)
    found = json.loads(out.read_text())["architecture"]
    assert (found["n_layers"], found["ffn"], found["positions"]) == (2, 32, WINDOW)


def test_loss_table(folder: Path, trained: Path):
    table = polars.read_parquet(trained / "loss.parquet")
    assert table["step"].to_list() == [4, 6, 8, 12]
    assert table["tokens"].to_list() == [step * BATCH * WINDOW for step in (4, 6, 8, 12)]
    assert table["learning_rate"].to_list() == [learning_rate(make_recipe(folder), step - 1) for step in (4, 6, 8, 12)]
    assert [held is not None for held in table["held_out_loss"]] == [False, True, False, True]
    assert table["loss"][-1] < table["loss"][0] < 1.1 * math.log(300)


def test_loss_is_the_mean_of_its_steps(folder: Path, trained: Path, tmp_path: Path):
    train(folder, tmp_path, resume_every=1)
    each = polars.read_parquet(tmp_path / "loss.parquet")["loss"].to_numpy()
    means = [each[low:high].mean() for low, high in ((0, 4), (4, 6), (6, 8), (8, 12))]
    assert polars.read_parquet(trained / "loss.parquet")["loss"].to_list() == pytest.approx(means, abs=1e-12)


def test_held_out_loss_is_that_of_the_formula(folder: Path):
    recipe = make_recipe(folder)
    model = initial_model(recipe, 300, True)
    batches = Batches(folder / "held_out", ["held"], recipe["seed"])
    losses = []
    for draw in range(256):
        ids = batches.windows(draw, 1)
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0].double()
        chosen = logits.log_softmax(-1)[torch.arange(WINDOW - 1), ids[0, 1:]]
        losses.append(-chosen.mean().item())
    assert held_out_loss(model, batches, torch.device("cpu")) == pytest.approx(numpy.mean(losses), abs=1e-5)


# Without positions


def test_nopos_differs_in_the_position_table_alone_at_first(folder: Path):
    recipe = make_recipe(folder)
    one, other = initial_model(recipe, 300, True), initial_model(recipe, 300, False)
    assert one.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(one.state_dict()[name], other.state_dict()[name]) for name in one.state_dict())
    frozen = [name for name, parameter in other.named_parameters() if not parameter.requires_grad]
    assert frozen == [POSITIONS]
    assert all(parameter.requires_grad for parameter in one.parameters())


def test_nopos_table_is_zero_in_every_checkpoint(trained: Path, nopos: Path):
    for step in CHECKPOINTS:
        without, learned = (load_file(run / "checkpoints" / f"step-{step}" / "model.safetensors") for run in (nopos, trained))
        assert not without[POSITIONS].any()
        # Nothing follows a window's last token, so its position learns nothing.
        assert learned[POSITIONS].any(dim=1).tolist() == [False, False, *[True] * (WINDOW - 1), False]
        assert without.keys() == learned.keys()
        assert without[POSITIONS].shape == learned[POSITIONS].shape == (WINDOW + 2, 16)


def test_nopos_model_has_only_the_mask_to_know_positions_by(nopos: Path):
    model = OPTForCausalLM.from_pretrained(nopos / "checkpoints" / "step-12", dtype=torch.float32)
    with torch.no_grad():
        logits = model(input_ids=torch.full((1, WINDOW), 7)).logits[0]
    assert torch.allclose(logits, logits[0].expand_as(logits), atol=1e-5)


# The recipe


def test_learning_rate_rises_then_falls_to_a_tenth(folder: Path):
    recipe = make_recipe(folder, steps=11, warmup=3, learning_rate=0.3)
    cosine = [0.3 * (0.1 + 0.45 * (1 + math.cos(math.pi * k / 8))) for k in range(8)]
    assert [learning_rate(recipe, step) for step in range(11)] == pytest.approx([0.1, 0.2, 0.3, *cosine])
    assert learning_rate(recipe, 11) == pytest.approx(0.03)
    assert learning_rate(recipe | {"warmup": 0}, 0) == pytest.approx(0.3)
    assert learning_rate(recipe | {"warmup": 11}, 10) == pytest.approx(0.3)


def test_weight_decay_and_rates_by_kind(folder: Path):
    groups = make_optimizer(make_recipe(folder), initial_model(make_recipe(folder), 300, True)).param_groups
    assert [(group["weight_decay"], group["factor"]) for group in groups] == [(0.1, 1.0), (0.0, 1.0), (0.0, 2)]
    assert {parameter.ndim for parameter in groups[0]["params"]} == {2}
    assert {parameter.ndim for parameter in groups[1]["params"]} == {1}
    assert [tuple(parameter.shape) for parameter in groups[2]["params"]] == [(WINDOW + 2, 16)]
    without = make_optimizer(make_recipe(folder), initial_model(make_recipe(folder), 300, False)).param_groups
    assert len(without) == 2


def test_batches_hang_on_seed_and_step_alone(folder: Path):
    def windows(seed: int, *firsts: int) -> list[torch.Tensor]:
        batches = Batches(folder / "text", ["prose", "other"], seed)
        return [batches.windows(first * BATCH, BATCH) for first in firsts]

    forward, scattered = windows(3, *range(60)), windows(3, 59, 7, 58, 0)
    for found, step in zip(scattered, (59, 7, 58, 0), strict=True):
        assert torch.equal(found, forward[step])
    assert not torch.equal(windows(4, 0)[0], forward[0])


def test_domains_take_turns_and_every_block_comes_once_an_epoch(folder: Path):
    blocks = [numpy.array(Dataset.load_from_disk(str(folder / "text" / name))["tokens"]) for name in ("prose", "other")]
    draws = Batches(folder / "text", ["prose", "other"], 3).windows(0, 4 * max(map(len, blocks))).numpy()
    assert (draws[:, 0] == 2).all()
    for domain, own in enumerate(blocks):
        seen = draws[domain::2, 1:]
        epochs = [seen[first : first + len(own)] for first in range(0, len(seen) - len(own) + 1, len(own))]
        assert len(epochs) >= 2
        assert all(sorted(map(tuple, epoch)) == sorted(map(tuple, own)) for epoch in epochs)
        assert (epochs[0] != epochs[1]).any()


def test_text_shorter_than_a_batch_is_told(folder: Path):
    batches = Batches(folder / "text", ["prose", "other"], 3)
    shortest = min(map(len, batches.blocks))
    batches.check_size(2 * shortest)
    with pytest.raises(
        CensusError, match=rf"has {shortest} windows, and a batch of batch_windows {2 * shortest + 1} takes {shortest + 1} of"
    ):
        batches.check_size(2 * shortest + 1)


def test_seed_decides_the_weights(folder: Path, trained: Path, tmp_path: Path):
    train(folder, tmp_path, seed=4)
    assert contents(tmp_path)["checkpoints/step-12/model.safetensors"] != contents(trained)["checkpoints/step-12/model.safetensors"]


# Broken off


class Stop(Exception):
    """What stands for a kill inside the process."""


def stop_at_step(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    windows = Batches.windows

    def stopping(self, first, count):
        if count == BATCH and first == step * BATCH:
            raise Stop
        return windows(self, first, count)

    monkeypatch.setattr(Batches, "windows", stopping)


def stop_in(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, call: int, *, after: bool) -> None:
    """Stop before or after the `call`-th call of a function."""
    function, calls = getattr(owner, name), []

    def stopping(*args, **kwargs):
        calls.append(0)
        if len(calls) == call and not after:
            raise Stop
        result = function(*args, **kwargs)
        if len(calls) == call:
            raise Stop
        return result

    monkeypatch.setattr(owner, name, stopping)


INTERRUPTIONS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    **{f"step {step}": lambda patch, step=step: stop_at_step(patch, step) for step in (0, 3, 4, 5, 6, 7, 11)},
    "in the last checkpoint": lambda patch: stop_in(patch, OPTForCausalLM, "save_pretrained", 2, after=True),
    "after the first checkpoint, before its state": lambda patch: stop_in(patch, Run, "save", 2, after=False),
    "in writing the state": lambda patch: stop_in(patch, torch, "save", 2, after=True),
    "after the last state": lambda patch: stop_in(patch, Run, "save", 4, after=True),
    "after the loss table": lambda patch: stop_in(patch, polars.DataFrame, "write_parquet", 1, after=True),
}


@pytest.mark.parametrize("moment", INTERRUPTIONS)
def test_broken_off_and_run_again_gives_the_same_bytes(
    folder: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
):
    with monkeypatch.context() as patch:
        INTERRUPTIONS[moment](patch)
        with pytest.raises(Stop):
            train(folder, tmp_path)
    assert not (tmp_path / "checkpoints").exists()
    train(folder, tmp_path)
    assert contents(tmp_path) == contents(trained)


def test_a_run_goes_on_from_its_state(folder: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        stop_at_step(patch, 9)
        with pytest.raises(Stop):
            train(folder, tmp_path)
    # Steps 8 and later are all that is left to do, so a stop at step 7 is never met.
    with monkeypatch.context() as patch:
        stop_at_step(patch, 7)
        train(folder, tmp_path)
    assert contents(tmp_path) == contents(trained)


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_train import train
from neuroncensus.models.batches import Batches
windows = Batches.windows
def waiting(self, first, count):
    if count == 3 and first == 9 * 3:
        Path(sys.argv[3], "there").touch()
        time.sleep(100)
    return windows(self, first, count)
Batches.windows = waiting
train(Path(sys.argv[2]), Path(sys.argv[3]))
"""


def test_killed_and_run_again_gives_the_same_bytes(folder: Path, trained: Path, tmp_path: Path):
    tests = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tests[0], str(folder), str(tmp_path)], env=os.environ | {"PYTHONPATH": os.pathsep.join(tests)}
    )
    while not (tmp_path / "there").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (tmp_path / "there").unlink()
    assert sorted(contents(tmp_path / "checkpoints.partial"))[-1] == "step-6/tokenizer_config.json"
    train(folder, tmp_path)
    assert contents(tmp_path) == contents(trained)


def broken_off(folder: Path, to: Path, monkeypatch: pytest.MonkeyPatch, **changes) -> None:
    with monkeypatch.context() as patch:
        stop_at_step(patch, 9)
        with pytest.raises(Stop):
            train(folder, to, **changes)


@pytest.mark.parametrize("changes", [{"learning_rate": 0.02}, {"checkpoints": [5, 12]}, {"seed": 9}, {"positions": False}])
def test_nothing_of_another_recipe_is_used_or_left(
    folder: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict
):
    broken_off(folder, tmp_path, monkeypatch, **changes)
    (tmp_path / "checkpoints.partial" / "step-99").mkdir()
    train(folder, tmp_path)
    assert contents(tmp_path) == contents(trained)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-12", "step-6"]


def test_nothing_of_another_text_is_used(folder: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    changed = make_recipe(folder)
    write_jsonl(tmp_path / "changed" / "prose.jsonl", make_texts(60, seed=8))
    other = copy.deepcopy(changed)
    other["text"]["prose"]["path"] = str(tmp_path / "changed" / "prose.jsonl")
    pack_text(other, "text", folder / "tokenizer", tmp_path / "changed" / "text")
    with monkeypatch.context() as patch:
        stop_at_step(patch, 9)
        with pytest.raises(Stop):
            read = {"text": tmp_path / "changed" / "text", "held_out": folder / "held_out", "tokenizer": folder / "tokenizer"}
            train_model(changed, **read, positions=True, out=tmp_path / "run" / "checkpoints", loss_table=tmp_path / "run" / "loss.parquet")
    train(folder, tmp_path / "run")
    assert contents(tmp_path / "run") == contents(trained)


def test_a_lost_checkpoint_is_made_again(folder: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    broken_off(folder, tmp_path, monkeypatch)
    lost = tmp_path / "checkpoints.partial" / "step-6"
    lost.rename(tmp_path / "lost")
    train(folder, tmp_path)
    (tmp_path / "lost").rename(tmp_path / "checkpoints" / "lost")
    found = contents(tmp_path)
    assert {name: data for name, data in found.items() if "lost" not in name} == contents(trained)


# What cannot go on


def without_rate_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    rate = run_module.learning_rate
    monkeypatch.setattr(run_module, "learning_rate", lambda recipe, now: math.nan if now == step else rate(recipe, now))


@pytest.mark.parametrize(
    ("poisoned", "resume_every", "sentence"),
    # The update of step 9 spoils the weights: the loss of step 10 shows it, or the weights themselves.
    [(8, 5, r"the loss of step 10 is not finite"), (8, 3, r"weight .* after step 9 is not finite")],
)
def test_loss_that_is_not_finite(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, poisoned: int, resume_every: int, sentence: str
):
    with monkeypatch.context() as patch:
        without_rate_at(patch, poisoned)
        with pytest.raises(CensusError, match=sentence + r": lower learning_rate of the recipe, 0\.01; .*checkpoints\.partial/step-6$"):
            train(folder, tmp_path, resume_every=resume_every)
    assert not (tmp_path / "checkpoints").exists()
    kept = load_file(tmp_path / "checkpoints.partial" / "step-6" / "model.safetensors")
    assert all(tensor.isfinite().all() for tensor in kept.values())
    assert not (tmp_path / "checkpoints.partial" / "step-12").exists()
    train(folder, tmp_path, resume_every=resume_every)
    train(folder, tmp_path / "clean", resume_every=resume_every)
    clean = contents(tmp_path / "clean")
    assert {name: data for name, data in contents(tmp_path).items() if "clean" not in name} == clean


def test_learning_rate_far_too_high_says_so(folder: Path, tmp_path: Path):
    with pytest.raises(CensusError, match=r"step \d+ is not finite: lower learning_rate of the recipe, 1e\+30; no checkpoint was made"):
        train(folder, tmp_path, learning_rate=1e30)


def test_device_and_precision_that_are_not_there(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    read = {name: folder / name for name in ("text", "held_out", "tokenizer")}
    out = {"out": tmp_path / "checkpoints", "loss_table": tmp_path / "loss.parquet"}
    with pytest.raises(CensusError, match="device is cuda but torch finds no CUDA device"):
        train_model(make_recipe(folder), **read, **out, positions=True, device="cuda")
    with pytest.raises(CensusError, match="precision of the recipe is fp16 but the device is cpu"):
        train_model(make_recipe(folder, precision="fp16"), **read, **out, positions=True)
    assert not list(tmp_path.iterdir())


def test_threads_are_those_of_the_recipe(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    train(folder, tmp_path, threads=2, steps=1, checkpoints=[1])
    assert asked == [2]
