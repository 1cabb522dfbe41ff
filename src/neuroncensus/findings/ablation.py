"""Whether token detectors cause the suppression of their triggers: numbers over `ablation.parquet` (`neuroncensus.collect.ablation`)."""

import polars

from neuroncensus.findings.bootstrap import mean_told

CHANGES = ("log_probability_change", "logit_change")


def average_contexts(table: polars.DataFrame) -> polars.DataFrame:
    """A row a detector: `contexts`, and mean changes over them, of it, of its matched neurons, and of it less them where there are some."""
    means = []
    for name in CHANGES:
        matched = polars.col(f"matched_{name}")
        means += [polars.col(name).mean(), matched.mean(), (polars.col(name) - matched).mean().alias(f"{name}_difference")]
    return table.group_by("layer", "neuron", maintain_order=True).agg(polars.len().alias("contexts"), *means)


def summarize_ablation(table: polars.DataFrame, metadata: dict, resamples: int, seed: int) -> dict:
    """What zeroing a token detector changes at the end of the network.

    A detector counts once: the mean over its contexts. Intervals are of the bootstrap over detectors, 95%.

    Args:
        table: `ablation.parquet`.
        metadata: of that file.
        resamples, seed: of the bootstrap.

    Returns:
        `overall` and a list `layers` of all layers covered, each with `detectors`, `contexts`, and for
        `log_probability_change` and `logit_change` the mean and its interval, the same of the matched neurons (`matched_...`) and of
        the difference (`..._difference`), the last two over detectors with a context that has at least 3 matched neurons;
        `raises_logit` is the share of detectors without which the trigger's logit is higher, `above_matched` the share of those
        with matched neurons without which it rises more than without these.
    """
    detectors = average_contexts(table)

    def share(flags: polars.Series) -> float | None:
        flags = flags.drop_nulls()
        return int(flags.sum()) / len(flags) if len(flags) else None

    def numbers(part: polars.DataFrame, stream: int) -> dict:
        told: dict = {"detectors": len(part), "contexts": int(part["contexts"].sum())}
        for name in CHANGES:
            for key in (name, f"matched_{name}", f"{name}_difference"):
                told[key] = mean_told(part[key].drop_nulls().to_numpy(), resamples, [seed, stream])
        told["raises_logit"] = share(part["logit_change"] > 0)
        told["above_matched"] = share(part["logit_change_difference"] > 0)
        return told

    layers = range(metadata["layers_covered"])
    by_layer = [{"layer": layer} | numbers(detectors.filter(polars.col("layer") == layer), layer + 1) for layer in layers]
    return {"overall": numbers(detectors, 0), "layers": by_layer}
