"""Files of a Hub: fetched once, checked, told or repaired where something is wrong, and nothing kept that is not whole."""

import hashlib
import json
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download

from hub_made import Hub, Request, commit_of, git_blob, headers
from neuroncensus.errors import CensusError
from neuroncensus.hub import client
from neuroncensus.hub.download import download_file, download_repository, list_files
from neuroncensus.hub.listing import read_listing
from neuroncensus.hub.places import HubSource

REPO, COMMIT = "org/tiny", commit_of("first")
WEIGHTS = "pytorch_model.bin"
ASKED = HubSource("models/tiny", "model", REPO, COMMIT, "models.tiny.source", ("config.json", WEIGHTS), weights=True)
WHOLE = replace(ASKED, files=(), tokenizer=True)


def listed(hub: Hub, folder: Path, asked: HubSource = ASKED) -> Path:
    out = folder / "tiny" / "hub.json"
    list_files(asked, out, endpoint=hub.endpoint)
    return out


def download(hub: Hub, listing: Path, name: str = WEIGHTS, asked: HubSource = ASKED) -> Path:
    out = listing.parent / name
    download_file(asked, listing, name, out, endpoint=hub.endpoint)
    return out


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def content(hub: Hub, name: str = WEIGHTS) -> bytes:
    return hub.repositories["models", REPO][COMMIT][name]


def test_the_list_has_every_file_with_the_checksum_that_the_hub_has(hub, tmp_path):
    about = json.loads(listed(hub, tmp_path).read_text())
    assert {key: about[key] for key in ("kind", "repo", "commit")} == {"kind": "model", "repo": REPO, "commit": COMMIT}
    files = hub.repositories["models", REPO][COMMIT]
    assert about["files"][WEIGHTS] == {"bytes": 10240, "sha256": hashlib.sha256(files[WEIGHTS]).hexdigest()}
    assert about["files"]["vocab.json"] == {"bytes": 8, "git": git_blob(b'{"a": 1}')}
    assert set(about["files"]) == set(files)
    assert hub.requests == [("GET", f"/api/models/{REPO}/tree/{COMMIT}")]


def test_a_file_is_fetched_once_and_is_all_that_there_is(hub, tmp_path):
    out = download(hub, listed(hub, tmp_path))
    assert out.read_bytes() == content(hub) and not out.is_symlink()
    assert files_in(tmp_path) == {"tiny/hub.json", f"tiny/{WEIGHTS}"}
    assert hub.requests[1:] == [(method, f"/{REPO}/resolve/{COMMIT}/{WEIGHTS}") for method in ("HEAD", "GET")]


def cut(request: Request, name: str, body: bytes) -> None:
    request.cut(body, len(body) // 2, **headers(name, body, COMMIT))


def corrupt(request: Request, name: str, body: bytes) -> None:
    request.answer(200, b"x" + body[1:], **headers(name, body, COMMIT))


def short(request: Request, name: str, body: bytes) -> None:
    request.answer(200, body[:-9], **headers(name, body, COMMIT))


def down(request: Request, _name: str, _body: bytes) -> None:
    request.answer(503)


@pytest.mark.parametrize("fault", [cut, corrupt, short, down])
def test_what_goes_wrong_once_is_repaired(hub, tmp_path, fault):
    listing, seen = listed(hub, tmp_path), []

    def first(request: Request, name: str, body: bytes) -> bool:
        if request.command != "GET" or seen:
            return False
        seen.append(name)
        fault(request, name, body)
        return True

    hub.fault = first
    assert download(hub, listing).read_bytes() == content(hub) and seen
    assert files_in(tmp_path) == {"tiny/hub.json", f"tiny/{WEIGHTS}"}


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (cut, rf"^{WEIGHTS} of {REPO} did not come through \(.+\): run again, files that are whole"),
        (short, rf"^{WEIGHTS} of {REPO} did not come through \(Consistency check failed.+\): run again"),
        (
            corrupt,
            rf"^{WEIGHTS} of {REPO} at commit {COMMIT} came damaged 2 times \(sha256 .+, listed sha256 .+\): run again later, or use",
        ),
        (down, rf"^{WEIGHTS} of {REPO}: the Hub answered with status 503 \(.+\): run again later, or use a mirror"),
    ],
)
def test_what_stays_wrong_is_told_and_nothing_is_kept(hub, tmp_path, fault, sentence):
    listing = listed(hub, tmp_path)
    hub.fault = lambda request, name, body: request.command == "GET" and (fault(request, name, body), True)[1]
    with pytest.raises(CensusError, match=sentence):
        download(hub, listing)
    assert files_in(tmp_path) == {"tiny/hub.json"}


