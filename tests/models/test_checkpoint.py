import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from models_made import LAYOUTS, make_opt, random_opt, stored_tensors, write_weights
from neuroncensus.errors import CensusError
from neuroncensus.models.checkpoint import Checkpoint

TINY: dict[str, Any] = {"layers": 2, "d": 8, "ffn": 16, "heads": 2, "vocab": 12, "positions": 6}


class Executes:
    """Unpickling it without care makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def reference(**arguments) -> dict[str, torch.Tensor]:
    return {name.removeprefix("model.decoder."): tensor for name, tensor in random_opt(**arguments).state_dict().items()}


def assert_same(checkpoint: Checkpoint, tensors: dict[str, torch.Tensor]) -> None:
    assert checkpoint.names() == sorted(tensors)
    for name, tensor in tensors.items():
        read = checkpoint.tensor(name)
        assert checkpoint.dtype(name) == read.dtype == tensor.dtype
        assert checkpoint.shape(name) == tuple(tensor.shape)
        assert torch.equal(read, tensor), name


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("prefix", ["model.decoder.", "decoder."])
@pytest.mark.parametrize("lm_head", [False, True])
def test_every_layout_gives_the_stored_tensors(tmp_path, layout, prefix, lm_head):
    make_opt(tmp_path, layout=layout, prefix=prefix, lm_head=lm_head, **TINY)
    tensors = reference(**TINY)
    if not lm_head:
        del tensors["lm_head.weight"]
    with Checkpoint(tmp_path) as checkpoint:
        assert_same(checkpoint, tensors)
        assert checkpoint.has("lm_head.weight") == lm_head
        assert not checkpoint.has("layers.2.fc1.weight")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_dtype_is_kept(tmp_path, layout, dtype):
    odd = TINY | {"dtype": dtype, "pre_layer_norm": False, "embedding_width": 4, "tied": False}
    make_opt(tmp_path, layout=layout, prefix="decoder.", **odd)
    with Checkpoint(tmp_path) as checkpoint:
        assert_same(checkpoint, reference(**odd))


def test_files_and_index(tmp_path):
    make_opt(tmp_path, layout="bin-sharded", **TINY)
    checkpoint = Checkpoint(tmp_path)
    assert [path.name for path in checkpoint.files] == [f"pytorch_model-0000{i}-of-00003.bin" for i in (1, 2, 3)]
    assert checkpoint.index == tmp_path / "pytorch_model.bin.index.json"
    assert len({checkpoint.file_of(f"layers.0.fc1.{part}") for part in ("weight", "bias")}) == 2
    single = Checkpoint(make_opt(tmp_path / "single", **TINY))
    assert (single.files, single.index) == ([tmp_path / "single" / "model.safetensors"], None)


def test_shards_are_opened_when_needed(tmp_path):
    make_opt(tmp_path, layout="safetensors-sharded", **TINY)
    checkpoint = Checkpoint(tmp_path)
    name = checkpoint.names()[0]
    for path in checkpoint.files:
        if path != checkpoint.file_of(name):
            path.write_bytes(b"broken")
    assert torch.equal(checkpoint.tensor(name), reference(**TINY)[name])


def test_safetensors_are_preferred_and_other_formats_ignored(tmp_path):
    make_opt(tmp_path, seed=1, layout="safetensors", **TINY)
    write_weights(tmp_path, stored_tensors(random_opt(seed=2, **TINY)), "bin")
    (tmp_path / "flax_model.msgpack").write_bytes(b"x")
    (tmp_path / "tf_model.h5").write_bytes(b"x")
    assert torch.equal(Checkpoint(tmp_path).tensor("layers.1.fc1.weight"), reference(seed=1, **TINY)["layers.1.fc1.weight"])


def test_old_pickles_are_read_without_mapping(tmp_path):
    make_opt(tmp_path, layout="bin-sharded", **TINY)
    for path in tmp_path.glob("*.bin"):
        torch.save(torch.load(path), path, _use_new_zipfile_serialization=False)
    tensors = reference(**TINY)
    del tensors["lm_head.weight"]
    assert_same(Checkpoint(tmp_path), tensors)


def test_tensors_outlive_the_checkpoint_and_a_closed_one_reads_again(tmp_path):
    make_opt(tmp_path, layout="bin", **TINY)
    with Checkpoint(tmp_path) as checkpoint:
        tensor = checkpoint.tensor("layers.1.fc2.weight")
    assert torch.equal(tensor, reference(**TINY)["layers.1.fc2.weight"])
    assert torch.equal(checkpoint.tensor("layers.1.fc2.weight"), tensor)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_reading_maps_and_does_not_copy(tmp_path, layout):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    write_weights(tmp_path, {"decoder.big": torch.zeros(1 << 25), "decoder.b": torch.zeros(1), "decoder.c": torch.zeros(1)}, layout)
    with Checkpoint(tmp_path) as checkpoint:
        before = resident()
        tensor = checkpoint.tensor("big")
        assert tensor.shape == (1 << 25,)
        assert resident() - before < tensor.nbytes // 4


def resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_beyond_tensors_are_refused_and_not_executed(tmp_path, zipped):
    make_opt(tmp_path, layout="bin", **TINY)
    trap = tmp_path / "executed"
    tensors = torch.load(tmp_path / "pytorch_model.bin")
    torch.save(tensors | {"extra": Executes(trap)}, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CensusError, match=r"pytorch_model\.bin is a pickle that needs more than tensors: refused and not executed"):
        Checkpoint(tmp_path)
    assert not trap.exists()


def test_a_pickle_of_something_else(tmp_path):
    make_opt(tmp_path, layout="bin", **TINY)
    torch.save([torch.zeros(3)], tmp_path / "pytorch_model.bin")
    with pytest.raises(CensusError, match=r"pytorch_model\.bin .*holds a list, not named tensors"):
        Checkpoint(tmp_path)


def test_a_sparse_tensor_is_refused_by_name(tmp_path):
    make_opt(tmp_path, layout="bin", **TINY)
    tensors = torch.load(tmp_path / "pytorch_model.bin")
    key = "model.decoder.layers.0.fc1.weight"
    torch.save(tensors | {key: tensors[key].to_sparse()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CensusError, match=r"layers\.0\.fc1\.weight \(layer 0\) .*not a plain dense tensor"):
        Checkpoint(tmp_path).tensor("layers.0.fc1.weight")


def test_a_compressed_archive_is_refused(tmp_path):
    make_opt(tmp_path, layout="bin", **TINY)
    path = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(CensusError, match="entries are compressed"):
        Checkpoint(tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_truncated_file_is_named(tmp_path, layout):
    make_opt(tmp_path, layout=layout, **TINY)
    path = sorted(path for path in tmp_path.iterdir() if path.suffix in (".bin", ".safetensors"))[-1]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CensusError, match=f"weight file .*{path.name} is truncated"):
        every_tensor(tmp_path)


def every_tensor(folder: Path) -> None:
    checkpoint = Checkpoint(folder)
    for name in checkpoint.names():
        checkpoint.tensor(name)


@pytest.mark.parametrize("layout", ["safetensors", "bin"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"is empty \(0 bytes\), truncated"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "pointer of git-lfs"),
        (b"no weights at all, only text", r"model\.(bin|safetensors) is "),
    ],
)
def test_files_of_something_else(tmp_path, layout, content, words):
    make_opt(tmp_path, layout=layout, **TINY)
    path = tmp_path / ("model.safetensors" if layout == "safetensors" else "pytorch_model.bin")
    path.write_bytes(content)
    with pytest.raises(CensusError, match=words):
        Checkpoint(tmp_path)


def test_missing_shard_is_named(tmp_path):
    make_opt(tmp_path, layout="bin-sharded", **TINY)
    (tmp_path / "pytorch_model-00002-of-00003.bin").unlink()
    words = r"weight file pytorch_model-00002-of-00003\.bin is missing .*pytorch_model\.bin\.index\.json puts tensor"
    with pytest.raises(CensusError, match=words):
        Checkpoint(tmp_path)


def test_missing_tensor_is_named(tmp_path):
    make_opt(tmp_path, **TINY)
    with pytest.raises(CensusError, match=r"tensor layers\.7\.fc1\.weight \(layer 7\) is missing in .*model\.safetensors"):
        Checkpoint(tmp_path).tensor("layers.7.fc1.weight")
    with pytest.raises(CensusError, match=r"tensor lm_head\.weight is missing"):
        Checkpoint(tmp_path).shape("lm_head.weight")


@pytest.mark.parametrize("layout", ["safetensors-sharded", "bin-sharded"])
def test_tensor_that_only_the_index_knows(tmp_path, layout):
    make_opt(tmp_path, layout=layout, **TINY)
    index = next(tmp_path.glob("*.index.json"))
    content = json.loads(index.read_text(encoding="utf-8"))
    file = content["weight_map"]["model.decoder.layers.1.fc1.bias"]
    other = next(name for name in content["weight_map"].values() if name != file)
    content["weight_map"]["model.decoder.layers.1.fc1.bias"] = other
    index.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CensusError, match=rf"layers\.1\.fc1\.bias \(layer 1\) is missing in .*{other}, where {index.name} puts it"):
        Checkpoint(tmp_path).tensor("layers.1.fc1.bias")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../model.safetensors", "sub/model.safetensors", "..", ".", "", "sub\\w.bin", "C:w.bin", 3, None]
)
def test_index_that_leads_outside_is_refused(tmp_path, name):
    folder = make_opt(tmp_path / "folder", layout="safetensors-sharded", **TINY)
    (folder / "sub").mkdir()
    save_file({"model.decoder.x": torch.zeros(1)}, folder / "sub" / "model.safetensors")
    save_file({"model.decoder.x": torch.zeros(1)}, tmp_path / "model.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"model.decoder.x": name}}), encoding="utf-8")
    with pytest.raises(CensusError, match=r"index\.json names .* for tensor model\.decoder\.x, a file outside the folder: refused"):
        Checkpoint(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"weight_map": {', r"index\.json:1 is broken JSON"),
        ('{"metadata": {}}', "has no weight_map"),
        ('{"weight_map": {}}', "has no weight_map"),
        ('{"weight_map": ["a"]}', "has no weight_map"),
    ],
)
def test_broken_index(tmp_path, content, words):
    make_opt(tmp_path, layout="safetensors-sharded", **TINY)
    (tmp_path / "model.safetensors.index.json").write_text(content, encoding="utf-8")
    with pytest.raises(CensusError, match=words):
        Checkpoint(tmp_path)


def test_folder_without_supported_weights(tmp_path):
    make_opt(tmp_path, **TINY)
    (tmp_path / "model.safetensors").rename(tmp_path / "flax_model.msgpack")
    with pytest.raises(CensusError, match=r"weight file missing in .*it has only flax_model\.msgpack; supply one of model\.safetensors"):
        Checkpoint(tmp_path)
    (tmp_path / "flax_model.msgpack").unlink()
    with pytest.raises(CensusError, match=r"weight file missing in .*no weight file"):
        Checkpoint(tmp_path)


def test_config_is_looked_at_first(tmp_path):
    with pytest.raises(CensusError, match=r"config\.json is missing"):
        Checkpoint(tmp_path / "nowhere")
    make_opt(tmp_path, **TINY)
    (tmp_path / "config.json").write_text('{"auto_map": {"AutoModel": "code.Model"}}', encoding="utf-8")
    with pytest.raises(CensusError, match="needs code of its own is refused"):
        Checkpoint(tmp_path)
