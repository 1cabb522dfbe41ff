"""`scorecard.md` and `scorecard.json`: a census held against what the paper publishes.

A claim of the paper *agrees* or *differs* only where the census is of a model that the claim is about, on the paper's text and with
the paper's thresholds; everywhere else it is *not comparable*, with the reason, and the number that was measured stands beside it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from neuroncensus.files import atomic_path
from neuroncensus.models.architecture import read_json
from neuroncensus.report.measures import Unmeasured, Value, measure
from neuroncensus.report.resultfiles import write_result

AGREES, DIFFERS, NOT_COMPARABLE = VERDICTS = ("agrees", "differs", "not comparable")
TITLES = {
    "dead": "Dead neurons",
    "coverage": "N-grams that cover a neuron",
    "detectors": "Token and n-gram detectors",
    "updates": "What detectors write",
    "positional": "Positional neurons",
    "training": "Trained with and without positions",
}
OTHER_MODEL, OTHER_TEXT = "other model", "other corpus"


def _paper_model(model: Mapping, run: Mapping | None, published: Mapping) -> tuple[str | None, str]:
    """Which model of the paper this is, or None and why it is none."""
    source = model["source"]
    if run is None:
        names = [name for name, entry in published["models"].items() if entry["source"] == source]
        if names and model["revision"] is not None:
            return names[0], ""
        told = "is a folder here, and not the Hub's" if names else "is none of the paper's"
        return None, f"model {model['name']}, of {source}, {told}"
    asked = {"source": source, "positions": run["positions"], "step": run["step"]}
    names = [name for name, entry in published["models"].items() if entry == asked]
    return (names[0], "") if names else (None, f"model {model['name']}, step {run['step']} of {source}, is none of the paper's")


def _other_text(corpus: Mapping, asked: Mapping) -> list[str]:
    """How the text of a census differs from the paper's; nothing if it does not."""
    if corpus["name"] != asked["name"]:
        return [f"corpus {corpus['name']} is not the paper's, which is corpus {asked['name']}"]
    told = []
    if corpus["window"] != asked["window"]:
        told.append(f"windows have {corpus['window']:,} positions, the paper's {asked['window']:,}")
    for name, domains in (
        ("core", [domain for domain in corpus["domains"] if domain["part"] == "core"]),
        ("all", corpus["domains"]),
    ):
        place = "core" if name == "core" else "core and extra"
        missing = sorted(set(asked[name]["domains"]) ^ {domain["domain"] for domain in domains})
        tokens = sum(domain["tokens"] for domain in domains)
        if missing:
            told.append(f"{place} of the paper and of this census differ in {', '.join(missing)}")
        if tokens < asked[name]["tokens"]:
            told.append(f"{place} of this census has {tokens:,} positions, the paper's over {asked[name]['tokens']:,}")
    return told


def _other_thresholds(used: Mapping, asked: Mapping) -> list[str]:
    """Which thresholds of a finding differ from the paper's."""
    told = []
    for key, paper in asked.items():
        finding, name = key.split(".")
        here = used[finding][name]
        pairs = [(key, here, paper)]
        if isinstance(paper, Mapping):  # by n, those that both have: a claim of another n is not measured
            pairs = [(f"{key} of n = {n}", here[n], paper[n]) for n in paper if n in here]
        told += [f"{what} is {shown(found)}, the paper's {shown(value)}" for what, found, value in pairs if found not in (value, None)]
    return told


def _agrees(value: Value, bounds: Mapping) -> bool:
    if "text" in bounds:
        return value == bounds["text"]
    if isinstance(value, str):
        return False
    if "number" in bounds:
        return abs(value - bounds["number"]) <= bounds["tolerance"]
    return value >= bounds["at_least"] if "at_least" in bounds else value <= bounds["at_most"]


def shown(value: Value) -> str:
    """A number as people read it: whole, or three digits; words as they are."""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _asked(bounds: Mapping) -> str:
    """What agrees, in words."""
    if "number" in bounds:
        return shown(bounds["number"]) + (f" ± {shown(bounds['tolerance'])}" if bounds["tolerance"] else "")
    names = {"at_least": "at least", "at_most": "at most", "text": ""}
    return "".join(f"{words} {shown(bounds[name])}".strip() for name, words in names.items() if name in bounds)


def _models(names: Iterable[str], published: Mapping) -> str:
    """Models of a claim, in few words."""
    names = list(names)
    sizes = [name for name, entry in published["models"].items() if "step" not in entry]
    missing = [name for name in sizes if name not in names]
    if set(names) <= set(sizes) and len(missing) <= 1:
        return "every size" + "".join(f" but {name}" for name in missing)
    return ", ".join(names)


