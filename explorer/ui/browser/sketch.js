// A curve that is drawn by hand: a stroke of the pointer, or the arrow keys, set the points that it passes.
//
// The curve is kept here; each finished stroke is sent as a whole. The server's value counts only until the first stroke.

const PLOT = { left: 48, right: 14, top: 14, bottom: 44, height: 320 };
const KEY_STEPS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -100, End: 100 };
const SEND_PAUSE_MS = 200; // keys held down become one message
const sketches = new WeakMap(); // element -> its sketch
const drawn = new Map(); // name -> the values that the hand drew, for an element that takes the place of another

function renderSketch({ parentElement, data, setTriggerValue }) {
  const room = parentElement.querySelector(".sketch");
  const sketch = sketches.get(room) ?? sketches.set(room, { room, strokes: 0 }).get(room);
  sketch.send = (values) => setTriggerValue("drawn", { values });
  if (sketch.name !== data.name) {
    const known = drawn.get(data.name);
    Object.assign(sketch, { name: data.name, strokes: known ? 1 : 0, data, values: [...(known ?? data.values)] });
  }
  if (!sketch.strokes) sketch.values = [...data.values];
  if (!sketch.svg) furnish(sketch);
  const observer = new ResizeObserver(() => paint(sketch));
  observer.observe(room);
  paint(sketch);
  return () => observer.disconnect();
}

function shape(tag, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
}

function furnish(sketch) {
  sketch.svg = shape("svg", { role: "group", "aria-label": "Your curve: draw it, or move its points with the arrow keys" });
  sketch.frame = shape("g", { "aria-hidden": "true" });
  sketch.line = shape("polyline", { class: "line" });
  sketch.knobs = sketch.data.points.map((x, place) => knob(sketch, x, place));
  sketch.svg.append(sketch.frame, sketch.line, ...sketch.knobs);
  sketch.room.append(sketch.svg);
  listenStroke(sketch);
}

function knob(sketch, x, place) {
  const node = shape("g", { class: "knob", role: "slider", tabindex: "0", "aria-valuemin": "0", "aria-valuemax": "100",
    "aria-label": `${sketch.data.label} at ${x} %` });
  node.append(shape("circle", { r: 16, class: "reach" }), shape("circle", { r: 7, class: "dot" }), shape("text", { class: "told" }));
  node.addEventListener("keydown", (event) => {
    if (!(event.key in KEY_STEPS)) return;
    event.preventDefault();
    put(sketch, place, sketch.values[place] + KEY_STEPS[event.key]);
    ended(sketch, SEND_PAUSE_MS);
  });
  node.addEventListener("blur", () => { if (sketch.timer) ended(sketch); });
  return node;
}

// --------------------------------------------------------------------------- the hand

function listenStroke(sketch) {
  // Last position of the pointer while it draws, and where the sketch was when it began: if the page moves meanwhile, the curve
  // still follows the hand.
  let last = null, box;
  sketch.svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    sketch.svg.setPointerCapture(event.pointerId);
    box = sketch.svg.getBoundingClientRect();
    last = at(sketch, event, box);
    const place = nearest(sketch, last.x);
    put(sketch, place, last.y);
    sketch.knobs[place].focus({ preventScroll: true });
    event.preventDefault();
  });
  sketch.svg.addEventListener("pointermove", (event) => {
    if (!last) return;
    const now = at(sketch, event, box);
    stroke(sketch, last, now);
    last = now;
  });
  for (const name of ["pointerup", "pointercancel"]) {
    sketch.svg.addEventListener(name, () => { if (last) ended(sketch); last = null; });
  }
}

// Every point that the stroke passes gets its height; the nearest one follows the pointer.
function stroke(sketch, from, to) {
  sketch.data.points.forEach((x, place) => {
    const passed = (x - from.x) * (x - to.x) <= 0 && from.x !== to.x;
    if (passed) put(sketch, place, from.y + ((to.y - from.y) * (x - from.x)) / (to.x - from.x));
  });
  put(sketch, nearest(sketch, to.x), to.y);
}

function put(sketch, place, value) {
  sketch.values[place] = Math.round(Math.min(Math.max(value, 0), 100));
  sketch.strokes += 1;
  drawn.set(sketch.name, sketch.values);
  paint(sketch);
}

function ended(sketch, pause = 0) {
  clearTimeout(sketch.timer);
  const send = () => { sketch.timer = undefined; sketch.send([...sketch.values]); };
  if (pause) sketch.timer = setTimeout(send, pause);
  else send();
}

function at(sketch, event, box) {
  const { width, height } = inner(sketch);
  return { x: ((event.clientX - box.left - PLOT.left) / width) * 100, y: (1 - (event.clientY - box.top - PLOT.top) / height) * 100 };
}

function nearest(sketch, x) {
  const distances = sketch.data.points.map((point) => Math.abs(point - x));
  return distances.indexOf(Math.min(...distances));
}

// --------------------------------------------------------------------------- the picture

const inner = (sketch) => ({
  width: Math.max(sketch.room.clientWidth - PLOT.left - PLOT.right, 50), height: PLOT.height - PLOT.top - PLOT.bottom,
});

function paint(sketch) {
  const { width, height } = inner(sketch);
  const x = (value) => PLOT.left + (width * value) / 100;
  const y = (value) => PLOT.top + height * (1 - value / 100);
  sketch.svg.setAttribute("width", width + PLOT.left + PLOT.right);
  sketch.svg.setAttribute("height", PLOT.height);
  paintFrame(sketch, x, y, width, height);
  sketch.line.setAttribute("points", sketch.values.map((value, place) => `${x(sketch.data.points[place])},${y(value)}`).join(" "));
  sketch.knobs.forEach((node, place) => {
    const value = sketch.values[place];
    node.setAttribute("transform", `translate(${x(sketch.data.points[place])} ${y(value)})`);
    node.setAttribute("aria-valuenow", value);
    node.setAttribute("aria-valuetext", `${value} %`);
    const told = node.querySelector(".told");
    told.textContent = value;
    told.setAttribute("y", value > 88 ? 24 : -14);
  });
}

function paintFrame(sketch, x, y, width, height) {
  const size = `${width} ${sketch.name}`;
  if (sketch.framed === size) return;
  sketch.framed = size;
  const marks = [0, 20, 40, 60, 80, 100];
  sketch.frame.replaceChildren(
    ...marks.map((mark) => shape("line", { class: "grid", x1: x(0), x2: x(100), y1: y(mark), y2: y(mark) })),
    ...marks.map((mark) => shape("text", { class: "mark", x: PLOT.left - 8, y: y(mark) + 4, "text-anchor": "end" }, mark)),
    ...marks.map((mark) => shape("text", { class: "mark", x: x(mark), y: PLOT.top + height + 18, "text-anchor": "middle" }, mark)),
    shape("text", { class: "axis", x: x(50), y: PLOT.height - 6, "text-anchor": "middle" }, sketch.data.across),
    shape("text", { class: "axis", "text-anchor": "middle", transform: `translate(12 ${y(50)}) rotate(-90)` }, sketch.data.up),
  );
}
