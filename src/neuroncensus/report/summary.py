"""`summary.json`: per layer and overall, each number that a figure of the model shows."""

from collections.abc import Mapping
from pathlib import Path

from neuroncensus.corpora.fullwindows import read_full_windows
from neuroncensus.findings.ablation import summarize_ablation
from neuroncensus.findings.agree import read_findings
from neuroncensus.findings.coverage import summarize_coverage
from neuroncensus.findings.dead import summarize_dead
from neuroncensus.findings.detectors import summarize_detectors
from neuroncensus.findings.positional import summarize_positional
from neuroncensus.findings.saturation import summarize_saturation
from neuroncensus.findings.trigger_updates import summarize_trigger_updates
from neuroncensus.findings.updates import summarize_updates
from neuroncensus.findings.variants import summarize_variants
from neuroncensus.report.resultfiles import write_result


def _left_out(corpus: str, full_windows: Path | None) -> str:
    """Why there is no `positional.parquet`."""
    if full_windows is None:
        return f"corpora.{corpus} has no positions"
    without = [domain for domain, windows in read_full_windows(full_windows).items() if not windows]
    return f"no full window in {', '.join(f'domain {domain}' for domain in without)}"


def _thresholds(told: Mapping[str, dict], n_layers: int) -> dict:
    """The thresholds that the numbers hang on, by finding, as the configuration names them; null where a finding was left out."""
    coverage, detectors = told["coverage"], told["detectors"]
    first_half = coverage["layers_covered"] == n_layers // 2
    return {
        "coverage": {"share": coverage["share"], "layers": "first_half" if first_half else "all"},
        "detectors": {
            "covering": dict(zip(map(str, detectors["n"]), detectors["detector_covering"], strict=True)),
            "rate": detectors["detector_rate"],
            "share": detectors["detector_share"],
        },
        "positional": {"mutual_information": told.get("positional", {}).get("mutual_information")},
    }


def join_summary(files: Mapping[str, Path], out: Path) -> None:
    """Write the numbers behind a model's figures.

    Args:
        files: tables of the model by name: `dead`, `saturation`, `coverage`, `detectors`, `detector_ngrams`, `updates`, `trigger_updates`,
            `ablation`, and where there are any `positional` and `profiles`; `full_windows` (`neuroncensus.corpora.fullwindows`) where the
            corpus names domains for positions.
        out: the JSON file. What is left out says why, under `left_out`.

    Raises:
        CensusError: a file is corrupt, or they are not of one census.
    """
    tables = {name: path for name, path in files.items() if name != "full_windows"}
    table, told = read_findings(tables, {"updates": ["layer", "neuron", "kurtosis"]})
    bootstrap = [told["trigger_updates"][key] for key in ("resamples", "seed")]
    summary = {key: told["dead"][key] for key in ("model", "corpus", "window", "windows", "dtype")} | {
        "thresholds": _thresholds(told, table["dead"]["layer"].n_unique()),
        "dead": summarize_dead(table["dead"]),
        "saturation": summarize_saturation(table["saturation"], table["dead"]),
        "coverage": summarize_coverage(table["coverage"], told["coverage"]),
        "detectors": summarize_detectors(table["detectors"], table["detector_ngrams"], told["detectors"]),
        "positional": summarize_positional(table["positional"], table["profiles"], told["positional"])
        if "positional" in table
        else {"left_out": _left_out(told["dead"]["corpus"], files.get("full_windows"))},
        "updates": {
            "triggers": summarize_trigger_updates(table["trigger_updates"], told["trigger_updates"]),
            "variants": summarize_variants(table["detector_ngrams"]),
            "ablation": summarize_ablation(table["ablation"], told["ablation"], *bootstrap),
            "kurtosis": summarize_updates(table["updates"], table["trigger_updates"], table.get("positional")),
        },
    }
    write_result(summary, out)
