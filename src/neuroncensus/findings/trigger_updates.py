"""Which share of the token detectors suppresses its triggers (section 4.4): numbers over `trigger_updates.parquet`.

The definition is in `neuroncensus.models.trigger_updates`.
"""

import polars

from neuroncensus.findings.bootstrap import mean_told


def summarize_trigger_updates(table: polars.DataFrame, metadata: dict) -> dict:
    """Every number of figure 5's text: which share of the token detectors suppresses its triggers.

    Args:
        table: `trigger_updates.parquet`.
        metadata: of that file.

    Returns:
        `overall` and a list `layers` of all layers covered, each with `detectors`, and `suppresses_trigger`,
        `all_suppressed` and `suppresses_centred` with a share (`mean`, null of no detector) and its 95% `interval` (bootstrap over
        detectors; null of fewer than two), `null_suppresses` and `null_suppresses_centred` in the same way over the
        detectors that have a null, and the median `trigger_rank`.
    """
    shares = ("suppresses_trigger", "all_suppressed", "suppresses_centred", "null_suppresses", "null_suppresses_centred")

    def numbers(part: polars.DataFrame, stream: int) -> dict:
        told: dict = {"detectors": len(part), "trigger_rank": part["trigger_rank"].median()}
        for name in shares:
            values = part[name].drop_nulls().cast(polars.Float64).to_numpy()
            told[name] = mean_told(values, metadata["resamples"], [metadata["seed"], stream])
        return told

    layers = range(metadata["layers_covered"])
    by_layer = [{"layer": layer} | numbers(table.filter(polars.col("layer") == layer), layer + 1) for layer in layers]
    return {"overall": numbers(table, 0), "layers": by_layer}
