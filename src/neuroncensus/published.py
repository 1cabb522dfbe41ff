"""What the paper publishes, as config/published.yaml has it."""

from pathlib import Path

import yaml

from neuroncensus.config import check_exactly_one, check_schema, require_known
from neuroncensus.errors import CensusError

BOUNDS = ("number", "at_least", "at_most", "text")


def _check(published: dict, schema: Path) -> None:
    check_schema(published, schema)
    for name, claim in published["claims"].items():
        place = f"claims.{name}"
        check_exactly_one(place, claim, ("path", "function"))
        check_exactly_one(place, claim, ("agrees", "not_comparable"))
        for model in claim["models"]:
            require_known(f"{place}.models", model, "model", published["models"])
        if "agrees" in claim:
            check_exactly_one(f"{place}.agrees", {key: value for key, value in claim["agrees"].items() if key != "tolerance"}, BOUNDS)
            if ("number" in claim["agrees"]) != ("tolerance" in claim["agrees"]):
                raise CensusError(f"{place}.agrees must have tolerance with number, and with nothing else: add it, or leave it out")


def read_published(file: Path, schema: Path) -> dict:
    """The published figures, checked.

    Args:
        file: config/published.yaml.
        schema: config/schemas/published.schema.yaml, which describes it.

    Raises:
        CensusError: the first thing that is wrong, with the key as written.
    """
    published = yaml.safe_load(file.read_text(encoding="utf-8"))
    try:
        _check(published, schema)
    except CensusError as error:
        raise CensusError(f"{file.name}: {error}") from error
    return published
