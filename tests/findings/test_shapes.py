"""Types of positional neurons: against a naive reading of the definition, planted ones, and every boundary from both sides."""

import itertools
from fractions import Fraction

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroncensus.findings.shapes import ShapeSettings, classify_shapes, count_changes, explained, smooth, type_of

PAPERS = ShapeSettings(half_width=1 / 512, interval=1 / 128, weak=0.10, strong=0.01, explained=0.90)
N = 1000


def naive_smooth(row, windows, half):
    """Exact, of text positions."""
    found = []
    for place in range(1, len(row)):
        near = [row[other] for other in range(place - half, place + half + 1) if 1 <= other < len(row)]
        found.append(Fraction(sum(near), windows * len(near)))
    return found


def naive_changes(row, windows, half, least, extreme):
    low = Fraction(str(extreme))
    kinds = ["low" if s <= low else "high" if s >= 1 - low else "" for s in naive_smooth(row, windows, half)]
    intervals, start = [], 0
    for end in range(1, len(kinds) + 1):
        if end == len(kinds) or kinds[end] != kinds[start]:
            if kinds[start] and end - start >= least:
                intervals.append(kinds[start])
            start = end
    return len(intervals), sum(one != other for one, other in itertools.pairwise(intervals))


def naive_explained(row, windows, half):
    shares = [count / windows for count in row[1:]]
    near = max(1, half)
    errors = []
    for place, share in enumerate(shares):
        others = [shares[o] for o in range(place - near, place + near + 1) if 0 <= o < len(shares) and o != place]
        errors.append((share - sum(others) / len(others)) ** 2)
    drawn = sum(share * (1 - share) for share in shares) / len(shares) / windows
    variance = float(numpy.var(shares))
    return None if variance <= drawn else 1 - max(0, sum(errors) / len(errors) - drawn) / (variance - drawn)


@st.composite
def curves(draw):
    """Rows of runs of rates near 0, near 1 and between, so that intervals come up."""
    windows = draw(st.sampled_from([1, 7, 10, 100, 1000]))
    rate = st.sampled_from([0, 0.01, 0.1, 0.11, 0.5, 0.89, 0.9, 0.99, 1])
    run = st.tuples(rate, st.integers(1, 9))
    row = draw(st.lists(run, min_size=2, max_size=14))
    flat = [round(rate * windows) for rate, length in row for _ in range(length)]
    return flat, windows


@settings(max_examples=300)
@given(
    made=curves(),
    half=st.integers(0, 5),
    least=st.integers(1, 8),
    extremes=st.sampled_from([(0.1, 0.01), (0.3, 0.3), (0.123456789012345, 0.001)]),
)
def test_changes_smoothing_and_types_are_those_of_the_definition(made, half, least, extremes):
    row, windows = made
    weak, strong = extremes
    rules = ShapeSettings((half + 0.5) / len(row), (least + 0.5) / len(row), weak, strong, 0.9)
    half, least = rules.half(len(row)), rules.least(len(row))
    active = numpy.array([row, row[::-1]], dtype=numpy.int32)
    assert smooth(active, windows, half)[0] == pytest.approx([float(s) for s in naive_smooth(row, windows, half)], abs=1e-12)
    found = {}
    for extreme in extremes:
        intervals, changes = count_changes(active, windows, rules, extreme)
        assert (intervals[0], changes[0]) == naive_changes(row, windows, half, least, extreme)
        assert (intervals[1], changes[1]) == naive_changes(row[::-1], windows, half, least, extreme)
        number, changed = int(intervals[0]), int(changes[0])
        found[extreme] = "oscillatory" if changed > 2 else "both" if changed else "one" if number else "other"
    kinds, are_strong = classify_shapes(active, windows, rules)
    _, changes = count_changes(active, windows, rules, rules.weak)
    assert kinds[0] == found[weak]
    if kinds[0] != "other":
        assert are_strong[0] == (found[strong] == found[weak])
    elif len(row) > 2:
        share = naive_explained(row, windows, half)
        got = explained(active, windows, half)[0]
        assert numpy.isnan(got) if share is None else got == pytest.approx(share, abs=1e-6)


