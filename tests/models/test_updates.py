"""updates.parquet against products in float64, tokens in lists sorted by (logit, id)."""

import itertools
import math

import numpy
import polars
import pytest
import torch

from models_made import make_opt
from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import read_architecture
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.projection import Products, Projection
from neuroncensus.models.updates import project_updates, read_off
from neuroncensus.tablefiles import read_metadata, read_table
from neuroncensus.tables import UPDATES
from updates_made import MODELS, Made

TOP = 7


def projected(made: Made, top: int = TOP) -> polars.DataFrame:
    out = made.description.with_name("updates.parquet")
    rest = {"corpus": "demo", "top": top, "device": "cpu", "threads": 1, "out": out}
    project_updates(made.description, made.source, made.folder, made.folder, **rest)
    table = read_table(out)
    assert table.schema.equals(UPDATES.schema)
    return polars.DataFrame(table)


def check_listed(ids: list[int], values: list[float], logits: numpy.ndarray, tokens: list[int], sign: int) -> None:
    """The list is the naive one, but for logits that float64 cannot tell apart; equal rows come in the order of their ids."""
    wanted = sorted(tokens, key=lambda token: (-sign * logits[token], token))[: len(ids)]
    assert [logits[token] for token in ids] == pytest.approx([logits[token] for token in wanted], rel=1e-12, abs=1e-12)
    assert values == pytest.approx([logits[token] for token in ids], rel=1e-12, abs=1e-12)
    assert len(set(ids)) == len(ids) and set(ids) <= set(tokens)
    for first, second in itertools.pairwise(ids):
        assert logits[first] != logits[second] or first < second


