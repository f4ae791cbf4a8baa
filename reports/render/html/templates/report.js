"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const MISSING = "–";

  // Controls that do nothing without this script are hidden until it runs.
  all("[data-js]").forEach((element) => { element.hidden = false; });

  // ---- light and dark
  const root = document.documentElement;
  const theme = document.querySelector("[data-theme-toggle]");
  const remembered = { // pages opened from disk may have no storage
    get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("theme", value); } catch { /* the choice lasts for this visit */ } },
  };
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => {
    theme.textContent = dark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`);
  };
  if (["light", "dark"].includes(remembered.get())) root.dataset.theme = remembered.get();
  theme.hidden = false;
  label();
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remembered.set(root.dataset.theme);
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);

  // ---- sorting: by the number in data-sort if there is one, else by text; missing values are last
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort ?? cell.textContent.trim();
  };
  const compare = (a, b) => a !== "" && b !== "" && !isNaN(a) && !isNaN(b)
    ? a - b : a.localeCompare(b, "en", { numeric: true, sensitivity: "base" });
  for (const table of all("table[data-sortable]")) {
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      const outside = all(".axis, .why", head);
      button.append(...[...head.childNodes].filter((node) => !outside.includes(node)));
      head.prepend(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        heads.forEach((each) => each.setAttribute("aria-sort", each === head ? direction : "none"));
        const sign = direction === "ascending" ? 1 : -1;
        const rows = [...table.tBodies[0].rows].map((row) => [key(row, column), row]);
        rows.sort(([a], [b]) => (a === "") - (b === "") || sign * compare(a, b));
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }

  // ---- filtering: a row remains if it contains every word and fulfils every condition such as auc>0.9
  const CONDITION = /^([\p{L}][\p{L}\d_]*)(<=|>=|<|>|=)(-?[\d.]+)$/u;
  const HOLDS = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => a === b };
  for (const input of all("[data-filter]")) {
    const table = document.getElementById(input.dataset.filter), rows = [...table.tBodies[0].rows];
    const columns = all("thead th", table).map((head) => head.dataset.key ?? "");
    const output = input.parentElement.querySelector("output");
    const condition = (word) => {
      const [, name, sign, limit] = word.match(CONDITION) ?? [];
      const known = name !== undefined && !isNaN(limit);
      return [known ? columns.findIndex((each) => each !== "" && each.startsWith(name)) : -1, sign, limit];
    };
    const test = (word) => {
      const [column, sign, limit] = condition(word);
      if (column < 0) return (row) => row.textContent.toLocaleLowerCase().includes(word);
      return (row) => {
        const value = key(row, column);
        return value !== "" && !isNaN(value) && HOLDS[sign](Number(value), Number(limit));
      };
    };
    input.addEventListener("input", () => {
      const words = input.value.toLocaleLowerCase().replace(/\s*(<=|>=|<|>|=)\s*/g, "$1").split(/\s+/).filter(Boolean);
      const tests = words.map(test);
      let visible = 0;
      for (const row of rows) {
        row.hidden = !tests.every((passes) => passes(row));
        visible += !row.hidden;
      }
      const odd = words.filter((word) => /[<>=]/.test(word) && condition(word)[0] < 0 && !rows.some((row) => test(word)(row)));
      const why = odd.length ? `; not understood: ${odd.join(" ")}; columns: ${columns.filter(Boolean).join(", ")}` : "";
      output.textContent = (tests.length ? `${visible} of ${rows.length} rows` : `${rows.length} rows`) + why;
    });
  }

  // ---- the legend of the charts with all cards, and their class switch
  for (const part of all(".together")) {
    const boxes = all("[data-place]", part), first = boxes.filter((box) => box.defaultChecked);
    const on = { all: boxes, none: [], first };
    all("[data-switch]", part).forEach((button) => button.addEventListener("click", () => {
      boxes.forEach((box) => { box.checked = on[button.dataset.switch].includes(box); });
    }));
    all("[data-choose-class]", part).forEach((choice) => choice.addEventListener("change", () => {
      for (const chart of all(".plane", part)) {
        const groups = all("[data-of-class]", chart), of = (group) => group.dataset.ofClass === choice.value;
        if (groups.length > 1) groups.forEach((group) => group.toggleAttribute("hidden", !of(group)));
      }
    }));
  }

  // ---- commands are copied by a click
  all("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
    const code = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch { // without the right to write, the text is selected
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }));

  // ---- cards open when a link leads to them, and in print
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const card = target && target.closest("details");
    if (card) { card.open = true; card.scrollIntoView(); }
  };
  addEventListener("hashchange", reveal);
  reveal();
  const set = (part, open) => all("details.card").filter((card) => card.dataset.part === part).forEach((card) => { card.open = open; });
  all("[data-open-all]").forEach((button) => button.addEventListener("click", () => set(button.dataset.openAll, true)));
  all("[data-close-all]").forEach((button) => button.addEventListener("click", () => set(button.dataset.closeAll, false)));

  // ---- the threshold: the same counts and figures as benchmark.evidence.metrics
  const ratio = (a, b) => (b ? a / b : null);
  const accuracy = (c) => ratio(c.tp + c.tn, c.tp + c.tn + c.fp + c.fn);
  const recall = (c) => ratio(c.tp, c.tp + c.fn);
  const specificity = (c) => ratio(c.tn, c.tn + c.fp);
  const METRICS = { // those that are not means of ratios
    mcc: (c) => ratio(c.tp * c.tn - c.fp * c.fn, Math.sqrt((c.tp + c.fp) * (c.tp + c.fn) * (c.tn + c.fp) * (c.tn + c.fn))),
  };
  const weighted = ([tp, fp, tn, fn], c) => tp * c.tp + fp * c.fp + tn * c.tn + fn * c.fn;
  const figure = ({ metric, ratios }, c) => {
    if (metric in METRICS) return METRICS[metric](c);
    const shares = JSON.parse(ratios).map(([above, below]) => ratio(weighted(above, c), weighted(below, c)));
    return shares.includes(null) ? null : shares.reduce((a, b) => a + b) / shares.length;
  };
  const unpack = ({ bytes, data }) => {
    const raw = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const view = new DataView(raw.buffer);
    const read = bytes === 4 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
    return Array.from({ length: raw.length / bytes }, (_, index) => read(index * bytes));
  };
  const reaching = (sorted, threshold) => { // number of sorted scores at or above the threshold
    let low = 0, high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < threshold) low = middle + 1; else high = middle;
    }
    return sorted.length - low;
  };
  const confusion = (run, threshold) => {
    const tp = reaching(run.positives, threshold), fp = reaching(run.negatives, threshold);
    return { tp, fp, tn: run.negatives.length - fp, fn: run.positives.length - tp };
  };
  const probability = (value) => { // as reports/text.py
    const tail = Math.min(value, 1 - value);
    if (tail <= 0) return value.toFixed(3);
    if (tail < 1e-6) return value < 0.5 ? value.toExponential(1) : ">0.999999";
    return value.toFixed(Math.max(3, 1 - Math.floor(Math.log10(tail))));
  };
  const formatted = (value) => {
    if (value === null) return MISSING;
    if (Math.abs(value * 16) % 2 !== 1) return value.toFixed(3);
    const below = Math.floor(value * 1000); // round half to even, as Python does
    return ((below % 2 === 0 ? below : below + 1) / 1000).toFixed(3);
  };

  const BINS = 50, MIDDLE = 65, TALLEST = 60, WIDTH = 400;
  const element = (name, attributes) => {
    const created = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([attribute, value]) => created.setAttribute(attribute, value));
    return created;
  };
  const upright = (kind, at) => element("line", { class: kind, x1: WIDTH * at, x2: WIDTH * at, y1: 0, y2: 2 * MIDDLE });
  const ends = (values) => [Math.min(...values), Math.max(...values)];
  const spread = (svg, run) => {
    const count = (scores) => scores.reduce((bins, score) => {
      bins[Math.min(BINS - 1, Math.floor(score * BINS))] += 1;
      return bins;
    }, Array(BINS).fill(0));
    const up = count(run.positives), down = count(run.negatives), most = Math.max(1, ...up, ...down);
    const width = WIDTH / BINS;
    const bars = (bins, kind) => bins.map((n, bin) => {
      const height = TALLEST * Math.sqrt(n / most);
      return element("rect", { class: kind, x: bin * width + 0.5, width: width - 1, y: kind === "up" ? MIDDLE - height : MIDDLE, height });
    });
    const scale = svg.closest(".spread").querySelector(".scale");
    all(".mark", scale).forEach((mark) => mark.remove());
    const [first, last] = run.folds ? ends(run.folds) : [run.chosen, run.chosen];
    const place = first === null ? null : (first + last) / 2, chosen = run.folds ? "by fold" : "chosen";
    const near = place !== null && Math.abs(place - 0.5) < 0.1; // two labels would overlap
    const names = near ? [[(0.5 + place) / 2, place < 0.5 ? `${chosen}, 0.5` : `0.5, ${chosen}`]] : [[0.5, "0.5"], [place, chosen]];
    for (const [at, name] of names) {
      if (at === null) continue;
      const mark = document.createElement("span");
      mark.className = "mark";
      mark.style.left = `clamp(1.5em, ${100 * at}%, calc(100% - 1.5em))`;
      mark.textContent = name;
      scale.append(mark);
    }
    const marks = [0.5, ...(run.folds ?? [run.chosen])].filter((at) => at !== null).map((at) => upright("mark", at));
    if (run.folds) marks.unshift(element("rect", { class: "folds", x: WIDTH * first, width: WIDTH * (last - first), y: 0, height: 2 * MIDDLE }));
    const now = upright("now", 0.5);
    svg.replaceChildren(...bars(up, "up"), ...bars(down, "down"),
      element("line", { class: "mid", x1: 0, x2: WIDTH, y1: MIDDLE, y2: MIDDLE }), ...marks, now);
    return now;
  };

  // ---- a threshold moves from one observed score to the next: between two of them nothing changes
  const cutsOf = ({ positives, negatives }) => {
    const scores = [...new Set([...positives, ...negatives])].sort((a, b) => a - b);
    return scores.length && scores.at(-1) < 1 ? [...scores, 1] : scores; // at 1, no image is called positive
  };
  const short = (value, below) => { // the fewest decimals with the same decisions
    for (let digits = 3; digits < 17; digits += 1) {
      const rounded = Math.floor(value * 10 ** digits) / 10 ** digits;
      if (rounded <= value && (below === undefined || rounded > below)) return String(rounded);
    }
    return String(value);
  };
  const PAGE = 10;
  const threshold = (part, move) => { // the slider, the number and the buttons; `move` draws what is decided at a threshold
    const range = part.querySelector("input[type=range]"), exact = part.querySelector("input[type=number]");
    let cuts = [], at = 0.5;
    const go = (value, text = String(value)) => {
      at = value;
      range.value = value;
      exact.value = text;
      exact.setAttribute("aria-invalid", "false");
      range.setAttribute("aria-valuetext", text);
      move(value);
    };
    const toCut = (index) => {
      const place = Math.min(Math.max(index, 0), cuts.length - 1);
      if (place >= 0) go(cuts[place], short(cuts[place], cuts[place - 1]));
    };
    const above = () => cuts.findIndex((cut) => cut > at), next = () => (above() < 0 ? cuts.length - 1 : above());
    const previous = () => cuts.findLastIndex((cut) => cut < at);
    const STEPS = {
      ArrowRight: next, ArrowUp: next, ArrowLeft: previous, ArrowDown: previous,
      PageUp: () => next() + PAGE - 1, PageDown: () => previous() - PAGE + 1, Home: () => 0, End: () => cuts.length - 1,
    };
    range.addEventListener("keydown", (event) => {
      if (!(event.key in STEPS) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      toCut(STEPS[event.key]());
    });
    range.addEventListener("input", () => {
      const wanted = Number(range.value);
      const nearest = cuts.reduce((best, cut, index) => (Math.abs(cut - wanted) < Math.abs(cuts[best] - wanted) ? index : best), 0);
      // A screen reader steps by a fixed width, which may be less than the distance to the next score.
      if (cuts[nearest] === at && wanted !== at && !range.matches(":active")) toCut(wanted > at ? next() : previous());
      else toCut(nearest);
    });
    exact.addEventListener("input", () => {
      const typed = Number(exact.value);
      const valid = exact.value !== "" && typed >= 0 && typed <= 1;
      exact.setAttribute("aria-invalid", String(!valid));
      if (valid) go(typed, exact.value);
    });
    exact.addEventListener("change", () => { // a finished entry never stays outside of 0 to 1
      const typed = Number(exact.value);
      go(exact.value === "" || Number.isNaN(typed) ? at : Math.min(Math.max(typed, 0), 1));
    });
    return { go, restart: (view) => { cuts = cutsOf(view); go(at); } };
  };

  const sliders = JSON.parse(document.getElementById("sliders").textContent);
  for (const part of all("[data-slider]")) {
    const runs = sliders[part.dataset.slider].map((run) => ({ ...run, positives: unpack(run.positives), negatives: unpack(run.negatives) }));
    const choose = part.querySelector("select"), svg = part.querySelector(".spread svg"), status = part.querySelector("[role=status]");
    const chosenButton = part.querySelector("[data-at=chosen]");
    const metrics = all("[data-metric]", part);
    let run, line, announcement;

    const control = threshold(part, (at) => {
      const counts = confusion(run, at);
      all("[data-count]", part).forEach((cell) => { cell.textContent = counts[cell.dataset.count]; });
      metrics.forEach((row) => { row.querySelector("[data-where=here]").textContent = formatted(figure(row.dataset, counts)); });
      line.setAttribute("x1", WIDTH * at);
      line.setAttribute("x2", WIDTH * at);
      clearTimeout(announcement); // a screen reader announces where the slider stops, not every step
      announcement = setTimeout(() => {
        status.textContent = `At ${probability(at)}: ${counts.tp} true and ${counts.fp} false positives, ${counts.tn} true and ` +
          `${counts.fn} false negatives; accuracy ${formatted(accuracy(counts))}, recall ${formatted(recall(counts))}, specificity ${formatted(specificity(counts))}.`;
      }, 400);
    });
    const fill = (where, counts) => metrics.forEach((row) => {
      row.querySelector(`[data-where=${where}]`).textContent = counts ? formatted(figure(row.dataset, counts)) : MISSING;
    });
    const start = () => {
      run = runs[choose.value];
      line = spread(svg, run);
      fill("half", confusion(run, 0.5));
      fill("chosen", run.chosen === null ? run.counts ?? null : confusion(run, run.chosen));
      const byFold = run.folds ? `chosen by fold: ${ends(run.folds).map(probability).join(" to ")}` : "none chosen";
      chosenButton.textContent = run.chosen === null ? byFold : `chosen ${probability(run.chosen)}`;
      chosenButton.disabled = run.chosen === null;
      control.restart(run);
    };
    all("[data-at]", part).forEach((button) => button.addEventListener("click", () => control.go(button.dataset.at === "chosen" ? run.chosen : Number(button.dataset.at))));
    choose.addEventListener("change", start);
    start();
    if (run.chosen !== null) control.go(run.chosen);
    clearTimeout(announcement); // announce nothing before the first move
  }
{% if multiclass %}
{% include "multiclass.js" +%}
{% endif %}
})();
