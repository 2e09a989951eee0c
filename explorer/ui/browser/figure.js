// A figure that is redrawn in place: its node, zoom and hover are kept. Plotly is loaded by the page's charts.
//
// A figure whose layout names an axis in its `meta` also shows the user's own model as it is measured, where that was before, and
// what a dragged recipe is likely to be; it does so without waiting for the figure itself. Such a figure has a legend of its own, and
// the height that its place leaves it.
const CONFIG = { displayModeBar: false, responsive: true };
const LOOK_MS = 50;
const HEADING = { x: 0, xanchor: "left", font: { size: 16, weight: 600 } };

function renderFigure({ parentElement, data }) {
  const root = parentElement.querySelector(".live-figure");
  const [plot, legend, told] = root.querySelectorAll(".plot, .names, .told");
  told.textContent = data.words ?? "";
  told.className = `told ${data.tone ?? ""}`;
  root.classList.toggle("awaited", Boolean(data.awaited));
  plot.hidden = !data.layout && !data.awaited;
  root.classList.toggle("fits", Boolean(data.layout?.meta?.axis));
  const height = data.layout?.height ?? data.awaited;
  plot.style.minHeight = height ? `${height}px` : ""; // its place, before it is drawn and while it is resized
  if (data.awaited) showRoom(plot, data.waiting);
  if (!data.layout) return undefined;
  plot.querySelector(":scope > .waiting")?.remove();
  let timer, stop;
  const draw = () => {
    if (!window.Plotly) { timer = setTimeout(draw, LOOK_MS); return; }
    const traces = Array.from({ length: data.count }, (_, place) => data[`trace ${place}`]);
    // Plotly writes into its arguments, and parts of them are kept here for the next time
    const layout = { ...data.layout, autosize: true, font: { family: getComputedStyle(root).fontFamily } };
    if (layout.title) layout.title = { ...layout.title, ...HEADING };  // as in Streamlit's own figures
    const own = ownPoints(layout.meta);
    const drawn = traces.map((trace) => withOwn(trace, own, layout.meta));
    if (layout.meta?.axis) {
      Object.entries({ role: "figure", "aria-label": layout.meta.title }).forEach(([name, text]) => plot.setAttribute(name, text));
      writeLegend(legend, legendEntries(drawn, layout.meta.names));
    }
    window.Plotly.react(plot, ...structuredClone([drawn, layout]), CONFIG);
    stop ??= layout.meta?.axis && followOwn(plot, legend);
  };
  draw();
  return () => { clearTimeout(timer); stop?.(); };
}

// The place of a figure whose numbers are still measured, with what that is.
function showRoom(plot, waiting) {
  if (plot.data) window.Plotly?.purge(plot);
  plot.replaceChildren(Object.assign(document.createElement("p"), { className: "waiting", textContent: waiting }));
}

// The measured points of the figure's model, oldest first.
function ownPoints(meta) {
  return meta?.axis ? shelf.values.trail.filter((point) => point.subject === meta.subject && point.left[meta.axis] !== undefined) : [];
}

// The trace of the user's own model, at the point that was measured last, and the trace of where it was.
function withOwn(trace, own, meta) {
  const x = (point) => 100 * point.left[meta.axis], y = (point, value = point.value) => (point.unit === "%" ? 100 * value : value);
  if (trace.meta === "trail") return { ...trace, x: own.map(x), y: own.map((point) => y(point)) };
  const last = own.at(-1);
  if (trace.meta !== "own" || !last) return trace;
  const ends = { array: [y(last, last.high) - y(last)], arrayminus: [y(last) - y(last, last.low)] };
  return { ...trace, x: [x(last)], y: [y(last)], error_y: { ...trace.error_y, ...ends } };
}

function followOwn(plot, legend) {
  const mark = plot.parentElement.querySelector(".prospect") ?? createMark(plot);
  let frame, isDue = false, isOver = false;
  const paint = () => { frame = undefined; paintMark(mark, plot, shelf.values.prospect, ownPoints(plot.layout.meta).at(-1)); };
  const soon = () => { frame ??= requestAnimationFrame(paint); };
  const move = () => {
    isDue = false;
    if (isOver) return;
    const own = ownPoints(plot.layout.meta), meta = plot.layout.meta;
    const places = plot.data.map((trace, place) => (["trail", "own"].includes(trace.meta) ? place : -1)).filter((place) => place >= 0);
    if (own.length === 0 || places.length === 0) return;
    const changed = places.map((place) => withOwn(plot.data[place], own, meta));
    writeLegend(legend, legendEntries(plot.data.map((trace, place) => changed[places.indexOf(place)] ?? trace), meta.names));
    window.Plotly.restyle(plot, { x: changed.map(({ x }) => x), y: changed.map(({ y }) => y), "error_y.array": changed.map(({ error_y: e }) => e?.array), "error_y.arrayminus": changed.map(({ error_y: e }) => e?.arrayminus) }, places);
  };
  // the numbers come with the same answer, and are on the screen before Plotly draws, which takes several frames
  const moveLater = () => { if (!isDue) { isDue = true; requestAnimationFrame(() => setTimeout(move)); } };
  let last = shelf.values.trail;
  const stop = shelf.listen(["prospect", "trail"], (prospect, trail) => {
    if (trail !== last) { last = trail; moveLater(); }
    soon();
  });
  plot.on("plotly_afterplot", soon);
  const fit = new ResizeObserver(() => { if (plot.offsetHeight && plot.offsetHeight !== plot._fullLayout?.height) window.Plotly.Plots.resize(plot); });
  fit.observe(plot);
  return () => { isOver = true; stop(); fit.disconnect(); cancelAnimationFrame(frame); plot.removeListener?.("plotly_afterplot", soon); mark.remove(); };
}
