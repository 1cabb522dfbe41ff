import json
import math
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models_made import LAYOUTS, make_opt, random_opt, stored_tensors, write_weights
from neuroncensus.errors import CensusError
from neuroncensus.jsonfiles import write_json
from neuroncensus.models import describe as subject
from neuroncensus.models.architecture import read_architecture
from neuroncensus.models.describe import describe_model
from neuroncensus.models.description import check_unchanged, read_description

TINY: dict[str, Any] = {"layers": 2, "d": 8, "ffn": 16, "heads": 2, "vocab": 12, "positions": 6}


def describe(folder: Path, out: Path, checksums: dict[str, str] | None = None) -> dict:
    describe_model(folder, model="mine", out=out, checksums=checksums)
    return json.loads(out.read_text(encoding="utf-8"))


def rewrite(folder: Path, changes: dict[str, torch.Tensor | None], **arguments) -> None:
    """The random model's weights with some tensors replaced, or left out where None."""
    tensors = stored_tensors(random_opt(**TINY | arguments)) | changes
    write_weights(folder, {name: tensor for name, tensor in tensors.items() if tensor is not None}, "safetensors")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_description_holds_what_the_folder_has(tmp_path, layout):
    folder = make_opt(tmp_path / "m", layout=layout, dtype=torch.bfloat16, **TINY)
    written = describe(folder, tmp_path / "model.json")
    assert written["model"] == "mine"
    assert written["dtypes"] == ["bfloat16"]
    assert [record["name"] for record in written["files"]] == sorted(path.name for path in folder.iterdir())
    for record in written["files"]:
        path = folder / record["name"]
        assert record["sha256"] == sha256(path.read_bytes()).hexdigest()
        assert (record["bytes"], record["modified_ns"]) == (path.stat().st_size, path.stat().st_mtime_ns)
    text = (tmp_path / "model.json").read_text(encoding="utf-8")
    assert text == json.dumps(written, indent=2, sort_keys=True) + "\n"
    assert str(tmp_path) not in text
    assert "/" not in text

    read = read_description(tmp_path / "model.json")
    assert read.architecture == read_architecture(json.loads((folder / "config.json").read_text(encoding="utf-8")), "here")
    assert (read.model, read.dtypes) == ("mine", ("bfloat16",))
    check_unchanged(read, folder)


def test_other_formats_are_not_described(tmp_path):
    folder = make_opt(tmp_path / "m", **TINY)
    (folder / "tf_model.h5").write_bytes(b"x")
    assert [record["name"] for record in describe(folder, tmp_path / "model.json")["files"]] == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    "arguments", [{"pre_layer_norm": False, "embedding_width": 4}, {"tied": False}, {"lm_head": True}, {"activation": "relu2"}]
)
def test_variants_are_described(tmp_path, arguments):
    describe(make_opt(tmp_path / "m", **TINY | arguments), tmp_path / "model.json")


def test_mixed_dtypes_are_listed(tmp_path):
    folder = make_opt(tmp_path / "m", **TINY)
    rewrite(folder, {"model.decoder.final_layer_norm.bias": torch.zeros(8, dtype=torch.float16)})
    assert describe(folder, tmp_path / "model.json")["dtypes"] == ["float16", "float32"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers.1.fc1.weight": None}, r"tensor layers\.1\.fc1\.weight \(layer 1\) is missing in .*model\.safetensors"),
        ({"embed_positions.weight": None}, r"tensor embed_positions\.weight is missing"),
        ({"layers.0.fc2.bias": torch.zeros(9)}, r"layers\.0\.fc2\.bias \(layer 0\) .*has shape \(9,\).* asks for \(8,\)"),
        ({"layers.0.fc2.weight": torch.zeros(16, 8)}, r"has shape \(16, 8\).* asks for \(8, 16\)"),
        (
            {"layers.1.fc1.bias": torch.zeros(16, dtype=torch.float64)},
            r"layers\.1\.fc1\.bias \(layer 1\).*dtype float64.*float16, bfloat16",
        ),
        ({"layers.1.fc1.bias": torch.zeros(16, dtype=torch.int8)}, "dtype int8"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, changes, words):
    folder = make_opt(tmp_path / "m", **TINY)
    rewrite(folder, {f"model.decoder.{name}": tensor for name, tensor in changes.items()})
    with pytest.raises(CensusError, match=words):
        describe(folder, tmp_path / "model.json")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_untied_without_a_head(tmp_path):
    folder = make_opt(tmp_path / "m", tied=False, **TINY)
    rewrite(folder, {"lm_head.weight": None}, tied=False)
    with pytest.raises(CensusError, match=r"tensor lm_head\.weight is missing"):
        describe(folder, tmp_path / "model.json")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("row", [0, 7, 15])
def test_values_that_are_not_finite_are_named(tmp_path, monkeypatch, dtype, value, row):
    monkeypatch.setattr(subject, "CHECK_VALUES", 24)  # blocks of three rows of 8
    folder = make_opt(tmp_path / "m", dtype=dtype, **TINY)
    weight = random_opt(dtype=dtype, **TINY).state_dict()["model.decoder.layers.1.fc1.weight"].clone()
    weight[row, 7] = value
    rewrite(folder, {"model.decoder.layers.1.fc1.weight": weight}, dtype=dtype)
    kind = "NaN" if math.isnan(value) else "infinity"
    with pytest.raises(CensusError, match=rf"tensor layers\.1\.fc1\.weight \(layer 1\) of .*model\.safetensors has {kind}"):
        describe(folder, tmp_path / "model.json")


def test_extra_tensors_are_not_looked_at(tmp_path):
    folder = make_opt(tmp_path / "m", **TINY)
    rewrite(folder, {"lm_head.weight": torch.full((3,), float("nan")), "model.decoder.version": torch.zeros(1, dtype=torch.int64)})
    describe(folder, tmp_path / "model.json")


def test_checksums(tmp_path):
    folder = make_opt(tmp_path / "m", **TINY)
    found = sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    describe(folder, tmp_path / "model.json", {"model.safetensors": found.upper()})
    with pytest.raises(CensusError, match=f"model.safetensors has another checksum .*asked sha256 {'0' * 64}, found {found}"):
        describe(folder, tmp_path / "other.json", {"model.safetensors": "0" * 64})
    with pytest.raises(CensusError, match=r"checksums has vocab\.json, which is no file .*: name one of config\.json, model\.saf"):
        describe(folder, tmp_path / "other.json", {"model.safetensors": found, "vocab.json": "0" * 64})
    assert not (tmp_path / "other.json").exists()


def test_a_change_is_told(tmp_path):
    folder = make_opt(tmp_path / "m", layout="bin-sharded", **TINY)
    describe(folder, tmp_path / "model.json")
    description = read_description(tmp_path / "model.json")
    path = folder / "pytorch_model-00002-of-00003.bin"
    content, state = path.read_bytes(), path.stat()

    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    check_unchanged(description, folder)  # a copy has another time and the same content
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CensusError, match=r"pytorch_model-00002-of-00003\.bin changed \(in place\) after model\.json of mine was written"):
        check_unchanged(description, folder)
    path.write_bytes(content + b"x")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(CensusError, match=f"changed \\(from {len(content)} to {len(content) + 1} bytes\\)"):
        check_unchanged(description, folder)
    path.unlink()
    with pytest.raises(CensusError, match=r"pytorch_model-00002-of-00003\.bin is missing"):
        check_unchanged(description, folder)


