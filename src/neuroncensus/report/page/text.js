"use strict";
// Text from corpora and tokenizers is hostile: it becomes text nodes and nothing else, each isolated, what has no shape spelled out.
(() => {
  const SHAPELESS = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
  const LONGEST = 120; // characters of a text that is shown in a row

  Census.shown = (text) => {
    const spelled = text.replace(SHAPELESS, (character) => {
      return `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
    });
    return /^\p{M}/u.test(spelled) ? `◌${spelled}` : spelled;
  };

  // An element with properties and children; strings become text.
  Census.el = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (value === undefined || value === null || value === false) continue;
      if (name === "class") element.className = value;
      else if (typeof value === "function") element.addEventListener(name, value);
      else element.setAttribute(name, value === true ? "" : String(value));
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  };
  const { el } = Census;

  // A text of the corpus or of the tokenizer, whole or cut.
  Census.token = (text, whole = false) => {
    const letters = Array.from(text);
    const cut = !whole && letters.length > LONGEST;
    const token = el("bdi", { class: "token" }, Census.shown(cut ? letters.slice(0, LONGEST).join("") : text));
    return cut ? el("span", {}, token, el("span", { class: "quiet" }, ` … ${Census.int(letters.length)} characters`)) : token;
  };

  // To so many digits, and to the unit at least.
  function significant(value, digits) {
    const places = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
    return value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  }

  const whole = new Intl.NumberFormat("en-US");
  Census.int = (value) => (value === null || value === undefined ? "–" : whole.format(value));

  Census.number = (value, digits = 3) => {
    if (value === null || value === undefined) return "–";
    if (value === 0) return "0";
    const size = Math.abs(value);
    const text = size >= 1e6 || size < 1e-3 ? value.toExponential(digits - 1) : significant(value, digits);
    return text.replace("-", "−").replace("e+", "e");
  };

  Census.percent = (share, digits = 3) => {
    if (share === null || share === undefined) return "–";
    if (share === 0) return "0%";
    const percent = 100 * share;
    return percent < 1e-4 ? `${percent.toExponential(1)}%` : `${significant(percent, digits)}%`;
  };

  Census.grams = (n, count = 2) => ({ 1: "token", 2: "bigram", 3: "trigram" }[n] ?? `${n}-gram`) + (count === 1 ? "" : "s");

  Census.yes = (value) => (value === null || value === undefined ? "–" : value ? "yes" : "no");

  Census.empty = (...text) => el("p", { class: "empty" }, ...text);

  // A table: `heads` are [name, class] pairs, rows lists of cells.
  Census.table = (caption, heads, rows) => {
    const cell = (content, place) => el("td", { class: heads[place][1] }, content);
    const table = el(
      "table",
      {},
      el("caption", { class: "hidden" }, caption),
      el("thead", {}, el("tr", {}, heads.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)))),
      el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map(cell)))),
    );
    return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption }, table);
  };

  Census.bar = (share, kind = "") => {
    const bar = el("span", { class: `bar ${kind}`, "aria-hidden": "true" }, el("span"));
    bar.firstChild.style.inlineSize = `${Math.min(100, 100 * Math.max(share, share > 0 ? 0.006 : 0))}%`;
    return bar;
  };

  Census.neuronLink = (layer, neuron) => el("a", { href: Census.link(["neuron", layer, neuron]) }, `${layer}.${neuron}`);

  Census.say = (text) => {
    document.getElementById("status").textContent = text;
  };
})();
