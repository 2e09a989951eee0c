// What a scan found of one part, as colours and words: [ratio, loss] pairs. A loss is a share of everything for a metric in per
// cent, and of the dense model's value for one that has no end, such as perplexity; so one scale of colours serves both.

const CHEAP = 0.01, FULL = 0.3; // a loss that is hardly one, and one from which on the colour is full

function relativeLosses(points, quality) {
  if (!points || !quality || quality.isShare || !quality.dense) return points;
  return points.map(([ratio, loss]) => [ratio, loss / Math.abs(quality.dense)]);
}

// Darker orange where removing that much of this part alone cost more. One hue that grows darker is read without telling red from
// green.
function sensitivityGradient(losses, way = "to top") {
  if (!losses || losses.length === 0) return "none";
  const stops = losses.map(([ratio, loss]) => {
    const share = Math.round(Math.min(Math.max(loss / FULL, 0), 1) * 100);
    return `color-mix(in srgb, #c2410c ${share}%, var(--st-border-color)) ${ratio * 100}%`;
  });
  return `linear-gradient(${way}, ${stops.join(", ")})`;
}

// The second cue, a line across the track: from here on this part alone costs too much to be called cheap.
function safeLimit(losses) {
  if (!losses || losses.length === 0) return undefined;
  const dear = losses.findIndex(([, loss]) => loss >= CHEAP);
  if (dear < 0) return losses.at(-1)[0];
  return dear === 0 ? 0 : losses[dear - 1][0];
}

// "Accuracy" -> "accuracy", but "F1 of boxes" as it is
const inText = (label) => (/^[A-Z][a-z]/.test(label) ? label[0].toLowerCase() + label.slice(1) : label);
const metricOf = (quality) => inText(quality?.label ?? "Accuracy");
const amountOf = (loss, quality) => `${(100 * loss).toFixed(1)} ${quality && !quality.isShare ? "%" : "points"}`;

function sensitivityText(losses, ratio, quality) {
  if (!losses?.length) return "";
  if (ratio === 0) return howFar(losses, quality);
  const distance = (point) => Math.abs(point[0] - Math.max(ratio, 0.01));
  const [at, loss] = losses.reduce((best, point) => (distance(point) < distance(best) ? point : best));
  const change = quality?.better === "lower" ? loss : -loss;
  return `Removing ${percent(at)} of this part alone changed the ${metricOf(quality)} by ${change > 0 ? "+" : ""}${amountOf(change, quality)}`;
}

// Before the first move: how far this part alone can be pruned.
function howFar(losses, quality) {
  const dear = losses.findIndex(([, loss]) => loss >= CHEAP);
  const cheap = losses[dear < 0 ? losses.length - 1 : dear - 1];
  const costs = dear < 0 ? "" : `${percent(losses[dear][0])} costs ${amountOf(losses[dear][1], quality)}`;
  if (!cheap) return `Of this part alone, ${costs} of ${metricOf(quality)}`;
  return `Of this part alone, ${percent(cheap[0])} can go for less than ${quality && !quality.isShare ? "1 %" : "a point"} of ${metricOf(quality)}${costs && `; ${costs}`}`;
}
