"""Made tables behind the figures, of models of any shape, with what their files say of them."""

import numpy
import polars

from neuroncensus.findings.coverage import class_names
from neuroncensus.tables import ABLATION, COVERAGE, DETECTOR_NGRAMS, DETECTORS, POSITIONAL, TRIGGER_UPDATES, UPDATES

LONG = "a-model.with_a_very-long-name-that-somebody-gave-to-it-to-tell-it-from-all-the-others-2026-11-23-checkpoint-123456"
TOKENS, WINDOWS = 1000, 40
EDGES = [5, 20, 50, 100, 500]
WORDS = [
    "␣the",
    "$x_1$",
    "漢字",
    "<0xE2>",
    "a_very_long_token_that_goes_on_and_on_and_on_and_on_and_on",
    "⏎⏎",
    "\U0001f9e0",
    "{",
    "\\alpha",
]


def make_dead(layers: int, neurons: int, dead: list[int], proved: list[int], bos_only: list[int], seed: int = 0) -> polars.DataFrame:
    """A table with given numbers of dead, proved and BOS-only neurons in each layer."""
    draw = numpy.random.default_rng(seed)
    rows = []
    for layer in range(layers):
        activations = draw.integers(WINDOWS + 1, TOKENS, neurons)
        at_bos = numpy.zeros(neurons, dtype=int)
        activations[: dead[layer]] = 0
        only = slice(dead[layer], dead[layer] + bos_only[layer])
        activations[only] = at_bos[only] = WINDOWS
        for neuron, (count, bos) in enumerate(zip(activations.tolist(), at_bos.tolist(), strict=True)):
            row = {"layer": layer, "neuron": neuron, "tokens": TOKENS, "activations": count, "activations_bos": bos}
            row |= {"frequency": count / TOKENS, "dead": count == 0, "bos_only": 0 < count == bos, "provably_dead": neuron < proved[layer]}
            rows.append(row | {"bound": 0.0, "depth": 0.0, "documents": 7, "documents_active": 7 if count else 0})
    return polars.DataFrame(rows)


def dead_metadata(model: str = "opt-nano") -> dict:
    return {"model": model, "windows": WINDOWS, "window": 25, "corpus": "demo", "dtype": "float32"}