def _judge(summary: Mapping, claim: Mapping, why: list[str]) -> dict:
    """What was measured for a claim, the verdict, and why, reasons that are known not to compare it coming first."""
    value: Value | None = None
    try:
        value = measure(summary, claim)
    except Unmeasured as error:
        why = [*why, str(error)]
    verdict = NOT_COMPARABLE
    if not why and value is not None:
        verdict = AGREES if _agrees(value, claim["agrees"]) else DIFFERS
        why = [] if verdict == AGREES else [f"{shown(value)} is not {_asked(claim['agrees'])}"]
    return {"measured": value, "verdict": verdict, "why": "; ".join(why)}


def hold_against(summary: Mapping, provenance: Mapping, published: Mapping, run: Mapping | None) -> dict:
    """A census held against the paper.

    Args:
        summary: what `summary.json` holds.
        provenance: what `provenance.json` holds.
        published: `neuroncensus.published.read_published`.
        run: of a model that the workflow trained, its `recipe`, `positions` and `step`.

    Returns:
        `model`, `source`, `revision`, `corpus`; `paper_model`, which of the paper's it is, or null; `apart`, what of the whole census is
        not the paper's; `verdicts`, how many claims have each; and `claims`, a row each: `id`, `place`, `finding`, `models`, `published`,
        `measures` (what is measured), `agrees_if` (bounds as the file has them; null where no census of one model can tell), `read`
        (where bounds come from that are not the paper's words, or null), `measured` (null where there is nothing), `verdict`, `why`.
    """
    model = provenance["model"]
    name, other_model = _paper_model(model, run, published)
    other_text = _other_text(provenance["corpus"], published["corpus"])
    rows = []
    for key, claim in published["claims"].items():
        why = [OTHER_MODEL] if name is None else []
        if "not_comparable" in claim:
            why.append(claim["not_comparable"])
        if name is not None and name not in claim["models"]:
            why.append(f"of {_models(claim['models'], published)}")
        why += [OTHER_TEXT] if other_text else []
        why += _other_thresholds(summary["thresholds"], published["thresholds"].get(claim["finding"], {}))
        if claim["finding"] in ("positional", "training") and summary["positional"].get("unreliable"):
            why.append("too few full windows")
        about = {column: claim[column] for column in ("place", "finding", "models", "published")}
        asked = {"measures": claim["measured"], "agrees_if": claim.get("agrees"), "read": claim.get("read")}
        rows.append({"id": key} | about | asked | _judge(summary, claim, why))
    counts = Counter(row["verdict"] for row in rows)
    return {
        "model": model["name"],
        "source": model["source"],
        "revision": model["revision"],
        "corpus": provenance["corpus"]["name"],
        "paper_model": name,
        "apart": ([other_model] if other_model else []) + other_text,
        "verdicts": {verdict: counts[verdict] for verdict in VERDICTS},
        "claims": rows,
    }


def _page(card: Mapping, published: Mapping) -> list[str]:
    """The scorecard in Markdown, by line."""
    counts = card["verdicts"]
    lines = [
        f"# Scorecard: {card['model']}",
        "",
        f"The census of {card['model']} on corpus {card['corpus']}, held against {len(card['claims'])} published figures of the paper: "
        f"**{counts[AGREES]} agree, {counts[DIFFERS]} differ, {counts[NOT_COMPARABLE]} are not comparable.**",
        "",
    ]
    if card["apart"]:
        lines += ["No figure here can agree or differ:", "", *(f"- {reason}." for reason in card["apart"]), ""]
        lines += ["What was measured stands beside what was published all the same.", ""]
    for finding, title in TITLES.items():
        rows = [row for row in card["claims"] if row["finding"] == finding]
        if not rows:
            continue
        lines += [f"## {title}", ""]
        lines += ["| paper | of | published | what is measured | agrees if | measured | verdict | why |", "|" + "---|" * 8]
        for row in rows:
            asked = _asked(row["agrees_if"]) if row["agrees_if"] else "–"
            value = "–" if row["measured"] is None else shown(row["measured"])
            verdict = row["verdict"] if row["verdict"] == NOT_COMPARABLE else f"**{row['verdict']}**"
            said = [row["place"], _models(row["models"], published), row["published"], row["measures"]]
            cells = [*said, asked, value, verdict, row["why"]]
            lines.append("| " + " | ".join(cell.replace("|", "&#124;") for cell in cells) + " |")
        lines.append("")
    lines += ["## How the published words are read", ""]
    return lines + [f"- {row['place']}, {row['published']}: {row['read']}." for row in card["claims"] if row["read"]]


def write_scorecard(summary: Path, provenance: Path, published: Mapping, run: Mapping | None, out_page: Path, out_json: Path) -> None:
    """Write a model's scorecard, as a page and as JSON.

    Args:
        summary: its `summary.json`.
        provenance: its `provenance.json`.
        published, run: as `hold_against` takes them.
        out_page: `scorecard.md`.
        out_json: `scorecard.json`, what `hold_against` returns.
    """
    card = hold_against(read_json(summary), read_json(provenance), published, run)
    with atomic_path(out_page) as partial:
        partial.write_text("\n".join(_page(card, published)) + "\n", encoding="utf-8")
    write_result(card, out_json)
