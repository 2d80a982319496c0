// What explorer, player and quiz share: making elements, and a slider with a play button.

function make(parent, tag, attributes = {}, text = "") {
  const inSvg = tag === "svg" || parent.namespaceURI?.endsWith("svg");
  const element = inSvg
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

// A slider over the frames; `show(number)` draws one. Arrow keys move it, the button plays it.
function timeline(parent, names, show, start = 0) {
  const row = make(parent, "div", { class: "adu-timeline" });
  const button = make(row, "button", { type: "button", "aria-pressed": "false" }, "▶ play");
  const label = make(row, "label");
  const slider = make(label, "input", {
    type: "range", "aria-label": "frame", min: 0, max: names.length - 1, step: 1, value: start,
  });
  const name = make(label, "output", { "aria-live": "off" });
  let timer = null;
  const update = () => {
    name.textContent = names[slider.value];
    slider.setAttribute("aria-valuetext", names[slider.value]);
    show(Number(slider.value));
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "▶ play";
    button.setAttribute("aria-pressed", "false");
  };
  const step = () => {
    slider.value = Number(slider.value) + 1;
    update();
    if (Number(slider.value) === names.length - 1) stop();
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(slider.value) === names.length - 1) slider.value = 0;
    update();
    timer = setInterval(step, 700);
    button.textContent = "❚❚ pause";
    button.setAttribute("aria-pressed", "true");
  });
  slider.addEventListener("input", () => { stop(); update(); });
  update();
}