def test_a_hub_that_is_busy_for_a_while_is_asked_again(hub, tmp_path):
    hub.busy = 2
    listing = listed(hub, tmp_path)
    hub.busy = 2
    assert download(hub, listing).read_bytes() == content(hub)
    assert [path for _, path in hub.requests[:3]] == [f"/api/models/{REPO}/tree/{COMMIT}"] * 3
    (listing.parent / WEIGHTS).unlink()
    hub.busy = 999
    with pytest.raises(CensusError, match=rf"^{WEIGHTS} of {REPO}: the Hub answered with status 503 .*: run again later, or use a mirror"):
        download(hub, listing)
    with pytest.raises(
        CensusError, match=rf"^the list of files of {REPO}: the Hub answered with status 503 .*: run again later, or use a mirror"
    ):
        listed(hub, tmp_path / "other")
    assert files_in(tmp_path) == {"tiny/hub.json"}


@pytest.mark.parametrize("times", [1, 9])
def test_xet_that_fails_is_tried_again_and_told(hub, tmp_path, monkeypatch, times):
    listing, failed = listed(hub, tmp_path), []

    def fails(*arguments, **keywords) -> str:
        if len(failed) < times:
            failed.append(arguments)
            raise RuntimeError("Data processing error: CAS service error")
        return hf_hub_download(*arguments, **keywords)

    monkeypatch.setattr(client, "hf_hub_download", fails)
    if times == 1:
        assert download(hub, listing).read_bytes() == content(hub) and failed
        return
    with pytest.raises(CensusError, match=rf"^{WEIGHTS} of {REPO} did not come through .*or set HF_HUB_DISABLE_XET=1 for plain HTTP$"):
        download(hub, listing)
    assert len(failed) == 3 and files_in(tmp_path) == {"tiny/hub.json"}


def test_a_wrong_etag_hurts_nobody_as_the_content_is_checked(hub, tmp_path):
    listing = listed(hub, tmp_path)

    def stale(request: Request, name: str, body: bytes) -> bool:
        if request.command == "HEAD":
            request.answer(200, body, **headers(name, b"other" + body, COMMIT) | {"X_Linked_Size": str(len(body))})
        return request.command == "HEAD"

    hub.fault = stale
    assert download(hub, listing).read_bytes() == content(hub)


def test_a_mirror_that_is_no_hub_is_told(hub, tmp_path):
    listing = listed(hub, tmp_path)
    hub.fault = lambda request, _name, body: request.command == "HEAD" and (request.answer(200, body), True)[1]
    with pytest.raises(CensusError, match=rf"^{WEIGHTS} of {REPO}: .+ does not answer as a Hub \(.+\): set another HF_ENDPOINT$"):
        download(hub, listing)


def test_a_file_that_the_list_has_and_the_hub_has_not_is_told(hub, tmp_path):
    listing = listed(hub, tmp_path)
    del hub.repositories["models", REPO][COMMIT][WEIGHTS]
    with pytest.raises(
        CensusError, match=rf"{WEIGHTS} of {REPO} is listed but not there: .* correct models\.tiny\.files or models\.tiny\.rev"
    ):
        download(hub, listing)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"repo": "org/gone"},
            r"^models\.tiny\.source is org/gone, a model that the Hub does not have or does not show: correct it, or log",
        ),
        ({"revision": "b" * 40}, rf"^models\.tiny\.revision is b{{40}}, which {REPO} does not have: correct it"),
        ({"revision": "branch"}, rf"^models\.tiny\.revision is branch, which {REPO} does not have: correct it"),
        (
            {"files": ("config.json", "pytorch_modle.bin")},
            rf"^models\.tiny\.files has pytorch_modle\.bin, which {REPO} does not have at commit {COMMIT} \(did you mean {WEIGHTS}\?\)",
        ),
    ],
)
def test_what_the_hub_does_not_have_is_told_with_the_key(hub, tmp_path, changed, sentence):
    with pytest.raises(CensusError, match=sentence):
        listed(hub, tmp_path, replace(ASKED, **changed))
    assert files_in(tmp_path) == set()


