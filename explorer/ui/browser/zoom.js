// Keeps the zoom of Streamlit's own figures. Streamlit puts a new node in place of a figure whenever it changes, so the ranges that the
// user chose are kept under the key of the figure, and given to the next node if its axes mean the same.
const ZOOM_LOOK_MS = 60;

function keepZoom(document, plotly) {
  const kept = new Map(), followed = new WeakSet();
  const keyOf = (plot) => plot.closest('[class*="st-key-"]')?.className;
  const axes = (plot) => Object.keys(plot.layout).filter((name) => /^[xy]axis\d*$/.test(name));
  const meaning = (plot) => JSON.stringify(axes(plot).map((name) => plot.layout[name].title?.text));

  const remember = (plot) => {
    const chosen = axes(plot).filter((name) => plot.layout[name].autorange === false && plot.layout[name].range);
    if (chosen.length === 0) { kept.delete(keyOf(plot)); return; }
    const ranges = Object.fromEntries(chosen.map((name) => [`${name}.range`, [...plot.layout[name].range]]));
    kept.set(keyOf(plot), { meaning: meaning(plot), ranges });
  };

  const look = () => {
    for (const plot of document.querySelectorAll('[data-testid="stPlotlyChart"] .js-plotly-plot')) {
      if (followed.has(plot) || !plot.on || !plot.layout) continue;
      followed.add(plot);
      const known = kept.get(keyOf(plot));
      if (known && known.meaning === meaning(plot)) plotly()?.relayout(plot, structuredClone(known.ranges));
      plot.on("plotly_relayout", (change) => {
        if (Object.keys(change).some((name) => /axis\d*\.(range|autorange)/.test(name))) remember(plot);
      });
    }
  };
  return look;
}

function watchZoom() {
  const look = keepZoom(document, () => window.Plotly);
  let timer;
  const soon = () => { timer ??= setTimeout(() => { timer = undefined; look(); }, ZOOM_LOOK_MS); };
  new MutationObserver(soon).observe(document.body, { childList: true, subtree: true });
}
