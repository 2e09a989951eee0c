// What a recipe is likely to be worth, before it is measured: from the scan, which pruned each part alone.
//
// A part at some ratio keeps a share of what the model is better than guessing by; the shares of all parts are multiplied. The
// costs of single parts do not add up, so this is a guess, and it is always shown as one. It starts from what was measured last.

const LEAST_SHARE = 0.02; // a part that ruins the model alone still leaves something to compare

// How much quality is lost at a ratio, between the scanned ones; beyond the last, what that one lost.
function lossAt(points, ratio) {
  let [before, lost] = [0, 0];
  for (const [at, drop] of points) {
    if (ratio <= at) return lost + ((drop - lost) * (ratio - before)) / (at - before);
    [before, lost] = [at, drop];
  }
  return lost;
}

function keptShare(quality, points, ratio) {
  const span = quality.dense - quality.floor;
  return Math.min(Math.max((span - lossAt(points, ratio)) / span, LEAST_SHARE), 1);
}

// quality: { dense, floor, isShare, better, predicts } of the scan; parts: { points, from, to } of every part, its ratio at the last
// measurement and now; measured: the value at that measurement, or undefined. Returns undefined if a moved part was not scanned.
function predictedQuality(quality, parts, measured) {
  if (!quality || quality.predicts === false) return undefined;
  const start = measured ?? quality.dense;
  const moved = parts.map((part) => ({ ...part, from: measured === undefined ? 0 : part.from })).filter(({ from, to }) => from !== to);
  if (moved.some(({ points }) => !points?.length)) return undefined;
  if (!quality.isShare) {
    const lost = moved.reduce((sum, { points, from, to }) => sum + lossAt(points, to) - lossAt(points, from), 0);
    return start + (quality.better === "lower" ? lost : -lost);
  }
  const kept = moved.reduce((product, { points, from, to }) => (product * keptShare(quality, points, to)) / keptShare(quality, points, from), 1);
  const best = Math.max(quality.dense, start);
  return Math.min(quality.floor + Math.max(start - quality.floor, 0) * kept, best);
}
