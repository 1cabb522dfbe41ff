"use strict";
// Data comes as scripts that call `Census.take`: a page that was opened from disk may load nothing else.
const Census = { views: {} };
(() => {
  const KEPT = 12; // files of layers that stay in memory
  const NAME = /^[a-z0-9_]+(?:-[a-z0-9_]+)*(?:\/[a-z0-9]+)?$/;
  const waiting = new Map();
  const held = new Map();
  const always = new Map();

  const rules = {
    createScriptURL: (name) => {
      if (!NAME.test(name)) throw new TypeError("no name of a data file");
      return `data/${name}.js`;
    },
  };
  const urls = window.trustedTypes ? window.trustedTypes.createPolicy("census", rules) : rules;

  Census.take = (name, text) => {
    if (waiting.has(name)) waiting.set(name, text);
  };

  function decoded(text) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let place = 0; place < raw.length; place++) bytes[place] = raw.charCodeAt(place);
    return bytes;
  }

  async function inflated(text) {
    const stream = new Blob([decoded(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function loaded(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      const missing = () => reject(new Error(`data/${name}.js is missing or broken: copy the whole folder of this page`));
      waiting.set(name, null);
      script.onload = () => {
        const text = waiting.get(name);
        waiting.delete(name);
        script.remove();
        if (text === null) missing();
        else inflated(text).then(resolve, missing);
      };
      script.onerror = () => {
        waiting.delete(name);
        script.remove();
        missing();
      };
      script.src = urls.createScriptURL(name);
      document.head.append(script);
    });
  }

  function kept(name, make) {
    const place = name.includes("/") ? held : always;
    let promise = place.get(name);
    if (promise === undefined) {
      promise = make();
      promise.catch(() => place.delete(name));
    } else {
      place.delete(name); // to the end: used last
    }
    place.set(name, promise);
    if (held.size > KEPT) held.delete(held.keys().next().value);
    return promise;
  }

  // A file's bytes, and what a file of JSON says.
  Census.bytes = (name) => kept(name, () => loaded(name));
  Census.json = (name) => kept(name, async () => JSON.parse(new TextDecoder().decode(await loaded(name))));

  // A file of one layer: `neurons`, `ngrams`, or the number of a chunk.
  Census.layerFile = (layer, file) => {
    const name = typeof file === "number" ? String(file).padStart(3, "0") : file;
    return Census.json(`layer-${String(layer).padStart(2, "0")}/${name}`);
  };

  // What neurons of a layer write: from a neuron's number to its promoted and its suppressed tokens, most extreme first.
  Census.writes = async (layer) => {
    const bytes = await Census.bytes(`layer-${String(layer).padStart(2, "0")}/writes`);
    const ids = new Int32Array(bytes.buffer);
    const half = ids.length / 2;
    const top = half / Census.model.layers[layer].neurons;
    const of = (start) => (neuron) => ids.subarray(start + neuron * top, start + (neuron + 1) * top);
    return { ids, half, top, promoted: of(0), suppressed: of(half) };
  };

  // Text of a token's id.
  Census.vocabulary = async () => {
    if (!Census.tokens) {
      const { ids, texts } = await Census.json("vocabulary");
      Census.tokens = new Map(ids.map((id, place) => [id, texts[place]]));
    }
    return (id) => Census.tokens.get(id) ?? `<token ${id}>`;
  };
})();
