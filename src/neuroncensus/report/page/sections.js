"use strict";
// The sections of a neuron's page.
(() => {
  const { el, int, number, percent } = Census;
  const FIRST = 20; // n-grams that are shown at once

  const facts = (pairs) => el("dl", { class: "facts" }, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));

  function activity(row, counted) {
    const total = row.dead
      ? `Never, at ${int(row.tokens)} positions.${row.provably_dead ? " No input can make it active: its weights prove it." : ""}`
      : `At ${int(row.activations)} of ${int(row.tokens)} positions, ${percent(row.frequency)}${row.bos_only ? ", all of them BOS" : ""}; in ${int(row.documents_active)} of ${int(row.documents)} documents.`;
    const bound = facts([["largest pre-activation possible", number(row.bound)], ["depth below zero", number(row.depth)]]);
    if (!counted) return [el("p", {}, total), bound, Census.empty("Not counted by domain.")];
    const shares = Census.model.domains.map((domain, place) => counted.activations[place] / domain.tokens);
    const most = Math.max(...shares, Number.MIN_VALUE);
    const rows = Census.model.domains.map((domain, place) => [
      domain.domain, el("span", { class: "quiet" }, domain.part),
      el("span", { class: "nowrap" }, Census.bar(shares[place] / most), percent(shares[place])),
      int(counted.activations[place]), int(domain.tokens), int(counted.activations_bos[place]), `${int(counted.documents_active[place])} of ${int(domain.documents)}`,
    ]);
    const heads = [["domain", ""], ["part", ""], ["active at", "bars"], ["activations", "right"], ["positions", "right"], ["of them BOS", "right"], ["documents", "right"]];
    return [el("p", {}, total), Census.table("Frequency by domain", heads, rows), bound];
  }

  function uncovered(row) {
    const { has, told, n } = Census.model;
    if (!has.coverage || !n.length) return "Not counted in this census.";
    if (row.dead) return "None: the neuron is dead.";
    return `Not counted here: n-grams are counted in the first ${told.coverage.layers_covered} layers.`;
  }

  function ngrams(row, found) {
    const sizes = Census.model.n.filter((n) => row[`class_${n}`] !== null);
    if (!sizes.length) return [Census.empty(uncovered(row))];
    const share = percent(Census.model.told.coverage.share, 2);
    const heads = [["n", ""], ["activations", "right"], ["covering", "right"], ["class", ""], ["class of the null", ""], ["detects", "right"], ["share of its activations", "right"], ["all covering ones detected", ""], ["held-out rate", "right"], ["held-out share", "right"]];
    const rows = sizes.map((n) => {
      const of = (name) => row[`${name}_${n}`];
      const detector = of("detector");
      return [n, int(of("activations")), int(of("covering")), of("class"), of("null_class") ?? "–", detector ? int(of("detected")) : "none", percent(of("share")), Census.yes(of("strict")), percent(of("held_out_rate")), percent(of("held_out_share"))];
    });
    const content = [Census.table("N-grams that cover it", heads, rows), el("p", { class: "quiet" }, `Covering: how few n-grams have ${share} of its activations. Null: n-grams rotated against activations.`)];
    if (!found.length) return [...content, Census.empty("It detects none: no few n-grams have its activations and make it active nearly always.")];
    for (const n of [...new Set(found.map((one) => one.n))]) content.push(...detected(n, found.filter((one) => one.n === n)));
    return content;
  }

  function detected(n, found) {
    const heads = [["text", ""], ["active at", "bars"], ["95%: at least", "right"], ["activations", "right"], ["occurrences", "right"], ["covering", ""]];
    const sorted = [...found].sort((a, b) => b.activations - a.activations);
    const rows = (some) => some.map((one) => [Census.token(one.text), el("span", { class: "nowrap" }, Census.bar(one.activations / one.occurrences), percent(one.activations / one.occurrences)), percent(one.rate_lower), int(one.activations), int(one.occurrences), Census.yes(one.in_covering)]);
    const caption = `Detected ${Census.grams(n)}`;
    const place = el("div", {}, Census.table(caption, heads, rows(sorted.slice(0, FIRST))));
    const all = () => place.replaceChildren(Census.table(caption, heads, rows(sorted)));
    const more = sorted.length > FIRST ? el("button", { type: "button", class: "chip", click: (event) => { all(); event.target.remove(); place.firstChild.focus(); } }, `Show all ${int(sorted.length)}`) : null;
    return [el("h3", {}, `${caption}: ${int(sorted.length)}`), place, more].filter(Boolean);
  }

  function position(row, profiles) {
    const { has, told, bins } = Census.model;
    if (!has.positional) return [Census.empty("Not counted: the corpus names no domains with full windows to count by position.")];
    if (row.positional === null) return [Census.empty("Not counted.")];
    const { window: end } = told;
    const kind = row.positional ? `${row.type}, ${row.strong ? "strong" : "weak"}` : "not positional";
    const pairs = facts([
      ["type", kind], ["mutual information with position", `${number(row.mutual_information)} nats`], ["over text positions alone", number(row.mutual_information_text)],
      ["corrected for few windows", `${number(row.mutual_information_corrected)}${row.unreliable ? " (few windows: unreliable)" : ""}`],
      ["active in full windows", `${percent(row.fr)} of positions, ${int(row.windows)} windows`], ["lowest correlation of two domains", number(row.domain_correlation)],
    ]);
    if (!profiles.length) return [pairs, el("p", { class: "quiet" }, "Curves are kept of positional neurons.")];
    const series = [...profiles].sort((a, b) => (b.domain === "all") - (a.domain === "all")).map((one) => ({ name: one.domain, values: one.fr, windows: one.windows }));
    const label = `Share of windows in which neuron is active, by position. Over all domains from ${percent(Math.min(...series[0].values) / 1000)} to ${percent(Math.max(...series[0].values) / 1000)}.`;
    const key = el("ul", { class: "key" }, series.map((one, place) => el("li", { class: `key-${place % 6}` }, `${one.name === "all" ? "all domains" : one.name} `, el("span", { class: "quiet" }, `${int(one.windows)} windows`))));
    const ends = [...bins.slice(1), end];
    const spans = bins.map((start, place) => (ends[place] - start > 1 ? `${start}–${ends[place] - 1}` : String(start)));
    const table = () => Census.table("Active at, by position", [["position", ""], ...series.map((one) => [one.name, "right"])], spans.map((span, place) => [span, ...series.map((one) => percent(one.values[place] / 1000))]));
    const details = el("details", {}, el("summary", {}, "As a table"));
    details.addEventListener("toggle", () => details.open && details.children.length === 1 && details.append(table()));
    return [pairs, el("figure", {}, Census.curves(series, bins, end, label), key), details];
  }

  function writes(row, written, logits, read) {
    if (!Census.model.has.updates || !logits?.promoted_logits) return [Census.empty("Not counted in this census.")];
    const [up, down] = [logits.promoted_logits, logits.suppressed_logits];
    const most = Math.max(...[...up, ...down].map(Math.abs), Number.MIN_VALUE);
    const column = (title, ids, values, kind) => el("div", {}, el("h3", {}, title), ids.length
      ? Census.table(`${title} tokens`, [["token", ""], ["logit", "bars"]], ids.map((id, place) => [Census.token(read(id)), el("span", { class: "nowrap" }, Census.bar(Math.abs(values[place]) / most, kind), number(values[place]))]))
      : Census.empty("None."));
    const pairs = facts([["norm of its update", number(row.norm)], ["mean logit of all tokens", number(row.mean_logit)], ["excess kurtosis of logits", number(row.kurtosis)], ["cosine of what it reads and writes", number(row.read_write_cosine)]]);
    return [el("div", { class: "halves" }, column("Promoted", [...written.promoted(row.neuron)], up, "up"), column("Suppressed", [...written.suppressed(row.neuron)], down, "down")), pairs, ...triggers(row)];
  }

  function triggers(row) {
    if (row.suppresses_trigger === null) return [];
    const verdict = row.suppresses_trigger ? "It suppresses the tokens that it detects" : "It does not suppress the tokens that it detects";
    return [el("h3", {}, "At the tokens that it detects"), el("p", {}, `${verdict}: their mean logit is ${number(row.trigger_mean_logit)}, ${number(row.trigger_mean_logit_centred)} less the mean of all tokens.`),
      facts([["tokens more suppressed (median)", int(row.trigger_rank)], ["all of them suppressed", Census.yes(row.all_suppressed)], ["null: other detectors’ tokens would be", percent(row.null_suppresses)], ["null, centred", percent(row.null_suppresses_centred)]])];
  }

  function ablation(row, contexts, read) {
    const detector = Census.model.n.includes(1) && row.detector_1;
    if (!contexts.length) return [Census.empty(detector ? "Not counted: it is not in the sample of detectors that were zeroed, or never active in its contexts." : "Only token detectors are zeroed; this neuron is none.")];
    const heads = [["trigger", ""], ["where", ""], ["its value", "right"], ["log-probability", "right"], ["change", "right"], ["matched", "right"], ["change of logit", "right"], ["matched", "right"]];
    const rows = contexts.map((one) => [Census.token(read(one.token)), `${one.domain}, document ${one.document}, position ${one.position}`, number(one.value), number(one.log_probability), number(one.log_probability_change), number(one.matched_log_probability_change), number(one.logit_change), number(one.matched_logit_change)]);
    return [
      el("p", {}, `Zeroed at ${contexts.length === 1 ? "one trigger" : `${contexts.length} triggers`}: the trigger’s logit changes by ${number(row.ablation_logit_change)} at the end of the network, and by ${number(row.ablation_matched_logit_change)} if neurons are zeroed that write as much there.`),
      Census.table("Contexts in which it was zeroed", heads, rows),
    ];
  }

  Census.sections = { activity, ngrams, position, writes, ablation };
})();