def naive_kurtosis(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    second, fourth = (math.fsum((value - mean) ** power for value in values) / len(values) for power in (2, 4))
    return fourth / second**2 - 3


@pytest.mark.parametrize("shape", MODELS.values(), ids=MODELS)
def test_updates_are_those_of_a_naive_reference(tmp_path, monkeypatch, shape):
    monkeypatch.setattr("neuroncensus.models.updates.LOGITS", 300 * 25)  # blocks of 25 neurons, the last one short
    monkeypatch.setattr("neuroncensus.models.projection.ROWS", 70)
    made = Made(tmp_path, **shape)
    table = projected(made)
    before = made.about.architecture.pre_layer_norm
    assert table.select("layer", "neuron").rows() == [(layer, neuron) for layer in range(3) for neuron in range(64)]
    assert 310 not in made.tokens and {7, 31, 50, 200} <= set(made.tokens)
    tied = 0
    for row in table.to_dicts():
        layer, neuron = row["layer"], row["neuron"]
        update = made.tensors[f"layers.{layer}.fc2.weight"][:, neuron]
        norm = "final_layer_norm" if before else "self_attn_layer_norm"
        read = made.tensors[f"layers.{layer}.fc1.weight"][neuron] * made.tensors[f"layers.{layer}.{norm}.weight"]
        assert row["norm"] == pytest.approx(math.sqrt(math.fsum(update**2)), rel=1e-12)
        both = row["norm"] * math.sqrt(math.fsum(read**2))
        wanted = math.fsum(read * update) / both if both else None
        assert row["read_write_cosine"] == (wanted if wanted is None else pytest.approx(wanted, rel=1e-10, abs=1e-12))
        for suffix in ("", "_scaled"):
            if suffix and not before:
                assert [row[f"{name}_scaled"] for name in ("promoted", "promoted_logits", "suppressed", "suppressed_logits")] == [None] * 4
                continue
            logits = made.logits(layer, neuron, scaled=bool(suffix))
            for name, sign in (("promoted", 1), ("suppressed", -1)):
                ids = row[name + suffix]
                check_listed(ids, row[f"{name}_logits{suffix}"], logits, made.tokens, sign)
                tied += {7, 31} <= set(ids)
        of_tokens = made.logits(layer, neuron)[made.tokens].tolist()
        assert row["mean_logit"] == pytest.approx(math.fsum(of_tokens) / len(of_tokens), rel=1e-9, abs=1e-12)
        if neuron == 9:
            assert row["promoted"] == row["suppressed"] == made.tokens[:TOP] and row["promoted_logits"] == [0] * TOP
            assert row["kurtosis"] is None and row["norm"] == 0 and row["read_write_cosine"] is None
        else:
            assert row["kurtosis"] == pytest.approx(naive_kurtosis(of_tokens), rel=1e-4, abs=1e-4)
        assert neuron != 11 or row["read_write_cosine"] is None
    assert tied, "some list holds equal rows"


def test_metadata_say_what_was_read(tmp_path):
    made = Made(tmp_path, dtype=torch.float16)
    projected(made)
    told = read_metadata(tmp_path / "updates.parquet")
    wanted = {"model": "mine", "source": "model", "revision": None, "corpus": "demo", "dtype": "float16", "device": "cpu", "top": TOP}
    assert told.items() >= (wanted | {"tokens_in_vocabulary": len(made.tokens), "model_digest": made.about.digest}).items()


def test_a_list_is_as_long_as_the_vocabulary_allows(tmp_path):
    made = Made(tmp_path, vocab=320)
    table = projected(made, 1000)
    assert table["promoted"].list.len().unique().to_list() == [len(made.tokens)]
    for row in table.head(3).to_dicts():
        check_listed(row["promoted"], row["promoted_logits"], made.logits(0, row["neuron"]), made.tokens, 1)


def test_logits_closer_than_float32_can_tell_are_told_apart(tmp_path):
    """Rows whose logits differ by what rounding makes of them alone."""
    folder = make_opt(tmp_path / "m", vocab=64, layers=1)
    with Checkpoint(folder) as checkpoint:
        projection = Projection(checkpoint, read_architecture(checkpoint.config, "m"), numpy.arange(64))
    generator, wrong = numpy.random.default_rng(0), 0
    for _ in range(20):
        vector, rows = generator.normal(size=32), generator.normal(size=(64, 32))
        rows -= ((rows @ vector - 1) / (vector @ vector))[:, None] * vector
        projection.rows = rows.astype(numpy.float32)
        projection.longest = float(numpy.linalg.norm(projection.rows, axis=1).max())
        products = Products(projection, torch.device("cpu"))
        vectors = torch.from_numpy(vector[None])
        written, rough = read_off(vectors, projection, products, 5), products(vectors)[0]
        exact = [math.fsum(float(a) * float(b) for a, b in zip(row, vector, strict=True)) for row in projection.rows]
        assert written.promoted[0].tolist() == sorted(range(64), key=lambda token: -exact[token])[:5]
        assert written.suppressed[0].tolist() == sorted(range(64), key=lambda token: exact[token])[:5]
        wrong += set(numpy.argsort(-rough)[:5].tolist()) != set(written.promoted[0].tolist())
    assert wrong, "float32 would do as well"


def test_the_slack_holds_what_float32_can_lose(tmp_path):
    made = Made(tmp_path, dtype=torch.bfloat16)
    with Checkpoint(made.folder) as checkpoint:
        projection = Projection(checkpoint, made.about.architecture, numpy.array(made.tokens))
        vectors = torch.randn(50, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        rough, exact = Products(projection, torch.device("cpu"))(vectors), vectors.numpy() @ projection.rows.astype(float).T
    assert (numpy.abs(rough - exact) <= projection.slack(vectors)[:, None]).all()


def test_what_does_not_fit_is_told(tmp_path):
    made = Made(tmp_path)
    rest = {"corpus": "demo", "top": 3, "device": "cpu", "threads": 1, "out": tmp_path / "no.parquet"}
    with pytest.raises(CensusError, match=r"has neither tokenizer\.json"):
        project_updates(made.description, made.source, made.folder, tmp_path, **rest)
    (made.folder / "model.safetensors").write_bytes(b"other")
    with pytest.raises(CensusError, match="changed"):
        project_updates(made.description, made.source, made.folder, made.folder, **rest)
    assert not (tmp_path / "no.parquet").exists()
