"""The page of `browser/index.html` at 66b size: 64 layers of 36,864 neurons with made-up findings, from tables to what is seen.

Writing is timed in a process of its own, whose peak of memory is told. The page is opened from disk in headless Chromium, each
time in a fresh one: the first view until the map of all neurons is drawn; a layer until its list of neurons stands there, and a
neuron of it; the search of a text in all layers. Without Chromium those rows have no figure. Making up the tables is in no figure.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks._chromium import Chromium, find_chromium
from benchmarks._common import Options, Row, main
from benchmarks._made import write_tokenizer
from benchmarks._memory import watched
from benchmarks._tables import Census, make_tables
from neuroncensus.report.browser import write_browser

FULL = Census(layers=64, neurons=36_864, vocabulary=50_265)
QUICK = Census(layers=4, neurons=128, vocabulary=300, window=64)
HEAD = "document.querySelector('main:not([aria-busy]) h1')"
# What is opened, and what stands there when it is.
VIEWS = {
    "first view: map of all neurons": ("", f"{HEAD} && document.querySelectorAll('.band canvas').length", "2 s"),
    "a layer, from the map": ("#/list?layer={layer}", "document.querySelector('table')", "1 s"),
    "a neuron of another layer": ("#/neuron/{other}/77", f"{HEAD}.textContent.includes('neuron 77')", "1 s"),
    "all neurons by frequency, all layers": ("#/list?sort=-frequency&state=0", "document.querySelector('table')", ""),
    "search of detected n-grams, all layers": ("#/search?q=the", "document.querySelector('h2')", ""),
    "search of promoted tokens, all layers": ("#/search?q=17&in=writes&how=exactly", "document.querySelector('h2')", ""),
}


def _write(files: dict[str, Path], tokenizer: Path, out: Path) -> float:
    """Seconds."""
    start = time.perf_counter()
    write_browser(files, tokenizer, out)
    return time.perf_counter() - start


def _look(program: str, page: Path, address: str, condition: str) -> float:
    """Seconds from an address to what it shows; if it is not the first view, from the map that is there already."""
    with Chromium(program) as browser:
        start = time.perf_counter()
        browser.open(page.as_uri())
        browser.wait(VIEWS["first view: map of all neurons"][1], 60)
        if address:
            start = time.perf_counter()
            browser.run(f"(document.querySelector('h1').remove(), location.hash = '{address}')")
            browser.wait(f"{HEAD} && {condition}", 120)
        return time.perf_counter() - start


def rows(options: Options) -> Iterator[Row]:
    """Writing, size, and what is seen."""
    census, page = QUICK if options.quick else FULL, options.folder / "browser" / "index.html"
    files = make_tables(options.folder / "tables", census)
    write_tokenizer(options.folder / "tokenizer", census.vocabulary)
    written = watched(_write, files, options.folder / "tokenizer", page)
    yield Row("writing the page", written.result, "", unit="s", note=f"peak {written.peak / 1e9:.2f} GB")
    sizes = [file.stat().st_size for file in page.parent.rglob("*") if file.is_file()]
    note = f"{len(sizes)} files, the largest {max(sizes) / 1e6:.2f} MB"
    yield Row("size of the folder", sum(sizes) / 1e6, "1,000 MB", unit="MB", note=note)
    program = find_chromium()
    for case, (address, condition, target) in VIEWS.items():
        if program is None:
            yield Row(case, None, target, note="needs Debian's package chromium")
            continue
        there = address.format(layer=census.layers // 4, other=census.layers // 3)
        seconds = [_look(program, page, there, condition) for _ in range(options.repeats)]
        yield Row(case, min(seconds), target, {"ours": seconds}, unit="s")


if __name__ == "__main__":
    main(rows)
