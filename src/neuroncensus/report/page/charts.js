"use strict";
// Curves over positions, as SVG.
(() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [720, 190, 44, 30, 10];

  function svg(tag, attributes, ...children) {
    const element = document.createElementNS(SPACE, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // A round number of at least `value`: 1, 2 or 5 times a power of ten.
  function roundUp(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.9999);
  }

  // Series are {name, values}, the first drawn on top; values stand at `starts`, thousandths; `end`: number of positions.
  Census.curves = (series, starts, end, label) => {
    const most = roundUp(Math.max(1, ...series.flatMap(({ values }) => values)) / 1000);
    const x = (position) => LEFT + (position / Math.max(1, end)) * (WIDTH - LEFT - 8);
    const y = (share) => HEIGHT - BOTTOM - (share / most) * (HEIGHT - BOTTOM - TOP);
    const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, class: "curves" });
    for (const step of [0, 0.25, 0.5, 0.75, 1]) {
      const height = y(step * most);
      picture.append(svg("line", { x1: LEFT, x2: WIDTH - 8, y1: height, y2: height, class: step ? "grid" : "axis" }));
      if (step % 0.5 === 0) picture.append(svg("text", { x: LEFT - 6, y: height + 4, class: "end" }, Census.percent(step * most)));
    }
    for (const share of end > 3 ? [0, 0.25, 0.5, 0.75, 1] : [0, 1]) {
      const position = Math.round(share * end);
      picture.append(svg("text", { x: x(position), y: HEIGHT - BOTTOM + 16, class: share === 1 ? "end" : share ? "middle" : "" }, Census.int(position)));
    }
    picture.append(svg("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 1, class: "middle" }, "position; BOS is 0"));
    [...series].reverse().forEach(({ values }, place) => {
      const number = series.length - 1 - place;
      const ends = [...starts.slice(1), end];
      const points = values.flatMap((value, bin) => [starts[bin], ends[bin]].map((at) => `${x(at).toFixed(1)},${y(value / 1000).toFixed(1)}`));
      picture.append(svg("polyline", { points: points.join(" "), class: `series-${number % 6}` }));
    });
    return picture;
  };
})();
