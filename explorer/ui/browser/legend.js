// The legend of a figure as one row of words that wraps where it has to. Plotly's own gives every entry the width of the longest,
// so that short ones stand one below the other.
const DRAWN = {
  circle: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", square: "M-3.5 -3.5h7v7h-7Z", "triangle-up": "M0 -4.5L4.5 3.5H-4.5Z",
  diamond: "M0 -5L5 0L0 5L-5 0Z", "x-thin": "M-4 -4L4 4M-4 4L4 -4",
  star: "M0 -6L1.4 -1.9L5.7 -1.9L2.3 .7L3.5 4.9L0 2.4L-3.5 4.9L-2.3 .7L-5.7 -1.9L-1.4 -1.9Z",
};
const DASHED = { dot: "1.5 2.5", dash: "4 3" };

// Names and looks of what a figure shows, the user's own mark first; a trace without points has none, nor has a trail that leads nowhere.
function legendEntries(traces, names = {}) {
  const shown = traces.filter((trace) => trace.x?.length > (trace.meta === "trail" ? 1 : 0));
  return shown.sort((one, other) => (other.meta === "own") - (one.meta === "own")).map((trace) => {
    const [, symbol, open] = /^(.*?)(-open)?$/.exec(trace.marker?.symbol ?? "circle");
    return { name: names[trace.name] ?? trace.name, colour: trace.marker?.color, path: DRAWN[symbol] ?? DRAWN.circle, isOpen: Boolean(open),
      line: trace.mode?.includes("lines") ? DASHED[trace.line?.dash] ?? "none" : undefined };
  });
}

function writeLegend(list, entries) {
  const written = JSON.stringify(entries);
  if (list.dataset.written === written) return;
  list.dataset.written = written;
  list.replaceChildren(...entries.map(({ name, colour, path, isOpen, line }) => {
    const item = document.createElement("li");
    const reach = line ? 12 : 7;
    const stroke = line ? `<path d="M-11 0H11" stroke="${colour}" stroke-dasharray="${line}"></path>` : "";
    const look = isOpen ? `fill="none" stroke="${colour}" stroke-width="1.5"` : `fill="${colour}"`;
    item.innerHTML = `<svg aria-hidden="true" viewBox="${-reach} -7 ${2 * reach} 14" width="${2 * reach}" height="14">${stroke}<path d="${path}" ${look}></path></svg>`;
    item.append(name);
    return item;
  }));
}
