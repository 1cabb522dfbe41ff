import json
from hashlib import sha256

import pytest

from models_made import make_opt
from neuroncensus.errors import CensusError
from neuroncensus.hub.listing import Listing, write_listing
from neuroncensus.hub.places import LISTING
from neuroncensus.models.describe import describe_model
from neuroncensus.models.description import read_description
from neuroncensus.models.origin import read_source, record_source


@pytest.fixture
def model(tmp_path):
    """A checkpoint, its description, and the digest of its weights."""
    folder = make_opt(tmp_path / "m", layers=1)
    describe_model(folder, model="mine", out=tmp_path / "model.json")
    return folder, tmp_path / "model.json", read_description(tmp_path / "model.json").digest


@pytest.mark.parametrize("revision", [None, "ab" * 20])
def test_what_is_recorded_is_read(model, tmp_path, revision):
    folder, description, digest = model
    checksums = {"model.safetensors": sha256((folder / "model.safetensors").read_bytes()).hexdigest()}
    out = tmp_path / "source.json"
    if revision:
        write_listing(Listing("model", "org/mine", revision, {}), tmp_path / "hub" / LISTING)
    listing = tmp_path / "hub" if revision else None
    record_source(description, folder, source="./ü", checksums=checksums, out=out, listing=listing)
    assert json.loads(out.read_text(encoding="utf-8"))["checksums"] == checksums
    assert str(tmp_path) not in out.read_text(encoding="utf-8")
    assert read_source(out, digest) == {"source": "./ü", "revision": revision}


@pytest.mark.parametrize(
    ("checksums", "words"),
    [
        ({"model.safetensors": "0" * 64}, "m/model.safetensors has another checksum than its model's: asked sha256 000"),
        ({"pytorch_model.bin": "0" * 64}, "checksums has pytorch_model.bin, which is no file of checkpoint"),
    ],
)
def test_checksums_that_do_not_fit_are_told(model, tmp_path, checksums, words):
    folder, description, _ = model
    with pytest.raises(CensusError, match=words):
        record_source(description, folder, source="m", checksums=checksums, out=tmp_path / "source.json")
    assert not (tmp_path / "source.json").exists()


def test_a_source_of_other_weights_is_refused(model, tmp_path):
    folder, description, digest = model
    record_source(description, folder, source="m", checksums=None, out=tmp_path / "source.json")
    with pytest.raises(CensusError, match=r"source\.json is of other weights"):
        read_source(tmp_path / "source.json", digest[::-1])
    with pytest.raises(CensusError, match=r"other\.json is missing"):
        read_source(tmp_path / "other.json", digest)
