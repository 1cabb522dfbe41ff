"""`python -m benchmarks`: every benchmark, each in a process of its own; one table on the terminal, and in results/ as Markdown and JSON.

Arguments are passed on: `--quick`, `--repeats 5`.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._common import HEAD, Row, machine, markdown

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


def main() -> None:
    """Run them in the order of their names; one that fails is told in the table, and at the end."""
    rows: list[dict] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for program in sorted(HERE.glob("[!_]*.py")):
            records = Path(folder) / f"{program.stem}.jsonl"
            command = [sys.executable, "-m", f"{HERE.name}.{program.stem}", "--records", records, *sys.argv[1:]]
            done = subprocess.run(command, cwd=HERE.parent, check=False)
            if records.exists():
                rows += map(json.loads, records.read_text(encoding="utf-8").splitlines())
            if done.returncode:
                failed.append(program.stem)
                row = Row("", None, "", note=f"ended with status {done.returncode}")
                rows.append({"benchmark": program.stem, **vars(row)})
    lines = [*HEAD, *(markdown(row["benchmark"], Row(**{key: row[key] for key in Row.__annotations__})) for row in rows)]
    RESULTS.mkdir(exist_ok=True)
    told = {"machine": machine(), "rows": rows}
    (RESULTS / "benchmarks.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (RESULTS / "benchmarks.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("", *lines, "", f"Written to {RESULTS}: benchmarks.json, benchmarks.md", sep="\n")
    if failed:
        raise SystemExit(f"these failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
