// A figure that is redrawn in place: its node, zoom and hover are kept. Plotly is loaded by the page's charts.
const CONFIG = { displayModeBar: false, responsive: true };
const LOOK_MS = 50;
const HEADING = { x: 0, xanchor: "left", font: { size: 16, weight: 600 } };

function renderFigure({ parentElement, data }) {
  const root = parentElement.querySelector(".live-figure");
  const [plot, told] = root.children;
  told.textContent = data.words ?? "";
  told.className = `told ${data.tone ?? ""}`;
  plot.hidden = !data.layout;
  if (!data.layout) return undefined;
  let timer;
  const draw = () => {
    if (!window.Plotly) { timer = setTimeout(draw, LOOK_MS); return; }
    const traces = Array.from({ length: data.count }, (_, place) => data[`trace ${place}`]);
    // Plotly writes into its arguments, and parts of them are kept here for the next time
    const layout = { ...data.layout, autosize: true, font: { family: getComputedStyle(root).fontFamily } };
    if (layout.title) layout.title = { ...layout.title, ...HEADING };  // as in Streamlit's own figures
    window.Plotly.react(plot, ...structuredClone([traces, layout]), CONFIG);
  };
  draw();
  return () => clearTimeout(timer);
}
