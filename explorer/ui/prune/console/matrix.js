// The strips of a deep model as a table: a row for each block, a column for each kind of part. Each cell is a field with the
// part's ratio over a small fader; the first field of a row or a column sets all of it.

const MATRIX_HINT = "Type a number into a cell, or into the first one of a row or a column to set all of it; locked parts stay. "
  + "Keys: arrows move, Page Up and Page Down 10 %, Enter sets, Escape takes back, L locks.";
const matrixShown = new Set(); // banks, kept while the page is open

const isMatrix = (view) => Boolean(view.matrix) && matrixShown.has(view.name);

function createMatrix(bank, handler) {
  const view = { cells: new Map(), groups: [], fields: [], root: element("div", "matrix-box") };
  const table = element("table", "matrix", { "aria-label": `${bank.title}: blocks and kinds of parts` });
  const ids = bank.matrix.cells.map((row) => row.filter(Boolean));
  const head = element("tr", "");
  head.append(groupCell(view, bank, handler, ["", "Block"], ids.flat(), "every block"));
  bank.matrix.columns.forEach((lines, column) => {
    const own = bank.matrix.cells.map((row) => row[column]).filter(Boolean);
    head.append(groupCell(view, bank, handler, lines, own, lines.filter(Boolean).join(" of ")));
  });
  const rows = bank.matrix.cells.map((cells, at) => {
    const row = element("tr", "");
    row.append(groupCell(view, bank, handler, [bank.matrix.rows[at]], ids[at], `block ${bank.matrix.rows[at]}`));
    row.append(...cells.map((id) => partCell(view, bank, handler, id)));
    return row;
  });
  table.append(element("thead", ""), element("tbody", ""));
  table.tHead.append(head);
  table.tBodies[0].append(...rows);
  view.fields = [head, ...rows].map((row) => [...row.cells].map((cell) => cell.querySelector("input")));
  view.root.append(table);
  table.addEventListener("keydown", (event) => walk(view, event));
  table.addEventListener("focusin", (event) => rove(view, event.target));
  rove(view, view.fields[1][1] ?? view.fields[1][0]);
  return view;
}

function groupCell(view, bank, handler, lines, ids, name) {
  const cell = element("th", "", { scope: lines.length > 1 ? "col" : "row" });
  for (const line of lines) {
    const text = element("span", "", { title: line });
    text.textContent = line;
    cell.append(text);
  }
  const keys = ids.map((id) => `${bank.name}/${id}`);
  const input = field(`${bank.title}, ${name}: per cent removed of all`, (ratio, options) => handler.set(keys, ratio, options));
  input.placeholder = "all";
  cell.append(input);
  view.groups.push({ input, ids });
  return cell;
}

function partCell(view, bank, handler, id) {
  const cell = element("td", "");
  if (!id) return cell;
  const key = `${bank.name}/${id}`;
  const input = field(`${bank.title}, ${id}: per cent removed`, (ratio, options) => handler.set([key], ratio, options));
  const bar = element("div", "bar");
  bar.append(element("div", "fill"));
  cell.append(input, bar);
  cell.addEventListener("pointerenter", () => handler.describe(key));
  cell.addEventListener("focusin", () => handler.describe(key));
  input.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "l" || event.ctrlKey || event.metaKey || event.altKey || cell.classList.contains("frozen")) return;
    event.preventDefault();
    handler.toggleLock(key);
  });
  view.cells.set(id, { cell, input });
  return cell;
}

// A field for a number in per cent; what is no number is taken back.
function field(label, set) {
  const input = element("input", "", { type: "text", inputmode: "decimal", spellcheck: "false", tabindex: "-1", "aria-label": label });
  const take = () => {
    const number = Number.parseFloat(input.value.replace(",", "."));
    if (input.value === input.shown) return;
    if (Number.isFinite(number)) set(Math.min(Math.max(number / 100, 0), 0.9999));
    else input.value = input.shown;
  };
  input.addEventListener("focus", () => input.select());
  input.addEventListener("change", take);
  input.addEventListener("blur", () => { input.value = input.shown; });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { take(); input.select(); }
    if (event.key === "Escape") { input.value = input.shown; input.select(); }
    if (!(event.key in MATRIX_STEPS) || input.readOnly) return;
    event.preventDefault();
    if (input.ratio !== undefined) set(step(input.ratio + MATRIX_STEPS[event.key]), { soon: true }); // else they differ
  });
  input.shown = "";
  return input;
}

const MATRIX_STEPS = { PageUp: 0.1, PageDown: -0.1 };
const WALKS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// Arrows go on to the next field in their direction; cells without a part are passed.
function walk(view, event) {
  const way = WALKS[event.key];
  if (!way || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  event.preventDefault();
  nextField(view.fields, event.target, way)?.focus();
}

function nextField(fields, from, [down, right]) {
  let row = fields.findIndex((line) => line.includes(from)), column = fields[row]?.indexOf(from);
  while (row >= 0) {
    [row, column] = [row + down, column + right];
    if (fields[row] === undefined || fields[row][column] === undefined) return undefined;
    if (fields[row][column]) return fields[row][column];
  }
  return undefined;
}

// One field of the matrix is reached by Tab: the one that had the focus last.
function rove(view, target) {
  for (const input of view.fields.flat()) input?.setAttribute("tabindex", input === target ? "0" : "-1");
}

// strip, ratio, locked: as of a strip.
function paintCell(view, strip, ratio, locked) {
  const seen = view.cells.get(strip.id);
  if (!seen || (seen.strip === strip && seen.ratio === ratio && seen.locked === locked)) return;
  Object.assign(seen, { strip, ratio, locked });
  const { cell, input } = seen;
  cell.classList.toggle("frozen", Boolean(strip.frozen));
  cell.classList.toggle("locked", locked);
  cell.classList.toggle("touched", ratio > 0);
  cell.title = describeStrip(strip).join("\n");
  cell.style.setProperty("--ratio", ratio);
  cell.style.setProperty("--sensitivity", sensitivityGradient(strip.losses, "to right"));
  input.readOnly = Boolean(strip.frozen) || locked;
  show(input, strip.frozen ? "fixed" : percent(ratio), ratio);
}

// A row or a column shows its ratio if all its parts have the same.
function paintGroups(view) {
  for (const { input, ids } of view.groups) {
    const movable = ids.map((id) => view.cells.get(id)).filter(({ strip }) => strip && !strip.frozen);
    const ratio = common(movable.map((cell) => cell.ratio));
    input.readOnly = movable.length === 0;
    show(input, ratio === undefined ? "" : percent(ratio), ratio);
  }
}

function common(ratios) {
  return ratios.length > 0 && ratios.every((ratio) => Math.abs(ratio - ratios[0]) < 1e-9) ? ratios[0] : undefined;
}

function show(input, text, ratio) {
  const isEdited = input.getRootNode().activeElement === input && input.value !== input.shown;
  Object.assign(input, { shown: text, ratio });
  if (isEdited || input.value === text) return;
  input.value = text;
  if (input.getRootNode().activeElement === input) input.select();
}
