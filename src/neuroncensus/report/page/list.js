"use strict";
// Neurons in a table, filtered and sorted; of one layer, or of all, a layer after the other.
(() => {
  const { el } = Census;
  const PAGE = 50;

  const sortable = () => {
    const by_n = Census.model.n.map((n) => [`covering_${n}`, `covering ${Census.grams(n)}`]);
    const fixed = [["neuron", "neuron"], ["frequency", "active at"], ["documents_active", "documents"], ...by_n];
    return [...fixed, ["mutual_information", "information on position"], ["norm", "norm of update"], ["kurtosis", "kurtosis"]];
  };

  function asked(query) {
    const { groups, layers } = Census.model;
    const share = (name) => (query.get(name) && Number(query.get(name)) >= 0 ? Number(query.get(name)) : null);
    const sets = Object.entries(groups).map(([name, labels]) => [name, Census.codes(query.get(name), labels.length)]);
    const names = sortable().map(([name]) => name);
    const [, down, by] = (query.get("sort") ?? "").match(/^(-?)(\w+)$/) ?? [];
    return {
      layer: Census.whole(query.get("layer"), layers.length),
      filters: sets.filter(([, codes]) => codes.size),
      least: share("min"),
      most: share("max"),
      by: names.includes(by) ? by : "neuron",
      down: down === "-",
      page: Math.max(1, Census.whole(query.get("page"), 1e7) ?? 1),
    };
  }

  // Places of the neurons of a layer that are asked for, and the values that they are sorted by.
  function matching(table, { filters, least, most }) {
    const found = [];
    for (let place = 0; place < table.neuron.length; place++) {
      const frequency = table.frequency[place];
      if ((least !== null && !(frequency >= least)) || (most !== null && !(frequency <= most))) continue;
      if (filters.every(([name, codes]) => codes.has(table[name][place]))) found.push(place);
    }
    return found;
  }

  // What is missing comes last, whichever way it is sorted.
  function compare(wanted) {
    const sign = wanted.down ? -1 : 1;
    return (a, b) => {
      if ((a.key === null) !== (b.key === null)) return a.key === null ? 1 : -1;
      return sign * (a.key - b.key) || sign * (a.layer - b.layer) || sign * (a.row.neuron - b.row.neuron);
    };
  }

  // The first rows in the order that is asked, `count` of them, and how many there are in all.
  async function gather(wanted, count, current) {
    const layers = wanted.layer === null ? Census.model.layers.keys() : [wanted.layer];
    const order = compare(wanted);
    let best = [];
    let total = 0;
    for (const layer of layers) {
      if (!current()) return null;
      if (wanted.layer === null && Census.model.layers.length > 8) Census.progress(layer, Census.model.layers.length);
      const table = await Census.layerFile(layer, "neurons");
      // The next one is read while this one is looked through.
      if (wanted.layer === null && layer + 1 < Census.model.layers.length) Census.layerFile(layer + 1, "neurons");
      const places = matching(table, wanted);
      total += places.length;
      const first = wanted.by === "neuron" && !wanted.down;
      const keyOf = (place) => (wanted.by === "neuron" ? layer : table[wanted.by][place]);
      const last = best.length === count ? best.at(-1).key : null;
      const behind = (key) => last !== null && (key === null || (wanted.down ? key < last : key > last));
      const some = first ? places.slice(0, Math.max(0, count - best.length)) : places.filter((place) => !behind(keyOf(place)));
      const fresh = some.map((place) => ({ layer, key: keyOf(place), place, row: { neuron: table.neuron[place] } }));
      if (first) best.push(...fresh);
      else best = [...best, ...fresh].sort(order).slice(0, count);
      for (const one of best) if (one.layer === layer) one.row = Object.fromEntries(Object.keys(table).map((name) => [name, table[name][one.place]]));
    }
    return { best, total };
  }

  function form(wanted, query) {
    const { groups, layers } = Census.model;
    const change = (name, value) => {
      const next = Object.fromEntries(query);
      delete next.page;
      Census.go(["list"], { ...next, [name]: value });
    };
    const field = (name, title, options, chosen) => {
      const select = el("select", { "data-key": `filter-${name}`, change: (event) => change(name, event.target.value) },
        options.map(([value, label]) => el("option", { value, selected: String(value) === chosen }, label)));
      return el("label", {}, el("span", {}, title), select);
    };
    const of_group = ([name, labels]) => {
      const codes = query.get(name) ?? "";
      const several = codes.includes(".") ? [[codes, "several"]] : [];
      return field(name, Census.titles(name), [["", "any"], ...several, ...labels.map((label, code) => [code, label])], codes);
    };
    const share = (name, title, value) => el("label", {}, el("span", {}, title),
      el("input", { type: "number", min: 0, max: 100, step: "any", placeholder: name === "min" ? "0" : "100", value: value === null ? "" : Number((100 * value).toPrecision(6)), "data-key": `filter-${name}`, change: (event) => change(name, event.target.value === "" ? "" : Number(event.target.value) / 100) }));
    return el("form", { class: "filters", "aria-label": "Filter", submit: (event) => event.preventDefault() },
      field("layer", "Layer", [["", "all"], ...layers.map((_, layer) => [layer, layer])], String(wanted.layer ?? "")),
      Object.entries(groups).map(of_group), share("min", "Active at least, %", wanted.least), share("max", "Active at most, %", wanted.most));
  }

  function head(name, title, wanted, query, kind) {
    const on = wanted.by === name;
    const next = on && !wanted.down ? `-${name}` : on || name === "neuron" ? name : `-${name}`;
    const order = { ...Object.fromEntries(query), sort: next, page: "" };
    const link = el("a", { href: Census.link(["list"], order), "data-key": `sort-${name}` }, title, el("span", { "aria-hidden": "true" }, on ? (wanted.down ? " ↓" : " ↑") : ""));
    return el("th", { scope: "col", class: kind, "aria-sort": on ? (wanted.down ? "descending" : "ascending") : null }, link);
  }

  function cells({ layer, row }) {
    const { groups, n } = Census.model;
    const detects = n.map((size) => (row[`detected_${size}`] ? `${row[`detected_${size}`]} ${Census.grams(size, row[`detected_${size}`])}` : null)).filter(Boolean);
    const state = el("span", { class: `state state-${row.state}` }, groups.state[row.state]);
    const type = row.type > 1 ? groups.type[row.type] : row.type === 1 ? "" : "–";
    return [
      ["", Census.neuronLink(layer, row.neuron)], ["", state], ["", el("span", { class: "nowrap" }, Census.bar(row.frequency), Census.percent(row.frequency))], ["right", Census.int(row.documents_active)],
      ...n.map((size) => ["right", row[`class_${size}`] === 0 ? "–" : row[`covering_${size}`] === null ? groups[`class_${size}`][row[`class_${size}`]] : Census.int(row[`covering_${size}`])]),
      ["nowrap", detects.join(", ")], ["", type], ["right", Census.number(row.mutual_information)], ["right", Census.number(row.norm)], ["right", Census.number(row.kurtosis)],
    ];
  }

  function pages(wanted, total, query) {
    const last = Math.max(1, Math.ceil(total / PAGE));
    const to = (page, label) => (page < 1 || page > last ? el("span", { class: "quiet" }, label)
      : el("a", { href: Census.link(["list"], { ...Object.fromEntries(query), page }), "data-key": label }, label));
    return el("nav", { class: "pages", "aria-label": "Pages" }, to(wanted.page - 1, "Previous"), ` Page ${Census.int(wanted.page)} of ${Census.int(last)} `, to(wanted.page + 1, "Next"));
  }

  Census.views.list = async ({ query }, current) => {
    const wanted = asked(query);
    const found = await gather(wanted, wanted.page * PAGE, current);
    if (!found) return [];
    const rows = found.best.slice((wanted.page - 1) * PAGE);
    const heads = sortable().map(([name, title]) => [name, title, ["neuron", "frequency"].includes(name) ? "" : "right"]);
    const plain = (title) => el("th", { scope: "col" }, title);
    const sorted = heads.map(([name, title, kind]) => head(name, title, wanted, query, kind));
    const [own, frequency, documents] = sorted;
    const middle = sorted.slice(3, -3);
    const what = wanted.layer === null ? "all layers" : `layer ${wanted.layer}`;
    const caption = `${Census.int(found.total)} neuron${found.total === 1 ? "" : "s"} of ${what}`;
    Census.say(caption);
    const table = el("table", {}, el("caption", { class: "hidden" }, caption),
      el("thead", {}, el("tr", {}, own, plain("state"), frequency, documents, middle, plain("detects"), plain("position"), sorted.slice(-3))),
      el("tbody", {}, rows.map((one) => el("tr", {}, cells(one).map(([kind, content]) => el("td", { class: kind }, content))))));
    return [
      Census.heading("Neurons"),
      form(wanted, query),
      el("p", { class: "count" }, caption, query.size ? el("span", {}, " · ", el("a", { href: "#/list" }, "Clear filters")) : null),
      rows.length ? el("div", { class: "scroll wide", tabindex: 0, role: "group", "aria-label": caption }, table) : Census.empty("No neuron is like this. Take a filter away."),
      found.total > PAGE ? pages(wanted, found.total, query) : null,
    ].filter(Boolean);
  };

  Census.progress = (done, all) => {
    const main = document.getElementById("main");
    let bar = main.querySelector("progress");
    if (!bar) {
      bar = el("progress", { "aria-label": "Layers looked through" });
      main.prepend(bar);
    }
    bar.max = all;
    bar.value = done;
  };
})();