def test_a_gated_repository_is_told(hub, tmp_path):
    listing = listed(hub, tmp_path)
    hub.gated.add(("models", REPO))
    with pytest.raises(
        CensusError, match=rf"models\.tiny\.source is {REPO}, which is gated: ask for access .* log in with `hf auth login`"
    ):
        download(hub, listing)
    assert len(hub.requests) == 2


def test_a_hub_that_is_not_there_is_told(hub, tmp_path):
    with pytest.raises(CensusError, match=rf"^the list of files of {REPO} did not come through \(.+\): run again"):
        list_files(ASKED, tmp_path / "hub.json", endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\evil", "c:evil"])
def test_names_that_lead_outside_are_refused(hub, tmp_path, name):
    hub.repositories["models", REPO][COMMIT] |= {name: b"evil"}
    with pytest.raises(CensusError, match=rf"^{REPO} at commit {COMMIT} lists .*evil', a file outside its folder: refused"):
        listed(hub, tmp_path)
    assert not list(tmp_path.rglob("*evil*"))


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(hub, tmp_path, monkeypatch):
    listing, usage = listed(hub, tmp_path), namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage(20000, 10000, 10000))
    before = len(hub.requests)
    with pytest.raises(CensusError, match=rf"^disk too small for {WEIGHTS} of {REPO}: 10,240 bytes are needed and 10,000 are free in "):
        download(hub, listing)
    assert len(hub.requests) == before
    with pytest.raises(CensusError, match=rf"^disk too small for the files of {REPO}: 10,280 bytes are needed and 10,000 are free"):
        listed(hub, tmp_path / "other")
    assert files_in(tmp_path) == {"tiny/hub.json"}


def test_a_branch_is_resolved_and_told_and_one_that_moved_is_refused(hub, tmp_path, caplog):
    asked = replace(ASKED, revision="main")
    listing = listed(hub, tmp_path, asked)
    assert read_listing(listing).commit == COMMIT
    assert f"main of {REPO} is commit {COMMIT}: set models.tiny.revision to it, so that it stays" in caplog.text
    later = commit_of("second")
    hub.put("models", REPO, later, {**hub.repositories["models", REPO][COMMIT], WEIGHTS: b"newer"})
    # What was listed is fetched of the same commit.
    assert download(hub, listing, asked=asked).read_bytes() == content(hub)
    listing.unlink()
    words = rf"main of {REPO} has changed upstream, from commit {COMMIT} to {later}: set models\.tiny\.revision to the first to stay"
    for _ in range(2):
        with pytest.raises(CensusError, match=words):
            listed(hub, tmp_path, asked)
    assert not listing.exists()
    assert read_listing(listed(hub, tmp_path, replace(asked, revision=later))).commit == later


def test_a_pinned_branch_gives_the_same_list(hub, tmp_path):
    """So that pinning what a branch was fetches nothing again."""
    before = listed(hub, tmp_path, replace(ASKED, revision="main")).read_bytes()
    assert listed(hub, tmp_path).read_bytes() == before


def test_a_config_that_is_not_what_was_expected_is_told(hub, tmp_path):
    asked = replace(ASKED, architecture=(("hidden_size", 16), ("num_hidden_layers", 4)))
    listing = listed(hub, tmp_path)
    assert download(hub, listing, "config.json", asked).exists()
    other = replace(asked, architecture=(("hidden_size", 32),))
    (listing.parent / "config.json").unlink()
    with pytest.raises(CensusError, match=rf"config\.json of {REPO} has hidden_size 16, but models\.tiny\.architecture\.hidden_size is 32"):
        download(hub, listing, "config.json", other)
    assert files_in(tmp_path) == {"tiny/hub.json"}


