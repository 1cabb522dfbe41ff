"""ablation.parquet against hooks in transformers' own forward pass, a neuron and a context at a time."""

import math

import numpy
import polars
import pytest
import torch
from transformers import OPTForCausalLM

from models_made import make_opt
from neuroncensus.collect.ablation import collect_ablation, nearest
from neuroncensus.collect.contexts import AblationSettings, draw_contexts
from neuroncensus.corpora.shards import read_shard
from neuroncensus.errors import CensusError
from neuroncensus.findings.ablation import summarize_ablation
from neuroncensus.findings.tokendetectors import read_token_detectors
from neuroncensus.tablefiles import read_metadata, read_table, write_table
from neuroncensus.tables import ABLATION
from shards_made import made_shard, write_made_shard
from updates_made import Made, write_detectors

MODELS = {
    "pre-LayerNorm": {},
    "350m's": {"pre_layer_norm": False, "embedding_width": 12},
    "untied, relu2": {"tied": False, "activation": "relu2"},
    "few neurons": {"ffn": 4},
}
SETTINGS = {"device": "cpu", "dtype": "float32", "threads": 1, "batch_tokens": 48, "stages": 2, "skip_silent": True}
ASKED = {"detectors": 3, "contexts": 9, "matched": 5, "seed": 4}
FOUND = {(0, 2): [5], (0, 3): [5, 6], (1, 0): [7, 11, 12], (1, 2): [8, 9], (2, 3): [0, 10]}


def write_windows(folder, seed: int = 0) -> list:
    """Two domains, two shards of the second; windows of unlike lengths, one of BOS alone."""
    draw, paths = numpy.random.default_rng(seed), []
    for domain, shard in (("code", 0), ("prose", 0), ("prose", 1)):
        windows = [draw.integers(0, 20, int(size)).tolist() for size in [*draw.integers(1, 20, 9), 0]]
        made = made_shard(windows, sorted(draw.integers(0, 5, len(windows)).tolist()))
        made.metadata.update({"domain": domain, "shard": shard})
        paths.append(folder / f"{domain}-{shard}.parquet")
        write_made_shard(paths[-1], made)
    return paths


class Naive:
    """transformers' model, one neuron of one layer at a time set to zero at the last position by a hook."""

    def __init__(self, made: Made):
        self.model = OPTForCausalLM.from_pretrained(made.folder, dtype=torch.float32, attn_implementation="sdpa").eval()
        self.tokens, self.seen, self.zero = made.tokens, {}, None
        for number, layer in enumerate(self.model.model.decoder.layers):
            layer.activation_fn.register_forward_hook(lambda _m, _a, output, number=number: self._hook(number, output))

    def _hook(self, layer: int, output: torch.Tensor) -> torch.Tensor:
        values = output.reshape(-1, output.shape[-1]).clone()
        self.seen[layer] = values[-1].double().numpy()
        if self.zero is not None and self.zero[0] == layer:
            values[-1, self.zero[1]] = 0
        return values.view(output.shape)

    def measure(self, tokens: list[int], zero: tuple[int, int] | None = None) -> tuple[float, float]:
        """Log-probability of the last token, and its logit less the mean logit, at the last position."""
        self.zero = zero
        with torch.inference_mode():
            logits = self.model(input_ids=torch.tensor([[2, *tokens]])).logits[0, -1].double()
        self.rounding = 2e-5 + 5e-7 * logits.abs().max().item()  # of float32, in a logit
        return logits.log_softmax(0)[tokens[-1]].item(), (logits[tokens[-1]] - logits[self.tokens].mean()).item()


def ablated(made: Made, windows: list, found: dict, asked: dict | None = None, positions: int = 10_000, **settings) -> polars.DataFrame:
    detectors, ngrams = write_detectors(made, found)
    out = made.description.with_name("ablation.parquet")
    files = {"folder": made.folder, "description": made.description, "detectors": detectors, "ngrams": ngrams, "windows": windows}
    collect_ablation(SETTINGS | settings, asked or ASKED, positions=positions, **files, tokenizer=made.folder, out=out)
    table = read_table(out)
    assert table.schema.equals(ABLATION.schema)
    return polars.DataFrame(table)


