"use strict";
// Search by text: in the n-grams that neurons detect, or in the tokens that they promote and suppress; a layer after the other.
(() => {
  const { el, int, percent } = Census;
  const MOST = 100; // rows that are shown of each kind

  // Whether a text is what was asked for. Tokens show spaces as ␣, so a space in the question is one.
  function matcher(question, exactly) {
    const wanted = question.replaceAll(" ", "␣");
    if (exactly) return (text) => text === wanted || text === question;
    const small = wanted.toLowerCase();
    return (text) => text.toLowerCase().includes(small);
  }

  async function throughLayers(current, look) {
    const { layers } = Census.model;
    for (const layer of layers.keys()) {
      if (!current()) return false;
      if (layers.length > 8) Census.progress(layer, layers.length);
      await look(layer, layer + 1 < layers.length ? layer + 1 : layer);
    }
    return current();
  }

  async function detecting(matches, current) {
    const found = [];
    let total = 0;
    const look = async (layer) => {
      if (!Census.model.layers[layer].ngrams) return;
      const table = await Census.layerFile(layer, "ngrams");
      for (let place = 0; place < table.text.length; place++) {
        if (!matches(table.text[place])) continue;
        total += 1;
        if (found.length < MOST) found.push([layer, Object.fromEntries(Object.keys(table).map((name) => [name, table[name][place]]))]);
      }
    };
    if (!(await throughLayers(current, look))) return null;
    const rows = found.map(([layer, one]) => [Census.neuronLink(layer, one.neuron), one.n, Census.token(one.text), el("span", { class: "nowrap" }, Census.bar(one.activations / one.occurrences), percent(one.activations / one.occurrences)), int(one.occurrences)]);
    const heads = [["neuron", ""], ["n", ""], ["detects", ""], ["active at", "bars"], ["occurrences", "right"]];
    return [section("Detected n-grams", total, rows, heads, "No neuron detects an n-gram with this text.")];
  }

  // Ids of the vocabulary that match, and by rank the neurons that have them among their first.
  async function writing(matches, current) {
    const read = await Census.vocabulary();
    const wanted = new Set([...Census.tokens.keys()].filter((id) => matches(Census.tokens.get(id))));
    const found = { promoted: [], suppressed: [] };
    const totals = { promoted: 0, suppressed: 0 };
    if (!wanted.size) return [Census.empty("No token of the vocabulary has this text. A space is part of a token: “ the” and “the” are two.")];
    const asked = new Uint8Array([...wanted].reduce((most, id) => Math.max(most, id)) + 1);
    for (const id of wanted) asked[id] = 1;
    const look = async (layer, next) => {
      const { ids, half, top } = await Census.writes(layer);
      Census.writes(next); // read while this one is looked through
      for (const [name, start] of [["promoted", 0], ["suppressed", half]]) {
        for (let place = 0; place < half; place++) {
          const id = ids[start + place];
          if (!asked[id]) continue;
          totals[name] += 1;
          found[name].push([place % top, layer, Math.floor(place / top), id]);
        }
        found[name] = found[name].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]).slice(0, MOST);
      }
    };
    if (!(await throughLayers(current, look))) return null;
    const rows = (name) => found[name].map(([rank, layer, neuron, id]) => [Census.neuronLink(layer, neuron), Census.token(read(id)), int(rank + 1)]);
    const heads = [["neuron", ""], ["token", ""], ["rank", "right"]];
    const half = (name, title) => section(title, totals[name], rows(name), heads, "None.");
    return [
      el("p", { class: "quiet" }, `${int(wanted.size)} token${wanted.size === 1 ? "" : "s"} of the vocabulary match.`),
      el("div", { class: "halves" }, half("promoted", "Promoted"), half("suppressed", "Suppressed")),
    ];
  }

  function section(title, total, rows, heads, nothing) {
    const cut = total > rows.length ? `, the first ${rows.length}` : "";
    Census.say(`${title}: ${int(total)} found`);
    return el("section", {}, el("h2", {}, `${title}: ${int(total)}${cut}`), rows.length ? Census.table(title, heads, rows) : Census.empty(nothing));
  }

  function form(question, place, exactly) {
    const text = el("input", { type: "search", id: "question", value: question, "data-key": "question", autocomplete: "off", spellcheck: "false", placeholder: "a token, or words" });
    const option = (value, label, chosen) => el("option", { value, selected: chosen }, label);
    const where = el("select", { "data-key": "in" }, option("detects", "n-grams that neurons detect", place === "detects"), option("writes", "tokens that neurons write", place === "writes"));
    const how = el("select", { "data-key": "how" }, option("", "contains it", !exactly), option("exactly", "is exactly it", exactly));
    const submit = (event) => {
      event.preventDefault();
      Census.go(["search"], { q: text.value, in: where.value === "detects" ? "" : where.value, how: how.value });
    };
    return el("form", { class: "filters search", role: "search", submit },
      el("label", { class: "grow" }, el("span", {}, "Text"), text), el("label", {}, el("span", {}, "Look in"), where), el("label", {}, el("span", {}, "Token or n-gram"), how),
      el("button", { type: "submit", class: "primary" }, "Search"));
  }

  Census.views.search = async ({ query }, current) => {
    const question = query.get("q") ?? "";
    const place = query.get("in") === "writes" ? "writes" : "detects";
    const { has, n } = Census.model;
    const content = [Census.heading("Search"), form(question, place, query.get("how") === "exactly")];
    if (!question) return [...content, Census.empty("Search the n-grams that neurons detect, or the tokens that they promote and suppress most. Write a space where a token has one.")];
    if (place === "detects" && (!has.coverage || !n.length)) return [...content, Census.empty("Not counted: this census has no n-grams.")];
    if (place === "writes" && !has.updates) return [...content, Census.empty("Not counted: this census has no updates.")];
    const found = await (place === "writes" ? writing : detecting)(matcher(question, query.get("how") === "exactly"), current);
    return found ? [...content, ...found] : content;
  };
})();
