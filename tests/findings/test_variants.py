"""Variants of one word, against counts by hand."""

import polars
import pytest

from neuroncensus.findings.variants import summarize_variants


@pytest.mark.parametrize(
    ("texts", "detectors", "share"),
    [
        ({0: ["␣like", "Liked", "␣LIKING"], 1: ["␣red", "␣bag"]}, 2, 0.5),
        ({0: ["␣like", "likes", "red", "bag"]}, 1, 0.0),  # half is not over half
        ({0: ["␣like", "likes", "bag"], 1: ["alone"]}, 1, 1.0),
        ({0: ["alone"]}, 0, None),
        ({}, 0, None),
    ],
)
def test_share_of_detectors_of_one_word(texts, detectors, share):
    rows = [(0, neuron, 1, text) for neuron, some in texts.items() for text in some]
    # Bigrams of the same neuron are no tokens.
    rows += [(0, neuron, 2, "␣like␣it") for neuron in texts for _ in range(5)]
    schema = {"layer": polars.Int64, "neuron": polars.Int64, "n": polars.Int64, "text": polars.String}
    assert summarize_variants(polars.DataFrame(rows, schema=schema, orient="row")) == {"detectors": detectors, "one_word": share}
