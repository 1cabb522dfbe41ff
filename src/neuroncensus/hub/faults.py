"""What the Hub's client raises, as one sentence: what is wrong, which key of the configuration, what to do."""

import os

from huggingface_hub import constants
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)

from neuroncensus.errors import CensusError
from neuroncensus.hub.places import HubSource

# What hf_xet, through which large files come, has no class of its own for is a RuntimeError.
XET = (XetDownloadError, RuntimeError)
RAISED = (HTTPError, OSError, ValueError, EntryNotFoundError, *XET)
"""What may come out of the client; a full disk is among it, and is not of the Hub (`of_the_hub`)."""
LATER = (408, 429)
OFFLINE_ADVICE = "unset HF_HUB_OFFLINE, or bring it into the cache (HF_HOME) where there is a network"


def cause(error: BaseException) -> BaseException:
    """The client wraps what went wrong in a ValueError where it may not fall back on a cached file."""
    plain = type(error) in (ValueError, LocalEntryNotFoundError)
    return error.__cause__ if plain and error.__cause__ is not None else error


def of_the_hub(error: BaseException) -> bool:
    """Whether the Hub or the way to it is at fault, and not this machine's disk."""
    plain = isinstance(error, OSError) and error.errno is None
    return plain or isinstance(error, (HTTPError, EntryNotFoundError, ValueError, *XET))


def unreachable(error: BaseException) -> bool:
    """Whether nothing was heard of the Hub: switched off, no network, or down."""
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    return isinstance(error, OfflineModeIsEnabled) or (isinstance(error, HTTPError) and (status is None or status >= 500))


def may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code in LATER
    if isinstance(error, (OfflineModeIsEnabled, EntryNotFoundError, ValueError, FileMetadataError)):
        return False
    return isinstance(error, (HTTPError, OSError, *XET))


def _detail(error: BaseException) -> str:
    return " ".join(str(error).split())[:200].rstrip(".: ") or type(error).__name__


def told(error: BaseException, asked: HubSource, what: str) -> CensusError:
    """The sentence for an error of the client.

    Args:
        error: as it came (`cause`).
        asked: the source.
        what: what was wanted: the list of files, or a file.
    """
    repo, key, entry = asked.repo, asked.key, asked.entry
    kind = "data set" if asked.kind == "dataset" else "model"
    if isinstance(error, GatedRepoError):
        return CensusError(
            f"{key} is {repo}, which is gated: ask for access on its page on the Hub, log in with `hf auth login`, and run again"
        )
    if isinstance(error, DisabledRepoError):
        return CensusError(f"{key} is {repo}, which the Hub has disabled: name another {kind}")
    if isinstance(error, RepositoryNotFoundError):
        return CensusError(
            f"{key} is {repo}, a {kind} that the Hub does not have or does not show: correct it, "
            "or log in with `hf auth login` if it is private"
        )
    if isinstance(error, RevisionNotFoundError):
        return CensusError(f"{entry}.revision is {asked.revision}, which {repo} does not have: correct it")
    if isinstance(error, HFValidationError):
        return CensusError(f"{key} is {repo}, which the Hub does not take for a name ({_detail(error)}): correct it")
    if isinstance(error, EntryNotFoundError):
        return CensusError(f"{what} of {repo} is listed but not there: run again later, or correct {entry}.files or {entry}.revision")
    if isinstance(error, OfflineModeIsEnabled):
        return CensusError(f"{what} of {repo} is not in the Hub's cache, or not whole, and HF_HUB_OFFLINE is set: {OFFLINE_ADVICE}")
    mirror = f"use {'another' if os.environ.get('HF_ENDPOINT') else 'a'} mirror (HF_ENDPOINT)"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return CensusError(f"{what} of {repo}: the Hub answered with status {status} ({_detail(error)}): run again later, or {mirror}")
    if isinstance(error, FileMetadataError):
        return CensusError(f"{what} of {repo}: {constants.ENDPOINT} does not answer as a Hub ({_detail(error)}): set another HF_ENDPOINT")
    other = "set HF_HUB_DISABLE_XET=1 for plain HTTP" if isinstance(error, XET) else mirror
    return CensusError(f"{what} of {repo} did not come through ({_detail(error)}): run again, files that are whole are kept; or {other}")
