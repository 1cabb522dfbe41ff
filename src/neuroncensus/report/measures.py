"""Numbers that answer what the paper publishes, worked out from `summary.json`.

What is a place in the summary needs no function here. A function takes the summary and what config/published.yaml has under
`arguments`, and gives a number or words.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars

Value = int | float | str
TURN = 0.1
"""A rise or fall over layers of less than this share of the highest value is taken for noise (**Choice**)."""


class Unmeasured(Exception):
    """Why a census has no such number."""


def _section(summary: Mapping, name: str, n: int | None = None) -> Any:
    """A finding of the summary, of one n.

    Raises:
        Unmeasured: it was left out, or there is none of that n.
    """
    section = summary[name]
    if "left_out" in section:
        raise Unmeasured(f"{name} was left out: {section['left_out']}")
    if n is None:
        return section
    if str(n) not in section:
        raise Unmeasured(f"coverage.n has no {n}")
    return section[str(n)]


def measure_path(summary: Mapping, path: str) -> Value:
    """What is at a place of the summary, `dead.overall.dead`; of a list its length.

    Raises:
        Unmeasured: there is nothing, or null.
    """
    finding, *rest = path.split(".")
    found: Any = _section(summary, finding)
    for key in rest:
        if found is None:
            break
        within = found if isinstance(found, Mapping) else {str(place): value for place, value in enumerate(found)}
        if key not in within:
            raise Unmeasured(f"summary.json has no {path}")
        found = within[key]
    if found is None:
        raise Unmeasured("there are no neurons to measure it on")
    return len(found) if isinstance(found, list) else found


def stages(values: Sequence[float]) -> list[str]:
    """The stages of a curve, `rise` or `fall` each; turns of less than `TURN` of its highest value are none."""
    least = TURN * max(values, default=0)
    if least <= 0:
        return []
    found, low, high = [], values[0], values[0]
    for value in values:
        low, high = min(low, value), max(high, value)
        if found[-1:] != ["rise"] and value - low >= least:
            found, high = [*found, "rise"], value
        elif found[-1:] != ["fall"] and high - value >= least:
            found, low = [*found, "fall"], value
    return found


def layers_with_dead(summary: Mapping, share: float) -> int:
    """Layers with a share of dead neurons of over `share` (figure 1a)."""
    return sum(layer["dead_share"] > share for layer in _section(summary, "dead")["layers"])


def dead_in_second_half(summary: Mapping) -> float:
    """Share of dead neurons in the second half of the layers (figure 1a)."""
    layers = _section(summary, "dead")["layers"]
    second = layers[len(layers) // 2 :]
    return sum(layer["dead"] for layer in second) / sum(layer["neurons"] for layer in second)


def dead_and_rare(summary: Mapping) -> float:
    """Spearman's correlation over layers of the share of dead neurons and the mean frequency of the others (figure 1).

    Raises:
        Unmeasured: one of the two is the same in all layers.
    """
    layers = [layer for layer in _section(summary, "dead")["layers"] if layer["mean_frequency"] is not None]
    table = polars.DataFrame({name: [layer[name] for layer in layers] for name in ("dead_share", "mean_frequency")})
    if any(table[name].n_unique() < 2 for name in table.columns):
        raise Unmeasured("the layers do not differ in dead neurons")
    return table.select(polars.corr("dead_share", "mean_frequency", method="spearman")).item()


def _detectors(summary: Mapping, n: int) -> list[int]:
    found = [layer["detectors"] for layer in _section(summary, "detectors", n)["layers"]]
    if not any(found):
        raise Unmeasured("there are no detectors")
    return found


def detector_stages(summary: Mapping, n: int) -> str:
    """How the number of detectors goes over the layers, `rise, fall` (figures 3a, 14)."""
    return ", ".join(stages(_detectors(summary, n))) or "level"


def detector_stage_count(summary: Mapping, n: int) -> int:
    """In how many stages the number of detectors goes over the layers (figures 3a, 14)."""
    return len(stages(_detectors(summary, n)))


def detectors_of_first_layer(summary: Mapping, n: int) -> float:
    """Detectors of layer 0 by those of the layer with the most (figures 3a, 14)."""
    found = _detectors(summary, n)
    return found[0] / max(found)


def most_ngrams(summary: Mapping, n: int) -> int:
    """Distinct detected n-grams of the layer with the most (figures 3b, 15)."""
    return max((layer["ngrams"] for layer in _section(summary, "detectors", n)["layers"]), default=0)


def least_new(summary: Mapping, n: int, least: int) -> float:
    """Of a layer's detected n-grams the share that is in no layer below, of the layer where it is lowest (figures 3b, 4, 15).

    Args:
        summary: of a census.
        n: length of the n-grams.
        least: layers with fewer than so many are left out, and so is layer 0, which has none below.
    """
    layers = [layer for layer in _section(summary, "detectors", n)["layers"][1:] if layer["ngrams"] >= least]
    if not layers:
        raise Unmeasured(f"no layer above the first detects {least} n-grams")
    return min(layer["new_overall"] / layer["ngrams"] for layer in layers)


def _positional(summary: Mapping) -> list[int]:
    found = [layer["positional"] for layer in _section(summary, "positional")["layers"]]
    if not any(found):
        raise Unmeasured("there are no positional neurons")
    return found


def rises_of_positional(summary: Mapping) -> int:
    """How often the number of positional neurons rises and falls over the layers, from none and to none (figure 8)."""
    return stages([0, *_positional(summary), 0]).count("rise")


def first_third_of_positional(summary: Mapping) -> float:
    """Most positional neurons of a layer in the first third, by the most of another layer (figure 8)."""
    found = _positional(summary)
    third = -(-len(found) // 3)
    rest = max(found[third:], default=0)
    if not rest:
        raise Unmeasured("there are no positional neurons behind the first third of the layers")
    return max(found[:third]) / rest


def _types(summary: Mapping) -> dict[str, int]:
    """Positional neurons by type, strong and weak together."""
    overall = _section(summary, "positional")["overall"]
    return {kind: found["strong"] + found["weak"] for kind, found in overall["types"].items()}


def neurons_of_type(summary: Mapping, kind: str) -> int:
    """Positional neurons of a type (figures 8, 10, 11)."""
    return _types(summary)[kind]


def most_frequent_type(summary: Mapping) -> str:
    """The most frequent type of positional neurons, or the types that are so together (figure 8)."""
    found = _types(summary)
    if not any(found.values()):
        raise Unmeasured("there are no positional neurons")
    return ", ".join(kind for kind, neurons in found.items() if neurons == max(found.values()))


def share_of_types(summary: Mapping, types: Sequence[str]) -> str:
    """Shares of some types among the positional neurons, in words (figure 8)."""
    found = _types(summary)
    if not any(found.values()):
        raise Unmeasured("there are no positional neurons")
    return ", ".join(f"{kind} {found[kind] / sum(found.values()):.3f}" for kind in types)


def strong_neurons(summary: Mapping) -> int:
    """Strong positional neurons of all types (figures 10, 11)."""
    return sum(found["strong"] for found in _section(summary, "positional")["overall"]["types"].values())


def information_of_other(summary: Mapping) -> float:
    """Median information of the type "other" by the lowest median of the three others (section 5.2)."""
    medians = dict(_section(summary, "positional")["overall"]["median_information"])
    other = medians.pop("other")
    known = [median for median in medians.values() if median is not None]
    if other is None or not known:
        raise Unmeasured('there are no positional neurons of type "other"' if known else "there are no others to compare with")
    return other / min(known)


MEASURES: dict[str, Callable[..., Value]] = {
    function.__name__: function
    for function in (
        dead_and_rare,
        dead_in_second_half,
        detector_stage_count,
        detector_stages,
        detectors_of_first_layer,
        first_third_of_positional,
        information_of_other,
        layers_with_dead,
        least_new,
        most_frequent_type,
        most_ngrams,
        neurons_of_type,
        rises_of_positional,
        share_of_types,
        strong_neurons,
    )
}
"""By the name that config/published.yaml uses."""


def measure(summary: Mapping, claim: Mapping) -> Value:
    """The number of a census that answers a claim.

    Args:
        summary: what `summary.json` holds.
        claim: an entry of config/published.yaml, with `path` or `function`.

    Raises:
        Unmeasured: the census has no such number.
    """
    if "path" in claim:
        return measure_path(summary, claim["path"])
    return MEASURES[claim["function"]](summary, **claim.get("arguments", {}))