def some_dead(layers: int, neurons: int = 20) -> polars.DataFrame:
    dead = [(3 * layer) % (neurons // 2) for layer in range(layers)]
    return make_dead(layers, neurons, dead, [count // 2 for count in dead], [layer % 3 for layer in range(layers)])


def make_coverage(
    layers: int, sizes: list[int], edges: list[int] = EDGES, *, null: bool = True, dead: range = range(0), model: str = "opt-nano"
) -> tuple[polars.DataFrame, dict]:
    """20 alive neurons a layer, in any classes, and none in `dead` layers."""
    draw, names, rows = numpy.random.default_rng(0), class_names(edges), []
    for layer in range(layers):
        for neuron in range(0 if layer in dead else 20):
            for n in sizes:
                found, beyond = (names[int(place)] for place in draw.integers(0, len(names), 2))
                row = {"layer": layer, "neuron": neuron, "n": n, "activations": 9, "covering": None}
                rows.append(row | {"class": found, "null_class": beyond if null else None})
    metadata = {"model": model, "edges": edges, "n": sizes, "layers_covered": layers, "share": 0.95, "rotation_null": null}
    metadata |= {"tokens_core": 1000, "tokens": 4321, "corpus": "demo", "dtype": "float32"}
    return polars.DataFrame(rows, schema=polars.from_arrow(COVERAGE.schema.empty_table()).schema), metadata  # type: ignore[union-attr]


def make_detectors(
    layers: int, sizes: list[int], most: int = 4, *, without: tuple[int, ...] = (), model: str = "opt-nano", times: int = 1
) -> tuple[polars.DataFrame, polars.DataFrame, dict]:
    """Up to `most` detectors a layer, none for n in `without`; their n-grams recur from layer to layer."""
    draw, detectors, ngrams = numpy.random.default_rng(0), [], []
    for layer in range(layers):
        for neuron in range(int(draw.integers(0, most + 1))):
            for n in set(sizes) - set(without):
                found = sorted({tuple(draw.integers(0, 6 * times, n).tolist()) for _ in range(int(draw.integers(1, 4 * times)))})
                row = {"layer": layer, "neuron": neuron, "n": n, "activations": 9, "covering": 1, "detected": len(found), "share": 1.0}
                held = float(draw.random()) if draw.random() < 0.8 else None
                detectors.append(row | {"strict": bool(draw.random() < 0.5), "held_out_rate": held, "held_out_share": float(draw.random())})
                for gram in found:
                    pair = {"layer": layer, "neuron": neuron, "n": n, "ngram": list(gram), "text": "x", "occurrences": 3, "activations": 3}
                    ngrams.append(pair | {"rate_lower": 0.4, "in_covering": True})
    metadata = {"model": model, "n": sizes, "layers_covered": layers, "share": 0.95, "detector_rate": 0.95, "detector_share": 0.95}
    metadata |= {"detector_covering": [5, 50, 50, 50, 50][: len(sizes)], "positions": [1234567 - n for n in sizes]}
    metadata |= {"corpus": "demo", "dtype": "float32"}
    frames = [
        polars.DataFrame(rows, schema=polars.DataFrame(kind.schema.empty_table()).schema)
        for rows, kind in ((detectors, DETECTORS), (ngrams, DETECTOR_NGRAMS))
    ]
    return frames[0], frames[1], metadata


def frame(rows: list[dict], kind) -> polars.DataFrame:
    return polars.DataFrame(rows, schema=polars.DataFrame(kind.schema.empty_table()).schema)


def make_updates(
    layers: int, most: int = 4, *, matched: bool = True, active: bool = True, positional: bool = False, model: str = "opt-nano"
):
    """Up to `most` token detectors in each layer of the first half, and the tables of the figure."""
    draw = numpy.random.default_rng(layers)
    updates, triggers, ablation, ngrams, positions = [], [], [], [], []
    for layer in range(layers):
        found = int(draw.integers(0, most + 1)) if layer < layers // 2 else 0
        for neuron in range(40):
            ids = draw.integers(0, 99, 20).tolist()
            row = {
                "layer": layer,
                "neuron": neuron,
                "norm": 1.0,
                "kurtosis": float(draw.normal()),
                "promoted": ids[:10],
                "suppressed": ids[10:],
            }
            updates.append(row)
            positions.append(
                {"layer": layer, "neuron": neuron, "positional": bool(neuron % 3 == 0), "strong": True if neuron % 6 == 0 else None}
            )
            if neuron >= found:
                continue
            logit = float(draw.normal() - 1)
            row = {"layer": layer, "neuron": neuron, "detected": 2, "mean_logit": logit, "mean_logit_centred": logit + 0.3}
            row |= {"suppresses_trigger": logit < 0, "all_suppressed": logit < -1, "suppresses_centred": logit < -0.3, "trigger_rank": 4.5}
            null = None if found == 1 else float(draw.random())
            triggers.append(row | {"null_suppresses": null, "null_suppresses_centred": null})
            for token in ids[:2]:
                gram = {"layer": layer, "neuron": neuron, "n": 1, "ngram": [token], "text": WORDS[token % len(WORDS)], "occurrences": 9}
                ngrams.append(gram | {"activations": 9, "rate_lower": 0.4, "in_covering": True})
            for position in range(2 * active):
                row = {
                    "layer": layer,
                    "neuron": neuron,
                    "domain": "a",
                    "shard": 0,
                    "window": 0,
                    "position": position,
                    "document": 0,
                    "token": 1,
                }
                row |= {"value": 1.0, "log_probability": -1.0, "log_probability_change": 0.1, "logit_change": float(draw.normal())}
                other = float(draw.normal()) if matched else None
                row |= {"matched": 5 if matched else 2, "matched_log_probability_change": other, "matched_logit_change": other}
                ablation.append(row)
    tables = {"updates": frame(updates, UPDATES), "trigger_updates": frame(triggers, TRIGGER_UPDATES)}
    tables |= {"ablation": frame(ablation, ABLATION), "detector_ngrams": frame(ngrams, DETECTOR_NGRAMS)}
    if positional:
        tables["positional"] = frame(positions, POSITIONAL)
    told = {"model": model, "layers_covered": layers // 2, "resamples": 200, "seed": 1, "corpus": "demo", "dtype": "float32"}
    return tables, {"trigger_updates": told, "ablation": told}


def read_token(token: int) -> str:
    return WORDS[token % len(WORDS)]
