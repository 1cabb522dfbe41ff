"""Text to dead.parquet by the rules' own library calls, against transformers' forward pass counted naively."""

import polars
import pytest
import torch
from safetensors.torch import load_file, save_file

from census_made import BUDGETS, WINDOW, Run
from models_made import DEAD_NEURONS, LAYOUTS, make_opt
from naive import assert_counts, forward_values
from neuroncensus.collect.job import Settings
from neuroncensus.collect.shard import collect_shard
from neuroncensus.corpora.shards import read_shard
from neuroncensus.errors import CensusError
from neuroncensus.findings.dead import classify_dead
from neuroncensus.findings.frequency import reduce_frequency, reduce_stage
from neuroncensus.models.describe import describe_model
from neuroncensus.tablefiles import read_metadata, read_table, write_table

MODELS = {
    "pre-LayerNorm, safetensors": {"layout": "safetensors"},
    "post-LayerNorm, projected, sharded .bin": {
        "pre_layer_norm": False,
        "embedding_width": 16,
        "layout": "bin-sharded",
        "prefix": "decoder.",
    },
    "three layers, lm_head stored, .bin": {"layers": 3, "layout": "bin", "lm_head": True},
    "float16 weights, sharded safetensors": {"dtype": torch.float16, "layout": "safetensors-sharded"},
    "bfloat16 weights, one layer": {"dtype": torch.bfloat16, "layers": 1},
    "untied": {"tied": False, "activation": "relu2"},
}


@pytest.mark.parametrize("shape", MODELS.values(), ids=MODELS)
def test_tables_equal_a_naive_census(tmp_path, shape):
    run = Run(tmp_path, **shape)
    frequency, _, dead = (polars.DataFrame(read_table(file)) for file in run.finish())
    neurons = frequency.select("layer", "neuron").unique(maintain_order=True)
    layers = neurons["layer"].max() + 1
    assert frequency.select("layer", "neuron", "part", "domain").rows() == sorted(
        frequency.select("layer", "neuron", "part", "domain").rows()
    )

    everything = {"values": [], "documents": []}
    for (part, domain), budget in BUDGETS.items():
        rows = frequency.filter(part=part, domain=domain)
        windows, documents = zip(*run.windows(part, domain), strict=True)
        values = forward_values(run.model, list(windows))
        assert rows["tokens"].unique().to_list() == [budget] == [sum(len(window) + 1 for window in windows)]
        assert rows["documents"].unique().to_list() == [len(set(documents))]
        assert_counts(
            {name: rows[name].to_numpy().reshape(layers, -1) for name in ("activations", "activations_bos", "documents_active")},
            values,
            list(documents),
        )
        everything["values"] += values
        everything["documents"] += [(domain, document) for document in documents]

    total = {name: dead[name].to_numpy().reshape(layers, -1) for name in ("activations", "activations_bos", "documents_active")}
    assert_counts(total, everything["values"], everything["documents"])
    for name in ("tokens", "activations", "documents"):
        assert dead[name].sum() == frequency[name].sum()
    assert (dead["dead"] == (dead["activations"] == 0)).all()
    assert (dead["bos_only"] == ((dead["activations"] > 0) & (dead["activations"] == dead["activations_bos"]))).all()
    assert (dead["frequency"].to_numpy() == dead["activations"].to_numpy() / 300).all()
    planted = dead.filter(polars.col("neuron").is_in(DEAD_NEURONS))
    assert planted["provably_dead"].all() and planted["dead"].all()


def test_layouts_of_one_model_give_the_same_bytes(tmp_path):
    counts = []
    for layout in LAYOUTS:
        frequency, *_ = Run(tmp_path / layout, layout=layout).finish()
        counts.append(read_table(frequency))
    assert all(table.equals(counts[0]) for table in counts)


def test_stages_do_not_change_counts(tmp_path):
    run = Run(tmp_path)
    part, domain, shard, windows = run.shards[0]
    found = []
    for stages in (1, 2, 3, 7):
        settings = Settings(device="cpu", dtype="float32", threads=1, batch_tokens=48, stages=stages, skip_silent=True)
        tables = [read_table(out) for out in run.collect(part, domain, shard, windows, settings)]
        found.append(polars.concat([polars.DataFrame(table) for table in tables if len(table)]))
    assert all(table.equals(found[0]) for table in found)


def test_a_collection_again_is_the_same_bytes(tmp_path):
    run = Run(tmp_path)
    once = [out.read_bytes() for out in run.collect(*run.shards[1])]
    assert [out.read_bytes() for out in run.collect(*run.shards[1])] == once


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_counts_what_the_model_computes_in_it(tmp_path, dtype):
    run = Run(tmp_path, Settings(device="cpu", dtype=dtype, threads=1, batch_tokens=1, stages=1, skip_silent=False))
    part, domain, shard, windows = run.shards[0]
    (out,) = run.collect(part, domain, shard, windows)
    text = read_shard(windows)
    tokens = [text.tokens[a:b].tolist() for a, b in zip(text.offsets, text.offsets[1:], strict=False)]
    values = forward_values(run.model, tokens, getattr(torch, dtype))
    # A batch of one window is the very computation that transformers does: not one count differs.
    assert (read_table(out)["activations"].to_numpy().reshape(4, -1) == sum((v > 0).sum(axis=1) for v in values)).all()
    assert read_metadata(out)["dtype"] == dtype


