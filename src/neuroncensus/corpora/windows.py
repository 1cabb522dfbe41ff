"""Documents to windows: how the tokens of a text are cut, and where a count of positions ends.

A window is BOS and at most T-1 text tokens of one document. BOS is the model's and is put in front where
the windows are fed to it; here it is only counted, as the first position of every window.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from neuroncensus.errors import CensusError


@dataclass(frozen=True)
class Cursor:
    """How far a part of a domain has been read; as made, not at all.

    Attributes:
        document: number of the document that the last window came from; -1 before the first.
        token: how many of its text tokens lie in windows so far.
        position: how many positions the windows so far have, every BOS included.
        document_finished: whether the document has no further window.
    """

    document: int = -1
    token: int = 0
    position: int = 0
    document_finished: bool = True

    @property
    def next_document(self) -> int:
        """Number of the first document that may give the next window."""
        return self.document + 1 if self.document_finished else self.document

    def used(self, document: int) -> int:
        """How many text tokens of `document` lie in windows already."""
        return self.token if document == self.document else 0

    def after(self, document: int, span: "Span") -> "Cursor":
        """The cursor behind the window `span` of `document`."""
        return Cursor(document, span.stop, self.position + span.length, span.last)

    def next_part(self) -> "Cursor":
        """Where the next part of the domain begins: at the document after this one, at position 0."""
        return Cursor(self.document, self.token, 0, True)


@dataclass(frozen=True)
class Span:
    """The text tokens `start .. stop-1` of a document as a window, and whether the document's windows end here."""

    start: int
    stop: int
    last: bool

    @property
    def length(self) -> int:
        """Positions of the window, BOS included."""
        return 1 + self.stop - self.start

    def cut(self, length: int) -> "Span":
        """The same window with at most `length` positions (one at the least: BOS alone)."""
        if length >= self.length:
            return self
        return Span(self.start, self.start + length - 1, False)


def check_window(window: int, shard_tokens: int) -> None:
    """Raises CensusError for a window without room for text, or one that no shard can hold."""
    if window < 2:
        raise CensusError(f"window: {window} leaves no position for text behind BOS: set it to 2 or more")
    if shard_tokens < window:
        raise CensusError(f"shard_tokens: {shard_tokens} is below window: {window}: raise it to the window's length or more")


def cut_document(tokens: int, window: int, windows: str, start: int = 0) -> Iterator[Span]:
    """The windows of a document, in order.

    **Choice**: at most `window - 1` text tokens each and a short rest as a shorter window; a document without
    tokens has none.

    Args:
        tokens: how many text tokens the document has.
        window: T, the most positions of a window, BOS included; at least 2.
        windows: `all`, or `first` for the first window of the document only.
        start: the first text token that is not yet in a window.
    """
    stop = min(tokens, window - 1) if windows == "first" else tokens
    for first in range(start, stop, window - 1):
        last = min(first + window - 1, stop)
        yield Span(first, last, last == stop)
