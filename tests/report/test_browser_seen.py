"""`browser/index.html` in headless Chromium, opened from disk: what is seen, by mouse and by keyboard, and that no text does harm."""

import os
import shutil
import subprocess

import pytest

from benchmarks._chromium import Chromium, find_chromium
from browser_made import HOSTILE, SMALL, make_page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HEADING = "document.querySelector('main:not([aria-busy]) h1').textContent"
ROLES = ("link", "button", "combobox", "searchbox", "spinbutton", "image", "table")
INSTALL = "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium"


@pytest.fixture(scope="module")
def program() -> str:
    """Chromium; skipped where it can neither be found nor installed."""
    found = find_chromium()
    if found is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            pytest.skip("looking at the browser's page needs Debian's package chromium, and root to install it")
        done = subprocess.run(["sh", "-c", INSTALL], capture_output=True, text=True, check=False, timeout=500)
        found = find_chromium()
        assert found is not None, done.stderr
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return make_page(tmp_path_factory.mktemp("päge with spaces"))[1]


@pytest.fixture(scope="module")
def tab(program, page):
    """The page, open; at the end it has said nothing, asked no network, and run no text."""
    with Chromium(program) as browser:
        browser.open(page.as_uri())
        browser.wait("document.querySelector('.band canvas')")
        yield browser
        assert not browser.errors
        assert {address.partition(":")[0] for address in browser.requests} <= {"file", "data"}
        assert browser.run("window.harmed === undefined")


def go(tab: Chromium, place: str, title: str) -> str:
    """Follow a link that was shared, and read what is there."""
    tab.run(f"location.hash = '{place}'")
    tab.wait(f"{HEADING} === '{title}'")
    return tab.run("document.querySelector('main').innerText")


def test_the_map_has_a_cell_for_every_neuron(tab):
    go(tab, "#/map", "All neurons")
    assert tab.run("[...document.querySelectorAll('.band canvas')].map((c) => c.width * c.height)") == [SMALL.neurons] * SMALL.layers
    said = tab.run("[...document.querySelectorAll('.legend button')].map((b) => b.innerText.replace(/\\s+/g, ' '))")
    numbers = [int(one.rsplit(" ", 1)[1]) for one in said]
    assert sum(numbers) == SMALL.layers * SMALL.neurons and said[0].startswith("active ")
    tab.run("document.querySelector('.legend button:nth-of-type(2)').click()")
    tab.wait("location.hash.includes('show=1') && document.querySelector('[aria-pressed=true]')")
    opaque = "[...document.querySelectorAll('.band canvas')].map((c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    tab.wait(f"{opaque}.filter((v, i) => i % 4 === 3 && v === 255).length).reduce((a, b) => a + b) === {numbers[1]}")


@pytest.mark.parametrize("by", ["class_2", "detector", "type", "level"])
def test_the_map_is_coloured_by_every_finding(tab, by):
    go(tab, f"#/map?by={by}", "All neurons")
    tab.wait(f"location.hash.includes('{by}') && document.querySelectorAll('.legend button').length > 1")
    assert tab.run("document.querySelectorAll('[aria-current=true]').length") == 1


def test_lists_are_filtered_and_sorted(tab):
    go(tab, "#/list?layer=1", "Neurons")
    tab.wait(f"document.querySelector('.count').textContent.includes('{SMALL.neurons} neurons of layer 1')")
    select = "document.querySelector('[data-key=filter-detector]')"
    tab.run(f"({select}.value = '2', {select}.dispatchEvent(new Event('change')))")
    tab.wait("location.hash.includes('detector=2')")
    tab.wait(f"Number(document.querySelector('.count').textContent.split(' ')[0]) < {SMALL.neurons}")
    assert tab.run("[...document.querySelectorAll('tbody tr')].every((row) => row.innerText.includes('tokens'))")
    go(tab, "#/list?sort=-frequency", "Neurons")
    tab.wait("document.querySelector('[aria-sort=descending]')")
    shares = tab.run("[...document.querySelectorAll('tbody tr td:nth-child(3)')].map((cell) => parseFloat(cell.innerText))")
    assert shares == sorted(shares, reverse=True) and len(shares) == 50


def test_a_neuron_has_every_section(tab):
    neuron = tab.run("Census.layerFile(1, 'neurons').then((t) => t.detector.indexOf(2))")
    said = go(tab, f"#/neuron/1/{neuron}", f"Layer 1, neuron {neuron}")
    assert f"Detected tokens: {SMALL.ngrams}" in said and "wikipedia" in said and "log-probability" in said
    assert "Promoted" in said and "Suppressed" in said and "Not counted" not in said
    positional = tab.run("Census.layerFile(3, 'neurons').then((t) => t.type.findIndex((code) => code > 1))")
    said = go(tab, f"#/neuron/3/{positional}", f"Layer 3, neuron {positional}")
    assert tab.run("document.querySelectorAll('svg polyline').length") == 4 and "all domains" in said
    assert "counted in the first 2 layers" in said or "the neuron is dead" in said


