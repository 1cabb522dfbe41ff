"use strict";
// All neurons, a cell each: a band a layer, coloured by one finding.
(() => {
  const { el } = Census;
  const [LEAST_BAND, MOST_BAND, ALL_BANDS, LARGEST] = [36, 96, 640, 12]; // pixels: height of a band, of all together, side of a cell
  const FADED = 28; // of 255: opacity of what is not picked out
  const LEAST = -6; // log10 of the frequency of level 1
  const DECADES = ["never", "below 0.001%", "0.001 to 0.01%", "0.01 to 0.1%", "0.1 to 1%", "1 to 10%", "over 10%"];
  const NOTABLE = { state: [1, 2], type: [2, 3, 4, 5], level: [0] };
  const WORDS = { state: "dead", type: "positional", level: "never active", detector: "detectors" };

  // What a map shows: names of its groups, the group of a byte, and the colour of a byte as [r, g, b].
  function scheme(name) {
    const groups = Census.model.groups[name];
    if (name === "level") {
      const log = (level) => LEAST - (LEAST * (level - 1)) / 254;
      const group = (level) => (level ? Math.min(6, Math.max(1, 7 + Math.floor(log(level) + 1e-9))) : 0);
      return { names: DECADES, group, colour: (level) => (level ? Census.ramp((level - 1) / 254) : Census.rgb("none")), swatch: (code) => (code ? Census.ramp((code - 0.5) / 6) : Census.rgb("none")) };
    }
    const colour = (code) => {
      if (name !== "state" && code === 0) return Census.rgb("blank");
      if (!name.startsWith("class_")) return Census.rgb(`${name}-${name === "detector" ? Math.min(code, 7) : code}`);
      return code === groups.length - 1 ? Census.rgb("none") : Census.ramp(1 - (code - 1) / (groups.length - 3 || 1));
    };
    return { names: groups, group: (code) => code, colour, swatch: colour };
  }
  Census.scheme = scheme;

  const notable = (name) => NOTABLE[name] ?? (name === "detector" ? Census.model.groups.detector.map((_, code) => code).slice(2) : [1]);

  function palette({ group, colour }, picked) {
    const colours = new Uint32Array(256);
    const bytes = new Uint8Array(colours.buffer);
    for (let value = 0; value < 256; value++) {
      const faded = picked.size && !picked.has(group(value));
      bytes.set([...safely(colour, value), faded ? FADED : 255], 4 * value);
    }
    return colours;
  }

  // Bytes that no neuron has have no colour.
  const safely = (colour, value) => colour(value).map((channel) => (Number.isNaN(channel) ? 0 : channel));

  function draw(canvas, values, colours) {
    const image = canvas.getContext("2d").createImageData(canvas.width, canvas.height);
    const cells = new Uint32Array(image.data.buffer);
    for (let place = 0; place < values.length; place++) cells[place] = colours[values[place]];
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  function legend(name, { names, swatch }, counts, picked, query) {
    const item = (label, code) => {
      const on = picked.has(code);
      const others = [...picked].filter((other) => other !== code);
      const show = (on ? others : [...picked, code]).sort((a, b) => a - b).join(".");
      const mark = el("span", { class: "swatch", "aria-hidden": "true" });
      mark.style.backgroundColor = `rgb(${swatch(code).join(" ")})`;
      const toggle = () => Census.go(["map"], { by: query.get("by"), show });
      return el("button", { type: "button", class: "chip", "aria-pressed": String(on), "data-key": `legend-${code}`, click: toggle }, mark, label, el("span", { class: "quiet" }, ` ${Census.int(counts[code])}`));
    };
    const items = names.map((label, code) => (counts[code] ? item(label, code) : null));
    const clear = picked.size ? el("a", { href: Census.link(["map"], { by: query.get("by") }), "data-key": "clear" }, "Show all") : null;
    return el("div", { class: "legend", role: "group", "aria-label": `${Census.titles(name)}: pick out` }, items, clear, picked.size === 1 ? listLink(name, [...picked][0]) : null);
  }

  function listLink(name, code) {
    const decade = { min: code > 1 ? 10 ** (code - 7) : code ? 1e-9 : 0, max: code === 0 ? 0 : code < 6 ? 10 ** (code - 6) : 1 };
    return el("a", { href: Census.link(["list"], name === "level" ? decade : { [name]: code }), "data-key": "listed" }, "List these neurons");
  }

  Census.views.map = async ({ query }) => {
    const names = [...Object.keys(Census.model.groups), "level"];
    const name = names.includes(query.get("by")) ? query.get("by") : "state";
    const values = await Census.bytes(`map-${name}`);
    const plan = scheme(name);
    const picked = Census.codes(query.get("show"), plan.names.length);
    const starts = [0];
    for (const layer of Census.model.layers) starts.push(starts.at(-1) + layer.neurons);
    const parts = Census.model.layers.map((_, layer) => values.subarray(starts[layer], starts[layer + 1]));
    const counts = parts.map((part) => {
      const found = new Array(plan.names.length).fill(0);
      for (const value of part) found[plan.group(value)]++;
      return found;
    });
    const total = plan.names.map((_, code) => counts.reduce((sum, of_layer) => sum + of_layer[code], 0));
    const choices = names.map((other) => el("a", { href: Census.link(["map"], { by: other }), class: "chip", "aria-current": other === name ? "true" : null, "data-key": `by-${other}` }, Census.titles(other)));
    const content = [
      Census.heading("All neurons"),
      el("nav", { class: "chips", "aria-label": "Colour by" }, choices),
      legend(name, plan, total, picked, query),
    ];
    if (name !== "state" && name !== "level" && total[0] === values.length) {
      content.push(Census.empty(`${Census.titles(name)}: not counted in this census.`));
      return content;
    }
    return [...content, ...bands(name, plan, parts, counts, picked)];
  };

  function bands(name, plan, parts, counts, picked) {
    const complete = name === "state" || name === "level"; // of every neuron, whatever was counted
    const codes = picked.size ? [...picked] : notable(name);
    const word = picked.size ? "picked out" : WORDS[name] ?? `that ${plan.names[1]} ${Census.grams(name.split("_")[1])} cover`;
    const line = el("p", { class: "reading", "aria-live": "polite" });
    const hint = "Arrow keys move from neuron to neuron and from layer to layer, Enter opens the neuron.";
    const cursor = el("span", { class: "cursor", hidden: true });
    const canvases = [];
    const rows = parts.map((part, layer) => {
      const canvas = el("canvas", { "aria-hidden": "true" });
      canvases.push(canvas);
      const found = codes.reduce((sum, code) => sum + counts[layer][code], 0);
      return el("div", { class: "band" },
        el("a", { href: Census.link(["list"], { layer }), tabindex: -1, "aria-hidden": "true" }, `Layer ${layer}`),
        canvas,
        el("span", { class: "quiet right" }, counts[layer][0] === part.length && !complete ? "–" : Census.percent(found / part.length)));
    });
    const map = el("div", { class: "map", tabindex: 0, role: "application", "data-key": "map", "aria-label": `Map of ${parts.length} layers by ${Census.titles(name)}`, "aria-describedby": "hint" }, rows, cursor);
    const idle = () => line.replaceChildren(el("span", { class: "quiet" }, el("span", { id: "hint" }, hint), ` At the right: share ${word}.`));
    let at = null;
    let columns = 1;

    function lay() {
      const width = Math.max(60, map.clientWidth - 172);
      const most = Math.max(...parts.map((part) => part.length));
      const height = Math.min(MOST_BAND, Math.max(LEAST_BAND, ALL_BANDS / parts.length));
      const cell = Math.max(1, Math.min(LARGEST, Math.floor(Math.sqrt((width * height) / most))));
      const colours = palette(plan, picked);
      columns = Math.ceil(most / Math.ceil(most / Math.max(1, Math.floor(width / cell)))); // so that the last row is about full
      parts.forEach((part, layer) => {
        const canvas = canvases[layer];
        canvas.width = columns;
        canvas.height = Math.ceil(part.length / columns);
        canvas.style.inlineSize = `${columns * cell}px`;
        canvas.style.blockSize = `${canvas.height * cell}px`;
        draw(canvas, part, colours);
      });
      if (at) mark(...at);
    }

    function mark(layer, neuron) {
      at = [layer, neuron];
      const [canvas, box] = [canvases[layer], map.getBoundingClientRect()];
      const own = canvas.getBoundingClientRect();
      const cell = own.width / columns;
      cursor.hidden = false;
      cursor.style.left = `${own.left - box.left + (neuron % columns) * cell + cell / 2}px`;
      cursor.style.top = `${own.top - box.top + Math.floor(neuron / columns) * cell + cell / 2}px`;
      line.replaceChildren(Census.neuronLink(layer, neuron), ` Layer ${layer}, neuron ${Census.int(neuron)}: ${plan.names[plan.group(parts[layer][neuron])]}`);
    }

    function under(event) {
      const layer = canvases.indexOf(event.target);
      if (layer < 0) return null;
      const own = event.target.getBoundingClientRect();
      const column = Math.floor(((event.clientX - own.left) / own.width) * columns);
      const neuron = Math.floor(((event.clientY - own.top) / own.height) * event.target.height) * columns + column;
      return column >= 0 && neuron >= 0 && neuron < parts[layer].length ? [layer, neuron] : null;
    }

    const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0], Home: [0, -Infinity], End: [0, Infinity] };
    map.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && at) Census.go(["neuron", ...at]);
      else if (event.key in steps && !event.altKey && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        const [down, right] = steps[event.key];
        const layer = at ? Math.min(parts.length - 1, Math.max(0, at[0] + down)) : 0;
        mark(layer, at ? Math.min(parts[layer].length - 1, Math.max(0, at[1] + right)) : 0);
        canvases[layer].scrollIntoView({ block: "nearest" });
      }
    });
    map.addEventListener("pointermove", (event) => {
      const found = under(event);
      if (found) mark(...found);
    });
    map.addEventListener("click", (event) => {
      const found = under(event);
      if (found) Census.go(["neuron", ...found]);
    });
    const again = () => (map.isConnected ? lay() : stop());
    const stop = () => ["resize", "themechange", "viewshown"].forEach((name) => window.removeEventListener(name, again));
    ["resize", "themechange", "viewshown"].forEach((name) => window.addEventListener(name, again));
    idle();
    return [line, map];
  }
})();
