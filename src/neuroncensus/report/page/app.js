"use strict";
// Shows the view that the address names.
(() => {
  const { el } = Census;
  let shown = 0;
  let before = null;

  Census.heading = (text) => el("h1", { tabindex: -1 }, text);

  function missing(text) {
    return [Census.heading("Nothing here"), Census.empty(text, " ", el("a", { href: "#/map" }, "Go to the map"), ".")];
  }
  Census.missing = missing;

  function markLink(view) {
    for (const link of document.querySelectorAll("header nav a")) {
      const current = link.getAttribute("href") === `#/${view === "neuron" ? "list" : view}`;
      if (current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  async function show() {
    const route = Census.route();
    const number = ++shown;
    const main = document.getElementById("main");
    const current = () => number === shown;
    const waiting = setTimeout(() => current() && main.setAttribute("aria-busy", "true"), 150);
    let content;
    try {
      const view = Object.hasOwn(Census.views, route.view) ? Census.views[route.view] : null;
      content = view ? await view(route, current) : missing("This page has no such view.");
    } catch (error) {
      content = [Census.heading("This cannot be shown"), Census.empty(error.message)];
    }
    clearTimeout(waiting);
    if (!current()) return;
    main.removeAttribute("aria-busy");
    const place = `${route.view}/${route.parts.join("/")}`;
    const focused = place === before ? document.activeElement?.getAttribute("data-key") : null;
    main.replaceChildren(...content);
    markLink(route.view);
    document.title = `${main.querySelector("h1").textContent} · ${Census.model.told.model}`;
    // A change within a view keeps the place and the focus; a new view begins at its heading.
    if (focused) main.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    else if (before !== null && place !== before) {
      window.scrollTo(0, 0);
      main.querySelector("h1").focus();
    }
    before = place;
    window.dispatchEvent(new Event("viewshown"));
  }

  Census.views.about = async () => {
    const { told, domains, layers, has } = Census.model;
    const neurons = layers.reduce((sum, layer) => sum + layer.neurons, 0);
    const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
    const counted = [
      ["N-grams", has.coverage ? `n = ${Census.model.n.join(", ")}, in the first ${told.coverage.layers_covered} layers` : "not counted"],
      ["What neurons write", has.updates ? `the ${told.updates.top} most promoted and suppressed tokens` : "not counted"],
      ["Position", has.positional ? `full windows of ${told.window} positions` : "not counted: the corpus has no full windows to look at"],
      ["Zeroed detectors", has.ablation ? "a sample, each at a few of its triggers" : "not counted"],
    ];
    return [
      Census.heading(`About this census of ${told.model}`),
      el("dl", { class: "facts" },
        fact("Model", Census.token(String(told.source ?? told.model))), fact("Revision", told.revision ?? "–"),
        fact("Neurons", `${Census.int(neurons)} in ${layers.length} layers`), fact("Corpus", told.corpus),
        fact("Positions", `${Census.int(told.tokens)}, of which core ${Census.int(told.tokens_core)}`), fact("Windows", `${Census.int(told.windows)} of at most ${told.window} positions`),
        fact("Computed in", told.dtype), counted.map(([name, value]) => fact(name, value))),
      el("h2", {}, "Text"),
      domains.length
        ? Census.table("Text by part and domain", [["part", ""], ["domain", ""], ["positions", "right"], ["documents", "right"]],
          domains.map((domain) => [domain.part, domain.domain, Census.int(domain.tokens), Census.int(domain.documents)]))
        : Census.empty("Not counted by domain."),
      el("h2", {}, "Exact numbers"),
      el("p", {}, "Counts on these pages are exact. Other numbers are rounded for display: to four digits, curves over positions to a thousandth and averaged over neighbouring positions. The tables beside this folder, ",
        el("code", {}, "*.parquet"), ", hold them in full. Spaces in tokens are shown as ␣, line ends as ⏎, bytes of no whole character as ", el("code", {}, "<0xE2>"), "."),
      el("p", {}, "The address of every page holds what it shows: copy it to share it with whoever has this folder."),
    ];
  };

  async function start() {
    Census.startTheme();
    document.getElementById("skip").addEventListener("click", (event) => {
      event.preventDefault();
      document.getElementById("main").focus();
    });
    const main = document.getElementById("main");
    if (typeof DecompressionStream === "undefined") {
      main.replaceChildren(Census.empty("This browser is too old for this page: use one of 2023 or later."));
      return;
    }
    try {
      Census.model = await Census.json("model");
    } catch (error) {
      main.replaceChildren(Census.empty(error.message));
      return;
    }
    const { told, layers } = Census.model;
    const neurons = layers.reduce((sum, layer) => sum + layer.neurons, 0);
    document.getElementById("model").textContent = told.model;
    document.getElementById("size").textContent = `${Census.int(neurons)} neuron${neurons === 1 ? "" : "s"}`;
    window.addEventListener("hashchange", show);
    await show();
  }
  start();
})();
