"""Write docs/tables.md and docs/config.md from the schemas: `make docs`. A test holds them equal."""

from pathlib import Path

import yaml

from neuroncensus.tables import TABLES

PROJECT = Path(__file__).parent.parent
SCHEMA = PROJECT / "config" / "schemas" / "config.schema.yaml"


def tables_page() -> str:
    """A section for every parquet file, a row for every column."""
    told = "Made from `src/neuroncensus/tables.py` by `make docs`. Rows are sorted by the key columns, in bold."
    lines = ["# Columns of the tables", "", told, ""]
    for name, table in TABLES.items():
        lines += [f"## `{name}.parquet`", "", f"A row is a {table.row}.", "", "| column | type | meaning |", "|---|---|---|"]
        for place, (column, kind, meaning) in enumerate(table.columns):
            shown = f"**{column}**" if place < table.keys else column
            lines.append(f"| {shown} | {kind} | {meaning.replace('|', '&#124;')} |")
        lines.append("")
    return "\n".join(lines)


def _resolved(schema: dict, root: dict) -> dict:
    if "allOf" in schema:
        schema = {key: value for part in schema["allOf"] for key, value in _resolved(part, root).items()} | schema
    if "$ref" in schema:
        return _resolved(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root) | schema
    return schema


def _rows(path: str, schema: dict, root: dict) -> list[str]:
    schema = _resolved(schema, root)
    rows = [f"| `{path}` | {_allowed(schema)} | {_default(schema)} | {schema.get('description', '')} |"] if path else []
    for key, value in schema.get("properties", {}).items():
        rows += _rows(f"{path}.{key}" if path else key, value, root)
    if isinstance(schema.get("additionalProperties"), dict):
        rows += _rows(f"{path}.<name>", schema["additionalProperties"], root)
    return rows


def _default(schema: dict) -> str:
    return (
        f"`{yaml.safe_dump(schema['default'], default_flow_style=True).strip().removesuffix('...').strip()}`" if "default" in schema else ""
    )


def _allowed(schema: dict) -> str:
    if "enum" in schema:
        return " / ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "")
    text = " or ".join(kind) if isinstance(kind, list) else kind
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return ", ".join([text, *(f"{sign} {schema[key]}" for key, sign in bounds.items() if key in schema)])


def config_page() -> str:
    """A row for every key."""
    root = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    head = [
        "# The configuration",
        "",
        "Made from `config/schemas/config.schema.yaml` by `make docs`. The defaults are in `config/`; a file given with",
        "`--configfile` is merged over them, key by key. An unknown key is an error that names it.",
        "",
    ]
    return "\n".join([*head, "| key | value | default | meaning |", "|---|---|---|---|", *_rows("", root, root), ""])


PAGES = {"tables.md": tables_page, "config.md": config_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (PROJECT / "docs" / name).write_text(page(), encoding="utf-8")