@pytest.mark.parametrize("shape", MODELS.values(), ids=MODELS)
def test_zeroing_is_what_a_hook_in_transformers_does(tmp_path, shape):
    made, windows = Made(tmp_path, **shape), write_windows(tmp_path)
    rows, naive = ablated(made, windows, FOUND).to_dicts(), Naive(made)
    shards = {(path.stem.split("-")[0], int(path.stem[-1])): read_shard(path) for path in windows}
    matched = changes = 0
    drawn = draw_contexts(read_token_detectors(*write_detectors(made, FOUND)), windows, AblationSettings(**ASKED))
    kept = {tuple(row[name] for name in ABLATION.names[:6]): row for row in rows}
    assert len(kept) == len(rows) and list(kept) == sorted(kept)
    for context in drawn:
        key = (context.layer, context.neuron, context.domain, context.shard, context.window, context.position)
        shard = shards[context.domain, context.shard]
        start = int(shard.offsets[context.window])
        tokens = shard.tokens[start : start + context.position].tolist()
        assert tokens[-1] in FOUND[key[:2]] and tokens == context.tokens.tolist()
        whole = naive.measure(tokens)
        values = naive.seen[context.layer]
        if not values[context.neuron] > 0:
            assert key not in kept
            continue
        row = kept.pop(key)
        assert row["token"] == tokens[-1] and row["document"] == shard.document[context.window]
        assert row["value"] == pytest.approx(values[context.neuron], rel=1e-4)
        assert row["log_probability"] == pytest.approx(whole[0], abs=naive.rounding)
        lengths = numpy.linalg.norm(made.tensors[f"layers.{context.layer}.fc2.weight"], axis=0)
        sizes = [abs(value) * length for value, length in zip(values, lengths, strict=True)]
        others = [neuron for neuron, value in enumerate(values) if value > 0 and neuron != context.neuron]
        others = sorted(others, key=lambda neuron: (abs(sizes[neuron] - sizes[context.neuron]), neuron))[: ASKED["matched"]]
        assert row["matched"] == len(others)
        told = ("log_probability_change", "logit_change")
        for neurons, prefix in (([context.neuron], ""), (others, "matched_")):
            measured = [naive.measure(tokens, (context.layer, neuron)) for neuron in neurons]
            for place, name in enumerate(told):
                if prefix and len(others) < 3:
                    assert row[f"matched_{name}"] is None
                    continue
                wanted = math.fsum(after[place] - whole[place] for after in measured) / len(measured)
                assert row[prefix + name] == pytest.approx(wanted, abs=naive.rounding)
                changes += abs(wanted) > 1e-2
                matched += bool(prefix)
    assert not kept and rows and changes > 10
    assert bool(matched) == ("ffn" not in shape)


def test_in_parts_and_batches_of_other_sizes_it_is_the_same(tmp_path):
    made, windows = Made(tmp_path), write_windows(tmp_path)
    whole = ablated(made, windows, FOUND)
    for changed in ({"positions": 1}, {"positions": 100}, {"batch_tokens": 1}):
        other = ablated(made, windows, FOUND, **changed)
        assert other.select(ABLATION.names[:8]).equals(whole.select(ABLATION.names[:8]))
        for name in ABLATION.names[8:]:
            assert other[name].to_list() == pytest.approx(whole[name].to_list(), abs=5e-4)
    ablated(made, windows, FOUND)
    once = (tmp_path / "ablation.parquet").read_bytes()
    ablated(made, windows, FOUND)
    assert (tmp_path / "ablation.parquet").read_bytes() == once


def test_what_is_drawn(tmp_path):
    """At most so many a layer and detector, none twice, all in time, and the same whatever the other detectors are."""
    made, windows = Made(tmp_path), write_windows(tmp_path)
    found = read_token_detectors(*write_detectors(made, {(layer, neuron): [5, 6, 7] for layer in (0, 2) for neuron in range(7)}))
    shards = [read_shard(path) for path in windows]
    every = {
        (s.metadata["domain"], s.metadata["shard"], window, place + 1)
        for s in shards
        for window in range(len(s.document))
        for place, token in enumerate(s.tokens[s.offsets[window] : s.offsets[window + 1]])
        if token in (5, 6, 7)
    }
    seen = set()
    for seed in range(60):
        contexts = draw_contexts(found, windows, AblationSettings(detectors=3, contexts=4, matched=3, seed=seed))
        detectors = {(context.layer, context.neuron) for context in contexts}
        assert sorted(layer for layer, _ in detectors) == [0, 0, 0, 2, 2, 2]
        places = [(c.layer, c.neuron, c.domain, c.shard, c.window, c.position) for c in contexts]
        assert len(set(places)) == len(places) == 24 and places == sorted(places)
        seen |= {place[2:] for place in places}
    assert seen == every
    all_of_them = draw_contexts(found[:1], windows, AblationSettings(detectors=1, contexts=10**6, matched=3, seed=0))
    assert {(c.domain, c.shard, c.window, c.position) for c in all_of_them} == every


