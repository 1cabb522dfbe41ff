"""How the logits of updates spread, by kind of neuron (section 5.5): numbers over `updates.parquet` (`neuroncensus.models.updates`)."""

from collections.abc import Sequence

import polars

POSITIONAL, DETECTORS, OTHERS = "strong_positional", "token_detectors", "others"


def summarize_updates(updates: polars.DataFrame, triggers: polars.DataFrame, positional: polars.DataFrame | None) -> dict:
    """Excess kurtosis of centred logits by kind of neuron (section 5.5).

    Args:
        updates: `updates.parquet`: layer, neuron, kurtosis.
        triggers: `trigger_updates.parquet`: layer and neuron of the token detectors.
        positional: `positional.parquet`: layer, neuron, positional, strong; None where positions are not counted.

    Returns:
        `overall` and a list `layers`, each with how many neurons and the median kurtosis of `strong_positional` (null if
        positions are not counted), `token_detectors`, and `others`, which are neither; a neuron that is both is in both. The
        median is null where there is no neuron.
    """
    keys = ["layer", "neuron"]
    marked = updates.select(*keys, "kurtosis").join(triggers.select(*keys, polars.lit(True).alias(DETECTORS)), on=keys, how="left")
    strong = polars.lit(None, polars.Boolean).alias(POSITIONAL)
    if positional is not None:
        marked = marked.join(
            positional.select(*keys, (polars.col("positional") & polars.col("strong")).alias(POSITIONAL)), on=keys, how="left"
        )
        strong = polars.col(POSITIONAL).fill_null(False)
    marked = marked.with_columns(polars.col(DETECTORS).fill_null(False), strong)
    marked = marked.with_columns((~polars.col(DETECTORS) & ~polars.col(POSITIONAL).fill_null(False)).alias(OTHERS))

    def numbers(part: polars.DataFrame) -> dict:
        kinds: Sequence[str] = [POSITIONAL, DETECTORS, OTHERS]
        found = {kind: part.filter(polars.col(kind))["kurtosis"] for kind in kinds}
        told = {kind: {"neurons": len(values), "median_kurtosis": values.median()} for kind, values in found.items()}
        return told if positional is not None else told | {POSITIONAL: None}

    layers = [{"layer": layer} | numbers(part) for (layer,), part in marked.partition_by("layer", as_dict=True).items()]
    return {"overall": numbers(marked), "layers": sorted(layers, key=lambda row: row["layer"])}
