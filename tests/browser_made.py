"""Pages of made-up censuses, texts that mean harm, and what stands in the files of a page."""

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models

from benchmarks._tables import Census, make_tables
from neuroncensus.report.browser import write_browser

HOSTILE = (
    "</script><script>window.harmed = 1</script>",
    "<img src=x onerror='window.harmed = 1'>",
    "\"'`);window.harmed=1;//",
    "${window.harmed = 1}",
    "שלום עולם",
    "\u202egnp.exe\u2066",
    "\u2028\u2029\x00\x1b[31m\r\n",
    "\u0301combining",
    "long " * 2000,
    "&lt;b&gt;",
    "\ud7ff\ue000\uffff",
)
SMALL = Census(layers=4, neurons=40, vocabulary=30, window=16, detectors=0.2, positional=0.2, ngrams=len(HOSTILE), texts=HOSTILE)


def make_tokenizer(folder: Path, size: int = SMALL.vocabulary) -> Path:
    """A tokenizer whose first tokens are hostile texts."""
    folder.mkdir()
    words = [*HOSTILE, *(f"word{number}" for number in range(size - len(HOSTILE)))]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="word0"))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def make_page(folder: Path, census: Census = SMALL) -> tuple[dict[str, Path], Path]:
    """The tables by name, and index.html."""
    files, page = make_tables(folder / "tables", census), folder / "browser" / "index.html"
    write_browser(files, make_tokenizer(folder / "tokenizer"), page)
    return files, page


def raw(page: Path, name: str) -> bytes:
    """The bytes of a file of data, by the form that the page's scripts rely on."""
    content = (page.parent / "data" / f"{name}.js").read_bytes()
    found = re.fullmatch(rb'Census\.take\("([a-z0-9_/-]+)","([A-Za-z0-9+/=]*)"\);\n', content)
    assert found and found[1].decode() == name
    return zlib.decompress(base64.b64decode(found[2]))


def told(page: Path, name: str) -> Any:
    """What a file of JSON says."""
    return json.loads(raw(page, name))