def test_matched_neurons_are_active_and_nearest_and_ties_go_to_the_lower():
    values, lengths = numpy.array([2.0, 0.0, 1.0, 3.0, 1.0, 2.0, 8.0]), numpy.array([1.0, 2.0, 2.0, 1.0, 1.0, 0.5, 0.25])
    assert nearest(values, lengths, 0, 4).tolist() == [2, 6, 3, 4]  # sizes 2, -, 2, 3, 1, 1, 2
    assert nearest(values, lengths, 4, 9).tolist() == [5, 0, 2, 6, 3]


def test_a_model_without_token_detectors_has_an_empty_table(tmp_path):
    made, windows = Made(tmp_path), write_windows(tmp_path)
    assert len(ablated(made, windows, {})) == 0
    told = read_metadata(tmp_path / "ablation.parquet")
    assert told.items() >= {f"ablation_{key}": value for key, value in ASKED.items()}.items()
    summary = summarize_ablation(ablated(made, windows, {}), told, 100, 1)
    assert summary["overall"]["detectors"] == 0 and summary["overall"]["raises_logit"] is None
    assert summary["overall"]["logit_change"] == {"mean": None, "interval": None}


def test_summary_counts_each_detector_once(tmp_path):
    rows = []
    for neuron, changes in ((0, [(1.0, 0.5), (3.0, None)]), (1, [(-2.0, 1.0)]), (2, [(4.0, None)])):
        for position, (own, matched) in enumerate(changes, start=1):
            row = {"layer": 1, "neuron": neuron, "domain": "a", "shard": 0, "window": 0, "position": position, "document": 0, "token": 5}
            row |= {"value": 1.0, "log_probability": -1.0, "log_probability_change": own / 2, "logit_change": own, "matched": 4}
            rows.append(row | {"matched_log_probability_change": matched, "matched_logit_change": matched})
    table = polars.DataFrame(rows, schema=polars.DataFrame(ABLATION.schema.empty_table()).schema)
    told = summarize_ablation(table, {"layers_covered": 2}, 2000, 1)
    overall = told["overall"]
    assert (
        told["layers"][1] == {"layer": 1} | overall | {key: told["layers"][1][key] for key in overall if isinstance(overall[key], dict)}
        and told["layers"][0]["detectors"] == 0
    )
    assert (overall["detectors"], overall["contexts"]) == (3, 4)
    assert overall["logit_change"]["mean"] == (2 - 2 + 4) / 3 and overall["log_probability_change"]["mean"] == (1 - 1 + 2) / 3
    assert overall["matched_logit_change"]["mean"] == (0.5 + 1.0) / 2
    assert overall["logit_change_difference"]["mean"] == (0.5 - 3.0) / 2  # only contexts with matched neurons
    assert overall["raises_logit"] == 2 / 3 and overall["above_matched"] == 1 / 2
    low, high = overall["logit_change"]["interval"]
    assert -2 <= low < 4 / 3 < high <= 4


def test_what_does_not_fit_is_told(tmp_path):
    made, windows = Made(tmp_path), write_windows(tmp_path)
    with pytest.raises(CensusError, match="was collected with dtype float32, but this job computes with bfloat16: set dtype"):
        ablated(made, windows, FOUND, dtype="bfloat16")
    other = make_opt(tmp_path / "other", vocab=320, layers=3, seed=5)
    made.folder.joinpath("model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    with pytest.raises(CensusError, match="changed"):
        ablated(made, windows, FOUND)


def test_half_precision_runs(tmp_path):
    made, windows = Made(tmp_path), write_windows(tmp_path)
    whole = ablated(made, windows, FOUND)
    detectors, ngrams = write_detectors(made, FOUND)
    for path in (detectors, ngrams):
        write_table(read_table(path), path, read_metadata(path) | {"dtype": "bfloat16"})
    out = tmp_path / "half.parquet"
    files = {"folder": made.folder, "description": made.description, "detectors": detectors, "ngrams": ngrams, "windows": windows}
    collect_ablation(SETTINGS | {"dtype": "bfloat16"}, ASKED, positions=10_000, **files, tokenizer=made.folder, out=out)
    both = polars.DataFrame(read_table(out)).join(whole, on=ABLATION.names[:6], suffix="_whole")
    assert len(both) > len(whole) / 2
    assert numpy.corrcoef(both["logit_change"], both["logit_change_whole"])[0, 1] > 0.9