def test_texts_are_shown_and_do_nothing(tab):
    neuron = tab.run("Census.layerFile(1, 'neurons').then((t) => t.detector.indexOf(2))")
    go(tab, f"#/neuron/1/{neuron}", f"Layer 1, neuron {neuron}")
    shown = tab.run("[...document.querySelectorAll('bdi.token')].map((token) => token.textContent)")
    assert {HOSTILE[0], HOSTILE[1], HOSTILE[9]} <= set(shown)
    assert "⟨U+202E⟩gnp.exe⟨U+2066⟩" in shown and "⟨U+2028⟩⟨U+2029⟩⟨U+0000⟩⟨U+001B⟩[31m⟨U+000D⟩⟨U+000A⟩" in shown
    assert max(map(len, shown)) <= 400 and "characters" in tab.run("document.querySelector('main').innerText")
    assert tab.run("document.querySelectorAll('main img, main script').length") == 0
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")


def test_text_is_searched(tab):
    said = go(tab, "#/search?q=onerror", "Search")
    assert "Detected n-grams: " in said and HOSTILE[1] in said
    tab.run("(document.getElementById('question').value = 'word15', document.querySelector('[data-key=in]').value = 'writes')")
    tab.run("document.querySelector('form').requestSubmit()")
    tab.wait("location.hash.includes('q=word15') && document.querySelectorAll('h2').length === 2")
    assert tab.run("[...document.querySelectorAll('tbody bdi')].every((token) => token.textContent === 'word15')")
    assert "No neuron detects" in go(tab, "#/search?q=%3Cscript%3Enowhere", "Search")


def test_the_theme_is_toggled_and_kept(tab):
    before = tab.run("getComputedStyle(document.body).backgroundColor")
    tab.run("document.getElementById('theme').click()")
    assert tab.run("getComputedStyle(document.body).backgroundColor") != before
    assert tab.run("localStorage.getItem('neuroncensus-theme')") == "dark"
    tab.run("document.getElementById('theme').click()")
    assert tab.run("getComputedStyle(document.body).backgroundColor") == before


def test_the_keyboard_is_enough(tab, page):
    tab.open(f"{page.as_uri()}?again#/map")
    tab.wait("location.search && document.querySelector('.map')")
    seen = []
    for _ in range(40):
        tab.press("Tab", 9)
        seen.append(tab.run("document.activeElement.id || document.activeElement.className || document.activeElement.textContent"))
        if seen[-1] == "map":
            break
    assert seen[-1] == "map" and {"Map", "Search", "theme", "chip"} <= set(seen)
    for key, code in (("ArrowRight", 39), ("ArrowRight", 39), ("ArrowDown", 40), ("ArrowLeft", 37)):
        tab.press(key, code)
    assert tab.run("document.querySelector('.reading').textContent").startswith("1.0 Layer 1, neuron 0: ")
    tab.press("Enter", 13, "\r")
    tab.wait(f"{HEADING} === 'Layer 1, neuron 0'")
    assert tab.run("document.activeElement.tagName") == "H1"
    tab.run("history.back()")
    tab.wait(f"{HEADING} === 'All neurons'")


@pytest.mark.parametrize("place", ["#/neuron/99/0", "#/neuron/0/40", "#/neuron/-1/x", "#/<b>", "#/constructor", "#/map/../.."])
def test_a_wrong_link_says_so(tab, place):
    tab.run(f"location.hash = '{place}'")
    tab.wait("['Nothing here', 'All neurons'].includes(" + HEADING + ")")


def test_every_control_and_picture_has_a_name(tab):
    places = ("#/map", "#/list", "#/neuron/3/1", "#/search?q=a", "#/about")
    for place in places:
        tab.run(f"location.hash = '{place}'")
        tab.wait(f"location.hash === '{place}' && document.querySelector('main:not([aria-busy]) h1')")
        tree = tab.ask("Accessibility.getFullAXTree")["nodes"]
        named = [
            one for one in tree if one.get("role", {}).get("value") in ("link", "button", "combobox", "searchbox", "spinbutton", "image")
        ]
        assert len(named) > 5 and all(one.get("name", {}).get("value", "").strip() for one in named if not one["ignored"])
