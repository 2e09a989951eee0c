// The mark of what a dragged recipe is likely to be, drawn over a figure of quality against what is left. It is drawn by itself,
// so that it follows the hand without drawing the figure again.
//
// A prospect is { now, dense, quality } of the console: estimated amounts, and the predicted quality if there is one.
const SPACE = "http://www.w3.org/2000/svg";
const BITS = 8, FLOAT_BYTES = 4;

// How much is left by an axis of the curve, in per cent; undefined where nothing predicts it.
function prospectLeft(prospect, axis) {
  const { now, dense } = prospect;
  const masked = ({ params, nonzero_params: kept }) => FLOAT_BYTES * kept + params / BITS; // a bit a number, and the kept ones
  if (axis === "size") return (100 * masked(now)) / masked(dense);
  return dense[axis] ? (100 * now[axis]) / dense[axis] : undefined;
}

function createMark(plot) {
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("class", "prospect");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = '<line class="way"></line><line class="guide"></line><path d="M0 -9 L9 0 L0 9 L-9 0 Z"></path><text></text>';
  plot.parentElement.append(svg);
  return svg;
}

// point: the measured { left, value } that it comes from, if known.
function paintMark(svg, plot, prospect, point) {
  const layout = plot._fullLayout, axis = plot.layout?.meta?.axis;
  const left = prospect && axis && layout?.xaxis ? prospectLeft(prospect, axis) : undefined;
  svg.style.display = left === undefined ? "none" : "";
  if (left === undefined) return;
  const { xaxis, yaxis } = layout, isShare = plot.layout.meta.unit === "%";
  const inside = (axis_, value) => axis_._offset + Math.min(Math.max(axis_.l2p(value), 0), axis_._length);
  const scaled = (value) => (isShare ? 100 * value : value);
  const x = inside(xaxis, left), known = prospect.quality !== undefined;
  const y = known ? inside(yaxis, scaled(prospect.quality)) : yaxis._offset + yaxis._length;
  const [way, guide, mark, words] = svg.children;
  const put = (line, x1, y1, x2, y2) => Object.entries({ x1, y1, x2, y2 }).forEach(([name, value]) => line.setAttribute(name, value));
  const from = point?.left?.[axis];
  way.style.display = known && from !== undefined && point.value !== null ? "" : "none";
  if (way.style.display === "") put(way, inside(xaxis, 100 * from), inside(yaxis, scaled(point.value)), x, y);
  put(guide, x, yaxis._offset, x, yaxis._offset + yaxis._length);
  mark.style.display = known ? "" : "none";
  mark.setAttribute("transform", `translate(${x} ${y})`);
  words.textContent = known ? `predicted ${qualityText(prospect.quality, plot.layout.meta.unit)}` : "measured when you let go";
  const isRight = x > xaxis._offset + xaxis._length / 2;
  words.setAttribute("x", x + (isRight ? -14 : 14));
  words.setAttribute("y", known ? Math.max(y - 8, yaxis._offset + 12) : yaxis._offset + 14);
  words.setAttribute("text-anchor", isRight ? "end" : "start");
}