INDEX = "pytorch_model.bin.index.json"


@pytest.mark.parametrize(
    ("weight_map", "sentence"),
    [
        ({"a": "../evil.bin"}, rf"^{INDEX} of {REPO} names '\.\./evil\.bin', which is no file of the repository: refused"),
        ({"a": "gone.bin"}, rf"^{INDEX} of {REPO} names 'gone\.bin', which is no file of the repository"),
        ({"a": 7}, "names 7, which is no file"),
        ({}, "has no weight_map of tensors to files"),
        ({"a": "flax_model.msgpack"}, rf"^{INDEX} of {REPO} names flax_model\.msgpack, which models\.tiny\.files lacks: add it"),
    ],
)
def test_an_index_that_does_not_fit_is_told_before_the_weights(hub, tmp_path, weight_map, sentence):
    hub.repositories["models", REPO][COMMIT] |= {INDEX: json.dumps({"weight_map": weight_map}).encode()}
    asked = replace(ASKED, files=("config.json", INDEX, WEIGHTS))
    with pytest.raises(CensusError, match=sentence):
        download(hub, listed(hub, tmp_path, asked), INDEX, asked)
    assert files_in(tmp_path) == {"tiny/hub.json"}


def test_a_shared_tokenizer_is_held_against_the_models_own_by_checksum(hub, tmp_path):
    own = listed(hub, tmp_path / "own")
    list_files(ASKED, tmp_path / "same.json", tokenizers=[own], endpoint=hub.endpoint)
    other = commit_of("other")
    hub.put("models", REPO, other, {**hub.repositories["models", REPO][COMMIT], "merges.txt": b"others"})
    with pytest.raises(
        CensusError, match=r"^merges\.txt of org/tiny \(git .+\) is not that of the shared tokenizer .+: set models\.tiny\.tok"
    ):
        list_files(replace(ASKED, revision=other), tmp_path / "other.json", tokenizers=[own], endpoint=hub.endpoint)


# The Hub's own cache


def fill_cache(hub: Hub, *names: str) -> dict[str, Path]:
    return {name: Path(hf_hub_download(REPO, name, revision=COMMIT, endpoint=hub.endpoint)) for name in names}


def test_what_the_cache_has_is_linked_and_not_fetched(hub, tmp_path):
    listing, cached = listed(hub, tmp_path), fill_cache(hub, WEIGHTS)
    before = len(hub.requests)
    out = download(hub, listing)
    assert len(hub.requests) == before
    assert out.samefile(cached[WEIGHTS]) and not out.is_symlink()


def test_a_damaged_file_of_the_cache_is_left_alone_and_fetched(hub, tmp_path, caplog):
    listing, cached = listed(hub, tmp_path), fill_cache(hub, WEIGHTS)
    blob = cached[WEIGHTS].resolve()
    blob.write_bytes(b"x" + content(hub)[1:])
    assert download(hub, listing).read_bytes() == content(hub)
    assert "is damaged in the Hub's cache" in caplog.text and blob.read_bytes()[:1] == b"x"


def test_a_cache_on_another_file_system_is_copied(hub, tmp_path, monkeypatch):
    listing, cached = listed(hub, tmp_path), fill_cache(hub, WEIGHTS)

    def refuse(*_arguments) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    before = len(hub.requests)
    out = download(hub, listing)
    assert out.read_bytes() == content(hub) and not out.samefile(cached[WEIGHTS]) and len(hub.requests) == before


