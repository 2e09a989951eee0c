// Where the user's own model was: measured points, oldest first. A point of the same recipe takes the place of the last one,
// since its numbers only became more exact.
const LONGEST_TRAIL = 20;

function extended(trail, point) {
  const before = trail.at(-1)?.recipe === point.recipe ? trail.slice(0, -1) : trail;
  return [...before, point].slice(-LONGEST_TRAIL);
}
