"use strict";
// Where one is stands in the address, behind the #, so that it can be shared; the theme stays on this machine.
(() => {
  const THEME = "neuroncensus-theme";

  // `#/neuron/3/17?a=b` is {view: "neuron", parts: ["3", "17"], query}.
  Census.route = () => {
    const [path, ...query] = location.hash.replace(/^#/, "").split("?");
    const [view, ...parts] = path.split("/").filter(Boolean);
    return { view: view ?? "map", parts, query: new URLSearchParams(query.join("?")) };
  };

  // The address of a view; what is null or empty is left out.
  Census.link = (path, query = {}) => {
    const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
    const text = new URLSearchParams(given).toString();
    return `#/${path.join("/")}${text ? `?${text}` : ""}`;
  };

  Census.go = (path, query) => {
    location.hash = Census.link(path, query);
  };

  // A whole number of an address, below `end`; null if it is none.
  Census.whole = (text, end) => {
    const value = /^\d{1,9}$/.test(text ?? "") ? Number(text) : null;
    return value !== null && value < end ? value : null;
  };

  // Codes of an address: "1.2" is {1, 2}; unknown ones are left out.
  Census.codes = (text, end) => {
    const codes = (text ?? "").split(".").map((part) => Census.whole(part, end));
    return new Set(codes.filter((code) => code !== null));
  };

  function stored() {
    try {
      return localStorage.getItem(THEME);
    } catch {
      return null; // storage is switched off: the theme is the system's
    }
  }

  function store(theme) {
    try {
      localStorage.setItem(THEME, theme);
    } catch {
      // It holds for this visit.
    }
  }

  const system = matchMedia("(prefers-color-scheme: dark)");

  function apply(theme) {
    const dark = theme === "dark";
    const button = document.getElementById("theme");
    document.documentElement.dataset.theme = theme;
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${dark ? "light" : "dark"} theme`);
    window.dispatchEvent(new Event("themechange"));
  }

  Census.startTheme = () => {
    const own = () => (["light", "dark"].includes(stored()) ? stored() : system.matches ? "dark" : "light");
    document.getElementById("theme").addEventListener("click", () => {
      const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      store(theme);
      apply(theme);
    });
    system.addEventListener("change", () => apply(own()));
    apply(own());
  };

  Census.colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // Red, green and blue of a colour of the style sheet, which writes them as #rrggbb.
  Census.rgb = (name) => [1, 3, 5].map((place) => parseInt(Census.colour(name).slice(place, place + 2), 16));

  // A colour of the ramp, `share` from 0 to 1 along it.
  Census.ramp = (share) => {
    const place = Math.min(1, Math.max(0, share)) * 5;
    const [low, high] = [Math.floor(place), Math.ceil(place)].map((stop) => Census.rgb(`ramp-${stop}`));
    return low.map((value, channel) => Math.round(value + (high[channel] - value) * (place - Math.floor(place))));
  };

  Census.titles = (name) => {
    const n = name.match(/^class_(\d+)$/);
    if (n) return `Covering ${Census.grams(n[1])}`;
    return { state: "Dead or active", detector: "Detectors", type: "Position", level: "Frequency" }[name];
  };
})();