def test_shards_of_other_settings_are_refused_by_name(tmp_path):
    run = Run(tmp_path)
    first, second = run.counters()
    part, domain, shard, windows = run.shards[-1]
    out = tmp_path / "f.parquet"
    other = run.collect(
        part, domain, shard, windows, Settings(device="cpu", dtype="bfloat16", threads=1, batch_tokens=48, stages=2, skip_silent=True)
    )
    for files, of_other in zip((first, second), other, strict=True):
        with pytest.raises(CensusError, match=r"differ in dtype: float32 and bfloat16"):
            reduce_stage([*files[:-1], of_other], run.description, out)
    run.collect(part, domain, shard, windows)
    with pytest.raises(CensusError, match=r"differ in first_layer: 0 and 2"):
        reduce_stage([*first[:-1], second[-1]], run.description, out)
    with pytest.raises(CensusError, match=r"domain prose are of shards \[1"):
        reduce_stage(first[1:], run.description, out)
    run.reduce([first, second])
    stages = [tmp_path / f"frequency-{stage}.parquet" for stage in (1, 2)]
    reduce_stage(second[:-1], run.description, tmp_path / "less.parquet")
    for wrong in (stages[1:], stages[::-1], [stages[0], stages[0]], [stages[0], tmp_path / "less.parquet"]):
        with pytest.raises(CensusError, match="are not stages of one census"):
            reduce_frequency(wrong, run.source, out)
    first[0].write_bytes(first[0].read_bytes()[:-9])
    with pytest.raises(CensusError, match="is corrupt"):
        reduce_stage(first, run.description, out)
    assert not out.exists()


def test_a_provably_dead_neuron_seen_active_stops_the_run(tmp_path):
    frequency, bounds, dead = Run(tmp_path).finish()
    dead.unlink()
    table = polars.DataFrame(read_table(frequency))
    wrong = table.with_columns(activations=polars.when(layer=2, neuron=DEAD_NEURONS[0]).then(3).otherwise("activations"))
    write_table(wrong.to_arrow(), frequency, read_metadata(frequency))
    with pytest.raises(CensusError, match=rf"layer 2 neuron {DEAD_NEURONS[0]} is provably dead .* active at 9 positions"):
        classify_dead(frequency, bounds, dead)
    assert not dead.exists()


def test_what_does_not_fit_is_told(tmp_path):
    run = Run(tmp_path)
    part, domain, shard, windows = run.shards[0]
    with pytest.raises(CensusError, match="was given for"):
        run.collect(part, "code", shard, windows)
    small = tmp_path / "small"
    make_opt(small, vocab=40, positions=WINDOW)
    describe_model(small, model="small", out=tmp_path / "small.json")
    run.model, run.description = small, tmp_path / "small.json"
    with pytest.raises(CensusError, match=r"token id \d+ in domain prose, but the model's vocabulary has 40 tokens"):
        run.collect(part, domain, shard, windows)


def test_a_residual_stream_that_overflows_names_the_layer(tmp_path):
    run = Run(tmp_path, Settings(device="cpu", dtype="float16", threads=1, batch_tokens=48, stages=1, skip_silent=True))
    part, domain, shard, windows = run.shards[0]
    big = tmp_path / "big"
    model = make_opt(big, vocab=320, positions=WINDOW)
    tensors = load_file(model / "model.safetensors")
    tensors["model.decoder.layers.2.fc2.weight"] *= 3e4
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    describe_model(big, model="big", out=tmp_path / "big.json")
    run.model, run.description = big, tmp_path / "big.json"
    with pytest.raises(CensusError, match=r"residual stream after layer 2, computed in float16: set dtype to bfloat16 or float32"):
        run.collect(part, domain, shard, windows)
    assert not windows.with_name(f"{shard}-stage-1.parquet").exists()


def test_weights_changed_after_their_description_are_refused(tmp_path):
    run = Run(tmp_path)
    path = run.model / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content)  # another time, the same content: what a copy looks like
    run.collect(*run.shards[-1])
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CensusError, match="changed"):
        run.collect(*run.shards[-1])


def test_hidden_states_of_another_run_or_cut_short_are_refused(tmp_path):
    run = Run(tmp_path)
    part, domain, shard, windows = run.shards[0]
    _first, second = run.collect(part, domain, shard, windows)
    hidden = windows.with_name(f"{shard}-stage-1.hidden")
    arguments = {"folder": run.model, "description": run.description, "windows": windows, "part": part, "domain": domain, "shard": shard}
    arguments |= {"stage": 2, "hidden_before": hidden, "hidden_after": None, "out": second}
    whole, expected = hidden.read_bytes(), second.read_bytes()
    second.unlink()
    flipped = [
        whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]
        for place, bit in ((len(whole) - 1, 128), (len(whole) - 900, 1), (20, 4))
    ]
    for bad in (whole[:-1], whole + b"x", whole[:5], b"", b"\0" * 100, *flipped):
        hidden.write_bytes(bad)
        with pytest.raises(CensusError, match="hidden states"):
            collect_shard(run.settings, **arguments)
    hidden.write_bytes(whole)
    with pytest.raises(CensusError, match="different: dtype"):
        collect_shard(Settings("cpu", "bfloat16", 1, 48, 2, skip_silent=True), **arguments)
    assert not second.exists()
    collect_shard(run.settings, **arguments)
    assert second.read_bytes() == expected


def test_bos_is_active_in_all_windows_or_none(tmp_path):
    frequency, *_ = Run(tmp_path).finish()
    table = polars.DataFrame(read_table(frequency))
    assert (table["activations_bos"] > 0).any()
    per_domain = table.group_by("part", "domain").agg(polars.col("activations_bos").unique())
    assert all(len(counts) <= 2 and counts.min() == 0 for counts in per_domain["activations_bos"])
