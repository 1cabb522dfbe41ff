"""The page of `browser/index.html`: HTML, styles and scripts, the same for every model, beside this file.

Plain scripts in the order of `SCRIPTS`, no modules: a browser loads no module from disk. They add to one object, `Census`.
"""

from importlib.resources import files
from pathlib import Path

INDEX = "index.html"
STYLE = "style.css"
SCRIPTS = ("load.js", "text.js", "state.js", "charts.js", "map.js", "list.js", "sections.js", "neuron.js", "search.js", "app.js")


def copy_page(folder: Path) -> str:
    """Copy styles and scripts into a folder.

    Returns:
        The text of index.html, which names them.
    """
    own = files(__name__)
    for name in (STYLE, *SCRIPTS):
        (folder / name).write_bytes(own.joinpath(name).read_bytes())
    return own.joinpath(INDEX).read_text(encoding="utf-8")
