// A figure that is redrawn in place: its node, its zoom and what is under the pointer stay. Plotly comes with the page's charts.
const CONFIG = { displayModeBar: false, responsive: true };
const LOOK_MS = 50;

function renderFigure({ parentElement, data }) {
  const root = parentElement.querySelector(".live-figure");
  const [plot, told] = root.children;
  told.textContent = data.words ?? "";
  told.classList.toggle("wrong", Boolean(data.wrong));
  plot.hidden = !data.layout;
  if (!data.layout) return undefined;
  let timer;
  const draw = () => {
    if (!window.Plotly) { timer = setTimeout(draw, LOOK_MS); return; }
    const traces = Array.from({ length: data.count }, (_, place) => data[`trace ${place}`]);
    // Plotly writes into what it is given, and here parts of it are kept for the next time
    window.Plotly.react(plot, ...structuredClone([traces, { ...data.layout, autosize: true, font: { family: getComputedStyle(root).fontFamily } }]), CONFIG);
  };
  draw();
  return () => clearTimeout(timer);
}