def planted(curve) -> numpy.ndarray:
    return numpy.round(N * numpy.clip([curve], 0, 1)).astype(numpy.int32)


@pytest.mark.parametrize("window", [128, 2048])
@pytest.mark.parametrize(
    ("curve", "kind", "changes", "strong"),
    [
        (lambda x: 0.5 + 0.6 * numpy.sin(6 * numpy.pi * x), "oscillatory", 5, True),
        (lambda x: 0.5 + 0.45 * numpy.sin(6 * numpy.pi * x), "oscillatory", 5, False),
        (lambda x: (x > 0.4).astype(float), "both", 1, True),
        (lambda x: 0.95 * (x > 0.4), "both", 1, False),
        (lambda x: numpy.where((x > 0.3) & (x < 0.6), 1.0, 0.0), "both", 2, True),
        (lambda x: numpy.where(x < 0.5, 0.5 - x, 0.0), "one", 0, True),
        (lambda x: numpy.where(x < 0.5, 1.0, 0.6), "one", 0, True),
        (lambda x: 0.2 + 0.6 * x, "other", 0, True),
    ],
)
def test_planted_types_are_found(window, curve, kind, changes, strong):
    x = numpy.arange(window) / window
    kinds, are_strong = classify_shapes(planted(curve(x)), N, PAPERS)
    _, found = count_changes(planted(curve(x)), N, PAPERS, PAPERS.weak)
    assert (kinds[0], bool(are_strong[0]), found[0]) == (kind, strong, changes)


def test_noise_without_shape_is_other_and_not_strong():
    random = numpy.random.default_rng(1)
    for rates in (numpy.full(2048, 0.5), random.uniform(0.2, 0.8, 2048)):
        kinds, strong = classify_shapes(random.binomial(N, rates)[None].astype(numpy.int32), N, PAPERS)
        assert kinds[0] == "other" and not strong[0]


@pytest.mark.parametrize(("count", "kind"), [(100, "one"), (101, "other"), (899, "other"), (900, "one")])
def test_a_share_of_just_e_is_extreme(count, kind):
    assert classify_shapes(numpy.full((1, 128), count, dtype=numpy.int32), N, PAPERS)[0][0] == kind


@pytest.mark.parametrize(("window", "length", "kind"), [(128, 3, "other"), (128, 4, "one"), (1024, 7, "other"), (1024, 8, "one")])
def test_least_length_of_an_interval(window, length, kind):
    curve = numpy.full((1, window), 600, dtype=numpy.int32)
    half = PAPERS.half(window)
    curve[0, 40 : 40 + length + 2 * half] = 0  # smoothing takes `half` from each end
    assert classify_shapes(curve, N, PAPERS)[0][0] == kind


def test_bos_is_left_out_and_two_changes_may_oscillate():
    curve = numpy.zeros((1, 128), dtype=numpy.int32)
    curve[0, 40:80] = N
    curve[0, 0] = N
    intervals, changes = count_changes(curve, N, PAPERS, 0.1)
    assert (intervals[0], changes[0]) == (3, 2)
    assert type_of(intervals, changes)[0] == "both" and type_of(intervals, changes, 2)[0] == "oscillatory"


@pytest.mark.parametrize("window", [1, 2, 3, 4])
def test_windows_too_short_for_an_interval(window):
    nothing = numpy.zeros((2, window), dtype=numpy.int32)
    kinds, strong = classify_shapes(nothing, 3, PAPERS)
    _, changes = count_changes(nothing, 3, PAPERS, PAPERS.weak)
    assert kinds.tolist() == ["other"] * 2 and not strong.any() and not changes.any()