def test_a_change_while_describing_is_told(tmp_path, monkeypatch):
    folder = make_opt(tmp_path / "m", **TINY)
    record = subject._record

    def meanwhile(path, bar):
        return replace(record(path, bar), modified_ns=1, sha256="0" * 64)

    monkeypatch.setattr(subject, "_record", meanwhile)
    with pytest.raises(CensusError, match="changed"):
        describe(folder, tmp_path / "model.json")
    assert not (tmp_path / "model.json").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("architecture"),
        lambda d: d.pop("model"),
        lambda d: d.update(more=1),
        lambda d: d.update(files=3),
        lambda d: d.update(files=["x"]),
        lambda d: d.update(dtypes=["int8"]),
        lambda d: d["files"][0].pop("bytes"),
        lambda d: d["files"][0].update(bytes="3"),
        lambda d: d["architecture"].pop("bos"),
        lambda d: d["architecture"].update(d=8.0),
        lambda d: d["architecture"].update(tied=1),
    ],
)
def test_foreign_descriptions_are_refused(tmp_path, damage):
    written = describe(make_opt(tmp_path / "m", **TINY), tmp_path / "model.json")
    del written["sha256"]
    damage(written)
    write_json(written, tmp_path / "model.json")
    with pytest.raises(CensusError, match=r"model\.json is not a description"):
        read_description(tmp_path / "model.json")


def test_broken_descriptions_are_refused(tmp_path):
    with pytest.raises(CensusError, match=r"model\.json is missing"):
        read_description(tmp_path / "model.json")
    (tmp_path / "model.json").write_text('{"model":', encoding="utf-8")
    with pytest.raises(CensusError, match=r"model\.json:1 is broken JSON"):
        read_description(tmp_path / "model.json")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder and description of one model in every layout, and as an old pickle."""
    made = {}
    for layout in (*LAYOUTS, "old"):
        folder = make_opt(tmp_path_factory.mktemp(layout), layout="bin" if layout == "old" else layout, **TINY | {"layers": 1})
        if layout == "old":
            path = folder / "pytorch_model.bin"
            torch.save(torch.load(path), path, _use_new_zipfile_serialization=False)
        made[layout] = folder, describe(folder, folder / "model.out")["architecture"]
    return made


@pytest.mark.parametrize("layout", [*LAYOUTS, "old"])
@pytest.mark.parametrize("what", ["truncated", "overwritten"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_weights_never_pass_for_whole_ones(whole, layout, what, data):
    folder, architecture = whole[layout]
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".bin", ".safetensors"))
    path = data.draw(st.sampled_from(paths))
    content, out = path.read_bytes(), folder / "damaged.out"
    checksums = {path.name: sha256(content).hexdigest()}
    try:
        at = data.draw(st.integers(0, len(content) - 1))
        if what == "truncated":
            path.write_bytes(content[:at])
            with pytest.raises(CensusError, match=path.name):
                describe(folder, out)
        else:
            noise = data.draw(st.binary(min_size=1, max_size=12))
            damaged = content[:at] + noise + content[at + len(noise) :]
            path.write_bytes(damaged)
            try:
                assert describe(folder, out, checksums)["architecture"] == architecture
                assert damaged == content
            except CensusError:
                assert damaged != content
    finally:
        path.write_bytes(content)