@pytest.mark.parametrize("revision", [COMMIT, "main"])
def test_without_a_network_the_cache_is_all_there_is(hub, tmp_path, monkeypatch, revision):
    for name in ASKED.files:
        hf_hub_download(REPO, name, revision=revision, endpoint=hub.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    before, asked = len(hub.requests), replace(ASKED, revision=revision)
    listing = listed(hub, tmp_path, asked)
    assert read_listing(listing).commit == COMMIT
    assert download(hub, listing, asked=asked).read_bytes() == content(hub) and len(hub.requests) == before
    shutil.rmtree(constants.HF_HUB_CACHE)
    with pytest.raises(
        CensusError, match=r"config\.json of org/tiny is not in the Hub's cache, or not whole, and HF_HUB_OFFLINE is set: unset"
    ):
        download(hub, listing, "config.json", asked)
    with pytest.raises(CensusError, match=r"^the list of files of org/tiny is not in the Hub's cache, or not whole, and HF_HUB_OFFLINE"):
        listed(hub, tmp_path / "other", asked)
    assert len(hub.requests) == before


# A whole repository in one job


def test_of_a_whole_repository_only_what_is_needed_is_fetched(hub, tmp_path):
    download_repository(WHOLE, tmp_path / "tiny", endpoint=hub.endpoint)
    needed = {"config.json", WEIGHTS, "vocab.json", "merges.txt"}
    assert files_in(tmp_path) == {f"tiny/{name}" for name in {*needed, "hub.json"}}
    assert hub.fetched() == dict.fromkeys((f"{REPO}/{name}" for name in needed), 1)


def test_safetensors_are_preferred_and_an_index_says_which(hub, tmp_path):
    shards = {f"model-0000{n}-of-00002.safetensors": bytes([n]) * 50 for n in (1, 2)}
    index = {"model.safetensors.index.json": json.dumps({"weight_map": dict(zip("ab", shards, strict=True))}).encode()}
    hub.repositories["models", REPO][COMMIT] |= shards | index
    download_repository(replace(WHOLE, tokenizer=False), tmp_path / "tiny", endpoint=hub.endpoint)
    assert files_in(tmp_path / "tiny") == {"config.json", "hub.json", *shards, *index}
    hub.repositories["models", REPO][COMMIT] |= {"model.safetensors.index.json": b'{"weight_map": {"a": "../x"}}'}
    with pytest.raises(
        CensusError, match=r"model\.safetensors\.index\.json of org/tiny names '\.\./x', which is no file of the repository"
    ):
        download_repository(WHOLE, tmp_path / "other", endpoint=hub.endpoint)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("without", "sentence"),
    [(WEIGHTS, "which has none of model.safetensors, "), ("vocab.json", "which has neither tokenizer.json nor vocab.json with merges.txt")],
)
def test_a_repository_without_weights_or_tokenizer_is_told(hub, tmp_path, without, sentence):
    del hub.repositories["models", REPO][COMMIT][without]
    with pytest.raises(CensusError, match=rf"^models\.tiny\.source is {REPO}, {sentence}"):
        download_repository(WHOLE, tmp_path / "tiny", endpoint=hub.endpoint)


def test_after_a_failure_a_whole_repository_goes_on_with_what_was_finished(hub, tmp_path):
    hub.fault = lambda request, name, _body: name == WEIGHTS and (request.answer(500), True)[1]
    with pytest.raises(CensusError, match="status 500"):
        download_repository(WHOLE, tmp_path / "tiny", endpoint=hub.endpoint)
    assert not (tmp_path / "tiny").exists() and files_in(tmp_path / "tiny.partial") == {"hub.json", "config.json"}
    hub.fault = lambda *_request: False
    hub.requests.clear()
    download_repository(WHOLE, tmp_path / "tiny", endpoint=hub.endpoint)
    assert set(hub.fetched()) == {f"{REPO}/{name}" for name in (WEIGHTS, "vocab.json", "merges.txt")}
    assert not (tmp_path / "tiny.partial").exists()


def test_what_was_begun_of_another_commit_does_not_stay(hub, tmp_path):
    (tmp_path / "tiny.partial").mkdir()
    (tmp_path / "tiny.partial" / "model.safetensors").write_bytes(b"old")
    (tmp_path / "tiny.partial" / "config.json").write_bytes(b"old")
    download_repository(WHOLE, tmp_path / "tiny", endpoint=hub.endpoint)
    assert "model.safetensors" not in files_in(tmp_path / "tiny")
    assert (tmp_path / "tiny" / "config.json").read_bytes() == content(hub, "config.json")
