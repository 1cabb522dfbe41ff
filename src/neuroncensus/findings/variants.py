"""Whether the tokens that a detector detects are variants of one word (section 4.4, figure 5).

**Choice**: tokens are variants of one word if they begin with the same three characters, case and spaces aside (" like", "Liked").
"""

import polars

LETTERS = 3


def summarize_variants(ngrams: polars.DataFrame) -> dict:
    """Of how many token detectors the tokens are variants of one word.

    Args:
        ngrams: `detector_ngrams.parquet`.

    Returns:
        `detectors`, those of two tokens or more, and `one_word`, the share of them over half of whose tokens are variants of one word;
        null if there is none.
    """
    start = polars.col("text").str.replace_all("␣", "").str.to_lowercase().str.slice(0, LETTERS)
    counts = ngrams.filter(polars.col("n") == 1).group_by("layer", "neuron", start).len()
    detectors = counts.group_by("layer", "neuron").agg(polars.col("len").max().alias("alike"), polars.col("len").sum().alias("tokens"))
    several = detectors.filter(polars.col("tokens") > 1)
    return {"detectors": len(several), "one_word": (2 * several["alike"] > several["tokens"]).mean()}
