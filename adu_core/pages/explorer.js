// Every picture is a point; the slider runs through training; a point tells what it is.

function explorer(root, data) {
  const [width, height] = [600, 440];
  const count = data.labels.length;
  const percent = (value) => `${Math.round(value)} %`;

  const top = make(root, "div", { class: "adu-explorer" });
  const plot = make(top, "svg", {
    viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "application",
    "aria-label": "Test pictures as points. Left and right arrow keys go from picture to picture.",
  });
  const points = data.labels.map((label, i) => make(plot, "circle", {
    r: 5, stroke: data.colours[data.domains[i]], "stroke-width": 1.8,
  }));
  const ring = make(plot, "circle", { class: "adu-ring", r: 10 });

  const card = make(top, "div", { class: "adu-card" });
  const thumb = make(card, "div", { class: "adu-thumb", role: "img" });
  const text = make(card, "div", { "aria-live": "polite" });
  const title = make(text, "strong");
  const before = make(text, "div");
  const after = make(text, "div");
  const table = make(card, "table");
  make(table, "caption", {}, "accuracy of the pictures shown");
  const rows = data.domain_names.map((name, d) => {
    const row = make(table, "tr");
    const head = make(make(row, "th", { scope: "row" }), "label");
    const box = make(head, "input", { type: "checkbox" });
    box.checked = true;
    box.addEventListener("change", () => draw(frame));
    make(head, "span", { class: "adu-swatch", style: `background:${data.colours[d]}` });
    make(head, "span", {}, name + (data.forget.includes(name) ? " (forget)" : ""));
    return { box, value: make(row, "td") };
  });

  let frame = 0;
  let selected = data.domains.findIndex((d) => data.forget.includes(data.domain_names[d]));
  const shown = (i) => rows[data.domains[i]].box.checked;
  const right = (f, i) => data.predicted[f][i] === data.labels[i];
  const said = (f, i) =>
    `${data.class_names[data.predicted[f][i]]}, ${percent(data.confidence[f][i])} sure` +
    (right(f, i) ? "" : " (wrong)");

  function select(i) {
    selected = i;
    const column = i % data.columns, line = Math.floor(i / data.columns);
    thumb.style.backgroundImage = `url("${data.sprite}")`;
    thumb.style.backgroundSize = `${data.columns * 100}% auto`;
    thumb.style.backgroundPosition =
      `${(column / (data.columns - 1)) * 100}% ${(line / (data.lines - 1)) * 100}%`;
    const name = `${data.class_names[data.labels[i]]}, ${data.domain_names[data.domains[i]]}`;
    thumb.setAttribute("aria-label", name);
    title.textContent = name;
    before.textContent = `before: ${said(0, i)}`;
    after.textContent = `${data.names[frame]}: ${said(frame, i)}`;
    ring.style.transform = points[i].style.transform;
  }

  function draw(next) {
    frame = next;
    points.forEach((point, i) => {
      const [x, y] = data.points[frame][i];
      point.style.transform = `translate(${x * width / 1000}px, ${y * height / 1000}px)`;
      point.style.display = shown(i) ? "" : "none";
      point.setAttribute("fill", right(frame, i) ? data.colours[data.domains[i]] : "transparent");
    });
    rows.forEach(({ value }, d) => {
      const own = data.labels.map((_, i) => i).filter((i) => data.domains[i] === d);
      const good = own.filter((i) => right(frame, i)).length;
      value.textContent = percent((100 * good) / own.length);
    });
    select(selected);
  }

  function nearest(event) {
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 1000;
    const y = ((event.clientY - box.top) / box.height) * 1000;
    let best = -1, least = 45 ** 2;
    data.points[frame].forEach(([px, py], i) => {
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (shown(i) && far < least) [best, least] = [i, far];
    });
    if (best >= 0) select(best);
  }
  plot.addEventListener("pointermove", nearest);
  plot.addEventListener("pointerdown", nearest);
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    let i = selected;
    do { i = (i + step + count) % count; } while (!shown(i) && i !== selected);
    select(i);
  });

  make(root, "p", { class: "adu-note" },
    "A full point is recognised, a hollow one is not. Point at one, or use the arrow keys.");
  timeline(root, data.names, draw, data.names.length - 1);
}
