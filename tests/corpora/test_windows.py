import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroncensus.corpora.windows import Cursor, Span, check_window, cut_document
from neuroncensus.errors import CensusError


def test_a_short_rest_is_a_shorter_window():
    assert list(cut_document(7, 4, "all")) == [Span(0, 3, False), Span(3, 6, False), Span(6, 7, True)]
    assert list(cut_document(6, 4, "all")) == [Span(0, 3, False), Span(3, 6, True)]
    assert [span.length for span in cut_document(7, 4, "all")] == [4, 4, 2]


def test_first_window_only():
    assert list(cut_document(7, 4, "first")) == [Span(0, 3, True)]
    assert list(cut_document(2, 4, "first")) == [Span(0, 2, True)]


def test_a_document_without_tokens_has_no_window():
    assert list(cut_document(0, 4, "all")) == list(cut_document(0, 4, "first")) == []


def test_a_cut_window_may_be_bos_alone():
    assert Span(3, 6, True).cut(1) == Span(3, 3, False)
    assert Span(3, 6, True).cut(4) == Span(3, 6, True)


@given(tokens=st.integers(0, 60), window=st.integers(2, 9), before=st.integers(0, 5))
def test_going_on_in_a_document_gives_the_same_windows(tokens: int, window: int, before: int):
    spans = list(cut_document(tokens, window, "all"))
    cursor = Cursor()
    for span in spans[:before]:
        cursor = cursor.after(0, span)
    assert list(cut_document(tokens, window, "all", cursor.used(0))) == spans[before:]
    assert cursor.position == sum(span.length for span in spans[:before])
    assert cursor.next_document == (0 if spans[before:] else min(len(spans), 1))


def test_extra_begins_at_the_next_document():
    assert Cursor(4, 7, 100, False).next_part().next_document == 5
    assert Cursor(4, 7, 100, True).next_part() == Cursor(4, 7, 0, True)


@pytest.mark.parametrize(("window", "shard_tokens", "says"), [(1, 5, "window: 1 "), (6, 5, "shard_tokens: 5 is below window: 6")])
def test_window_that_cannot_be(window: int, shard_tokens: int, says: str):
    with pytest.raises(CensusError, match=says):
        check_window(window, shard_tokens)
