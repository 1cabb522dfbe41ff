"use strict";
// The page of a neuron: what every finding has of it.
(() => {
  const { el } = Census;

  // The rows of a table that are of one neuron, as objects.
  Census.rowsOf = (table, neuron) => {
    const names = Object.keys(table);
    const found = [];
    for (let place = table.neuron.indexOf(neuron); place >= 0; place = table.neuron.indexOf(neuron, place + 1)) {
      found.push(Object.fromEntries(names.map((name) => [name, table[name][place]])));
    }
    return found;
  };

  function badges(row) {
    const { n, groups, has } = Census.model;
    const state = row.dead ? (row.provably_dead ? 2 : 1) : row.bos_only ? 3 : 0;
    const found = [[`state state-${state}`, groups.state[state]]];
    for (const size of n) if (row[`detector_${size}`]) found.push(["badge", `detects ${Census.grams(size)}`]);
    if (has.positional && row.positional) found.push(["badge", `positional: ${row.type}${row.strong ? ", strong" : ""}`]);
    return el("p", { class: "badges" }, found.map(([kind, text]) => el("span", { class: kind }, text)));
  }

  function steps(layer, neuron, size) {
    const { layers } = Census.model;
    const to = (l, i, label) => (l >= 0 && l < layers.length && i >= 0 && i < layers[l].neurons
      ? el("a", { href: Census.link(["neuron", l, i]), "data-key": label }, label) : el("span", { class: "quiet" }, label));
    const copy = el("button", { type: "button", class: "chip", "data-key": "copy", click: async () => {
      try {
        await navigator.clipboard.writeText(location.href);
        Census.say("Link copied");
        copy.textContent = "Link copied";
      } catch {
        Census.say("Copy the link from the address bar");
        copy.textContent = "Copy it from the address bar";
      }
    } }, "Copy link");
    return el("nav", { class: "pages", "aria-label": "Other neurons" },
      to(layer, neuron - 1, "← Neuron before"), to(layer, neuron + 1, "Next neuron →"), to(layer - 1, Math.min(neuron, size - 1), "↑ Layer before"), to(layer + 1, neuron, "↓ Next layer"),
      el("a", { href: Census.link(["list"], { layer }) }, `All of layer ${layer}`), copy);
  }

  Census.views.neuron = async ({ parts }) => {
    const layer = Census.whole(parts[0], Census.model.layers.length);
    const size = layer === null ? 0 : Census.model.layers[layer].neurons;
    const neuron = Census.whole(parts[1], size);
    if (neuron === null) return Census.missing(layer === null ? `This model has ${Census.model.layers.length} layers, counted from 0.` : `Layer ${layer} has ${Census.int(size)} neurons, counted from 0.`);
    const [chunk, ngrams, writes, read] = await Promise.all([
      Census.layerFile(layer, Math.floor(neuron / Census.model.chunk)), Census.layerFile(layer, "ngrams"), Census.writes(layer), Census.vocabulary()]);
    const [row] = Census.rowsOf(chunk.neurons, neuron);
    const of = (table) => Census.rowsOf(table, neuron);
    const { sections } = Census;
    const section = (title, ...content) => el("section", {}, el("h2", {}, title), content.flat());
    return [
      Census.heading(`Layer ${layer}, neuron ${neuron}`),
      badges(row),
      steps(layer, neuron, size),
      section("How often it is active", sections.activity(row, of(chunk.domains)[0])),
      section("N-grams", sections.ngrams(row, of(ngrams))),
      section("Position", sections.position(row, of(chunk.profiles))),
      section("What it writes", sections.writes(row, writes, of(chunk.logits)[0], read)),
      section("Zeroed at its triggers", sections.ablation(row, of(chunk.ablation), read)),
      el("p", { class: "quiet" }, "Counts are exact; other numbers are rounded. The exact ones stand in ", el("code", {}, "neurons.parquet"), " and the tables beside it."),
    ];
  };
})();
