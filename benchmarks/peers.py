"""Positions a second, everything counted, ÷ what others do a second: the same model, windows, batches, dtype and threads.

Plain hooks, nnsight and TransformerLens only count activations; the last row's plain hooks count everything, but for the null of
n-grams, naively. nnsight and TransformerLens run once as they are documented, which computes logits, and once spared those. A peer
that is not installed or cannot do the job has its error in the table. What every side counted is compared: the activations of all
neurons together may differ by TOLERANCE, which leaves room for rounding and for none of a missing batch.
"""

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import polars
import torch

from benchmarks._common import Options, Row, batches_of, collect, main, paired, ratio, transformers_model
from benchmarks._hooks import count_activations, count_everything
from benchmarks._made import OPT_125M, TINY, Model, Text, make_model, make_text

POSITIONS, WINDOW = 8192, 512
DTYPE = "float32"
TOLERANCE = 0.001
OURS, THEIRS = "ours", "theirs"
SPARED = {"use_cache": False, "logits_to_keep": 1}

Count = Callable[[list[torch.Tensor]], torch.Tensor]
"""Batches of token ids to activations of each neuron."""


def _tokenizer(model: Model, text: Text) -> Any:
    """The text's tokenizer as transformers has it, saved beside the model, where TransformerLens looks for it again."""
    fast = importlib.import_module("transformers").PreTrainedTokenizerFast
    special = {"pad_token": "1", "bos_token": "2", "eos_token": "2"}
    fast(tokenizer_file=str(text.shards[0].with_name("tokenizer.json")), **special).save_pretrained(model.folder)
    return fast.from_pretrained(model.folder)


def _nnsight(model: Model, tokenizer: Any, **spared: Any) -> Count:
    nnsight = importlib.import_module("nnsight")
    wrapped = nnsight.LanguageModel(transformers_model(model, DTYPE, causal=True), tokenizer=tokenizer)

    def count(batches: list[torch.Tensor]) -> torch.Tensor:
        total = torch.zeros(model.architecture.n_layers, model.architecture.ffn, dtype=torch.int64)
        for ids in batches:
            with torch.inference_mode(), wrapped.trace(ids, **spared):
                found = [(layer.activation_fn.output > 0).sum(dim=0) for layer in wrapped.model.decoder.layers]
                counts = nnsight.save(found)
            total += torch.stack(counts)
        return total

    return count


def _transformer_lens(model: Model, tokenizer: Any, **spared: Any) -> Count:
    bridge = importlib.import_module("transformer_lens.model_bridge").TransformerBridge
    theirs = transformers_model(model, DTYPE, "eager", causal=True)
    booted = bridge.boot_transformers(str(model.folder), dtype=getattr(torch, DTYPE), device="cpu", hf_model=theirs, tokenizer=tokenizer)

    def count(batches: list[torch.Tensor]) -> torch.Tensor:
        total = torch.zeros(model.architecture.n_layers, model.architecture.ffn, dtype=torch.int64)

        def see(values: torch.Tensor, hook: Any, layer: int) -> None:
            total[layer] += (values > 0).flatten(0, -2).sum(dim=0)

        hooks = [(f"blocks.{layer}.mlp.out.hook_in", partial(see, layer=layer)) for layer in range(len(total))]
        with torch.inference_mode():
            for ids in batches:
                booted.run_with_hooks(ids, fwd_hooks=hooks, return_type=None, **spared)
        return total

    return count


def _peers(model: Model, tokenizer: Any) -> Iterator[tuple[str, str, Callable[[], Count]]]:
    """Name, target, and what makes the function that counts."""
    vocabulary = model.architecture.vocabulary
    yield "plain hooks", "over 1.05", lambda: partial(count_activations, transformers_model(model, DTYPE))
    for name, target, prepare in (("nnsight 0.8", "over 1.2", _nnsight), ("TransformerLens 4.3", "over 1.8", _transformer_lens)):
        yield name, target, partial(prepare, model, tokenizer)
        yield f"{name} without logits", "", partial(prepare, model, tokenizer, **SPARED)
    everything = partial(count_everything, vocabulary=vocabulary)
    yield "plain hooks that count everything", "over 3", lambda: partial(everything, transformers_model(model, DTYPE))


def _keep(counted: list[int], count: Count, batches: list[torch.Tensor]) -> None:
    """Count, and keep how many activations that were."""
    counted.append(int(count(batches).sum()))


def _ours(out: Path) -> int:
    """Activations of all neurons together, as written."""
    return int(polars.read_parquet(list(out.glob("*/activations-*.parquet")))["activations"].sum())


def rows(options: Options) -> Iterator[Row]:
    """A row a peer."""
    shape, window, positions = (TINY, 32, 512) if options.quick else (OPT_125M, WINDOW, POSITIONS)
    model, out = make_model(options.folder / "model", shape), options.folder / "out"
    text = make_text(options.folder / "text", shape.vocabulary, window=window, positions=positions)
    batches = batches_of(text)
    for name, target, prepare in _peers(model, _tokenizer(model, text)):
        case = f"positions a second, T = {window}, {DTYPE}: ours ÷ {name}"
        try:
            count, counted = prepare(), []
            theirs = partial(_keep, counted, count, batches)
            seconds = paired(options, {OURS: partial(collect, model, text, out, dtype=DTYPE), THEIRS: theirs})
        except Exception as error:  # noqa: BLE001 # whatever stops a peer is its result
            yield Row(case, None, target, note=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            continue
        ours = _ours(out)
        same = abs(counted[0] - ours) <= TOLERANCE * ours
        yield Row(case, ratio(seconds, THEIRS, OURS), target, seconds, "" if same else f"counted {counted[0]} activations, ours {ours}")


if __name__ == "__main__":
    main(rows)
