
  // ---- three or more classes: one class against the rest, computed from the scores of every image
  const SIDE = 300; // of the square in which curves are drawn
  const integers = (data) => {
    const raw = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const view = new DataView(raw.buffer);
    return Array.from({ length: raw.length / 2 }, (_, index) => view.getInt16(2 * index, true));
  };
  const highest = (scores, from, count) => { // the class of the highest score; of equal ones the first
    let best = 0;
    for (let label = 1; label < count; label += 1) if (scores[from + label] > scores[from + best]) best = label;
    return best;
  };
  const unpackClasses = (run, count) => {
    const truth = integers(run.y_true), scores = unpack(run.y_score);
    const argmax = truth.map((_, image) => highest(scores, image * count, count));
    return { ...run, truth, scores, argmax, chosen: run.decided === null ? null : integers(run.decided), views: [] };
  };
  const against = (run, label, count) => { // one class against the rest: the sorted scores of both, as two classes have them
    if (run.views[label] === undefined) {
      const view = { positives: [], negatives: [], chosen: run.thresholds[label] };
      run.truth.forEach((of, image) => (of === label ? view.positives : view.negatives).push(run.scores[image * count + label]));
      view.positives.sort((a, b) => a - b);
      view.negatives.sort((a, b) => a - b);
      run.views[label] = view;
    }
    return run.views[label];
  };
  const decisions = (run, decided, label) => {
    const counts = { tp: 0, fp: 0, tn: 0, fn: 0 };
    run.truth.forEach((of, image) => {
      counts[decided[image] === label ? (of === label ? "tp" : "fp") : (of === label ? "fn" : "tn")] += 1;
    });
    return counts;
  };
  const rocOf = ({ positives, negatives }) => { // corners of the curve and its area; null if a side has no image
    let p = positives.length, n = negatives.length, twice = 0;
    if (!p || !n) return null;
    const corners = [[0, 0]];
    while (p || n) {
      const at = Math.max(p ? positives[p - 1] : -1, n ? negatives[n - 1] : -1), [above, beside] = [p, n];
      while (p && positives[p - 1] === at) p -= 1;
      while (n && negatives[n - 1] === at) n -= 1;
      twice += (beside - n) * (2 * positives.length - above - p);
      corners.push([(negatives.length - n) / negatives.length, (positives.length - p) / positives.length]);
    }
    return { corners, area: twice / (2 * positives.length * negatives.length) };
  };
  const px = (x) => (SIDE * x).toFixed(1), py = (y) => (SIDE * (1 - y)).toFixed(1);
  const line = (kind, points) => element("path", { class: kind, d: points.map(([x, y], index) => `${index ? "L" : "M"}${px(x)} ${py(y)}`).join("") });
  const dot = (kind, [x, y]) => element("circle", { class: kind, cx: px(x), cy: py(y), r: 4.5 });
  const diamond = (kind, [x, y]) => element("path", { class: kind, d: "M0-6L6 0 0 6-6 0z", transform: `translate(${px(x)} ${py(y)})` });
  const position = (counts) => [ratio(counts.fp, counts.fp + counts.tn), ratio(counts.tp, counts.tp + counts.fn)];

  const classScores = JSON.parse(document.getElementById("class-scores").textContent);
  for (const part of all("[data-classes]")) {
    const { classes, runs: packed } = classScores[part.dataset.classes];
    const count = classes.length, unpacked = [];
    const chooseClass = part.querySelector("[data-choose=class]"), chooseRun = part.querySelector("[data-choose=run]");
    const status = part.querySelector("[role=status]"), spreadSvg = part.querySelector(".spread svg");
    const roc = part.querySelector("[data-plot=roc]"), reliability = part.querySelector("[data-plot=reliability]");
    const chosenButton = part.querySelector("[data-at=chosen]"), metrics = all("[data-metric]", part);
    let run, view, label, now, here, announcement;

    const fill = (where, counts) => metrics.forEach((row) => {
      const cell = row.querySelector(`[data-where=${where}]`);
      if (cell) cell.textContent = counts ? formatted(figure(row.dataset, counts)) : MISSING;
    });
    const control = threshold(part, (at) => {
      const counts = confusion(view, at), [x, y] = position(counts);
      all("[data-count]", part).forEach((cell) => { cell.textContent = counts[cell.dataset.count]; });
      fill("here", counts);
      now.setAttribute("x1", WIDTH * at);
      now.setAttribute("x2", WIDTH * at);
      if (here) { here.setAttribute("cx", px(x)); here.setAttribute("cy", py(y)); }
      clearTimeout(announcement); // a screen reader announces where the slider stops, not every step
      announcement = setTimeout(() => {
        status.textContent = `${classes[label]} at ${probability(at)}: ${counts.tp} true and ${counts.fp} false positives, ${counts.tn} true and ` +
          `${counts.fn} false negatives; recall ${formatted(recall(counts))}, specificity ${formatted(specificity(counts))}.`;
      }, 400);
    });
    const drawRoc = () => {
      const curve = rocOf(view);
      const others = classes.map((_, other) => other).filter((other) => other !== label)
        .map((other) => rocOf(against(run, other, count))).filter((each) => each !== null);
      here = curve && dot("here", [0, 0]);
      roc.replaceChildren(...others.map((each) => line("other", each.corners)),
        ...(curve ? [line("curve", curve.corners), diamond("decided", position(decisions(run, run.argmax, label))), here] : []));
      part.querySelector("[data-area]").textContent = curve ? `AUC ${formatted(curve.area)}` : "no curve: the test images lack a side";
    };
    const drawReliability = () => {
      const drawn = [];
      for (const [kind, bins] of Object.entries(run.reliability[label])) {
        drawn.push(...bins.map(([mean, , low, high]) => line(`${kind} ci`, [[mean, low], [mean, high]])),
          line(`${kind} curve`, bins.map(([mean, share]) => [mean, share])),
          ...bins.map(([mean, share]) => (kind === "after" ? diamond : dot)(`${kind} point`, [mean, share])));
      }
      reliability.replaceChildren(...drawn);
    };
    const start = () => {
      const index = Number(chooseRun.value);
      run = unpacked[index] ??= unpackClasses(packed[index], count);
      label = Number(chooseClass.value);
      view = against(run, label, count);
      all("[data-class-name]", part).forEach((name) => { name.textContent = classes[label]; });
      now = spread(spreadSvg, view);
      drawRoc();
      drawReliability();
      fill("argmax", decisions(run, run.argmax, label));
      fill("chosen", run.chosen && decisions(run, run.chosen, label));
      chosenButton.hidden = view.chosen === null;
      if (view.chosen !== null) chosenButton.textContent = `chosen ${probability(view.chosen)}`;
      control.restart(view);
    };
    all("[data-at]", part).forEach((button) => button.addEventListener("click", () => control.go(button.dataset.at === "chosen" ? view.chosen : Number(button.dataset.at))));
    chooseClass.addEventListener("change", start);
    chooseRun.addEventListener("change", start);
    start();
    clearTimeout(announcement); // announce nothing before the first move
  }
