// One bank: a titled row of strips with its search box, order and link switch.

const ROWS_OF_ONE_BANK = 2, ROWS_OF_TWO = 1; // seen at once, so that the page keeps its height
const WIDEST = 5.8, NARROWEST = 2.8, SMALL_BELOW = 3.9; // rem of a strip; below the last its letters are smaller
const SEARCH_FROM = 10; // strips

function createBank(bank, handler) {
  const view = { name: bank.name, strips: new Map(), linked: false, root: element("section", "bank", { "aria-label": bank.title }) };
  view.head = element("div", "head");
  view.body = element("div", "body");
  view.scale = createScale();
  view.row = element("div", "row", { tabindex: "-1" });
  view.body.append(view.scale, view.row);
  view.empty = element("div", "empty");
  view.note = element("div", "note");
  view.matrix = bank.matrix ? createMatrix(bank, handler) : undefined;
  view.root.append(view.head, view.note, ...(view.matrix ? [view.matrix.root] : []), view.body, view.empty);
  view.root.classList.toggle("plain", bank.strips.every((strip) => strip.label[0] === ""));
  for (const strip of bank.strips) {
    const created = createStrip(`${bank.name}/${strip.id}`, handler);
    view.strips.set(strip.id, created);
    view.row.append(created.root);
  }
  fillHead(view, bank, handler);
  return view;
}

function createScale() {
  const scale = element("div", "scale", { "aria-hidden": "true" });
  for (const text of ["100 %", "removed", "0 %"]) {
    const mark = element("span", "");
    mark.textContent = text;
    scale.append(mark);
  }
  return scale;
}

function fillHead(view, bank, handler) {
  const title = element("h2", "title");
  title.textContent = bank.title;
  view.count = element("span", "count");
  if (bank.strips.length >= SEARCH_FROM) view.count.textContent = `${bank.strips.length} parts`;
  view.link = element("button", "tool", { type: "button", title: "Moving one fader moves all unlocked ones that are shown by as much" });
  view.link.textContent = "Link";
  view.link.addEventListener("click", () => { view.linked = !view.linked; paintLink(view); });
  view.search = element("input", "search", { type: "search", placeholder: "Find a part", "aria-label": `Find a part in ${bank.title}` });
  view.search.addEventListener("input", () => arrange(view, handler.bank(bank.name)));
  view.order = element("select", "tool", { "aria-label": `Order of ${bank.title}` });
  for (const [value, text] of [["depth", "By depth"], ["size", "By size"], ["ratio", "By ratio"], ["sensitivity", "By sensitivity"]]) {
    const option = element("option", "", { value });
    option.textContent = text;
    view.order.append(option);
  }
  view.order.addEventListener("change", () => arrange(view, handler.bank(bank.name)));
  view.search.hidden = bank.strips.length < SEARCH_FROM;
  view.order.hidden = bank.strips.length < SEARCH_FROM;
  view.head.append(title, view.count, view.search, view.order, view.link);
  if (view.matrix) view.head.append(matrixButton(view, bank, handler));
  paintLink(view);
}

function matrixButton(view, bank, handler) {
  const button = element("button", "tool", { type: "button", title: "Show blocks as rows and kinds of parts as columns" });
  button.textContent = "Matrix";
  button.addEventListener("click", () => {
    if (!matrixShown.delete(bank.name)) matrixShown.add(bank.name);
    view.linked = false;
    paintLink(view);
    arrange(view, handler.bank(bank.name));
    handler.describe(undefined);
  });
  view.toggle = button;
  return button;
}

// In the matrix view, parts that are in no block keep their faders below it.
function arrangeMatrix(view, bank) {
  const isShown = isMatrix(view);
  if (view.matrix) {
    view.matrix.root.hidden = !isShown;
    view.toggle.setAttribute("aria-pressed", String(isShown));
  }
  view.search.hidden = view.order.hidden = isShown || bank.strips.length < SEARCH_FROM;
  view.link.hidden = isShown;
  if (isShown) view.search.value = "";
  view.body.hidden = isShown && bank.strips.every((strip) => view.matrix.cells.has(strip.id));
}

// Reads no size: after a move the page would be laid out twice.
function paintBank(view, bank) {
  view.scale.hidden = bank.strips.every((strip) => strip.switch !== undefined || view.strips.get(strip.id).root.hidden);
  if (view.note.textContent !== bank.note) view.note.textContent = bank.note;
}

function paintLink(view) {
  view.link.setAttribute("aria-pressed", String(view.linked));
}

function arrange(view, bank) {
  arrangeMatrix(view, bank);
  const wanted = view.search.value.trim().toLowerCase();
  const orders = {
    depth: () => 0, size: (a, b) => b.params - a.params, ratio: (a, b) => b.ratio - a.ratio,
    sensitivity: (a, b) => worstDrop(b) - worstDrop(a),
  };
  const sorted = [...bank.strips].sort(orders[view.order.value]);
  let shown = 0;
  for (const strip of sorted) {
    const { root } = view.strips.get(strip.id);
    const text = [strip.id, ...(strip.details ?? [])].join(" ").toLowerCase();
    const isCell = isMatrix(view) && view.matrix.cells.has(strip.id);
    root.hidden = isCell || (wanted !== "" && !text.includes(wanted));
    shown += root.hidden && !isCell ? 0 : 1;
    if (view.order.value !== view.arranged || ["ratio", "sensitivity"].includes(view.order.value)) view.row.append(root);
  }
  view.arranged = view.order.value;
  view.empty.textContent = emptyText(bank, shown, wanted);
  view.empty.hidden = shown > 0;
  paintBank(view, bank);
  wrap(view);
}

// The cost of removing half of the part alone, or the nearest scanned ratio below; parts that were not scanned come last.
function worstDrop(strip) {
  const near = (strip.sensitivity ?? []).filter(([ratio]) => ratio <= 0.5);
  return near.length > 0 ? Math.max(...near.map(([, drop]) => drop)) : -1;
}

function emptyText(bank, shown, wanted) {
  if (bank.strips.length === 0) return "Nothing here can be pruned.";
  return shown === 0 ? `No part is named like "${wanted}".` : "";
}

// The widest strips, in rem, that fit into the rows of a bank; room and gap are in rem, too.
function stripWidth(count, rows, room, gap) {
  const fits = (room + gap) / Math.max(Math.ceil(count / rows), 1) - gap;
  return Math.min(Math.max(Math.floor(16 * fits) / 16, NARROWEST), WIDEST);
}

// What does not fit as narrow strips either scrolls sideways in its own box.
function wrap(view) {
  const shown = [...view.strips.values()].filter((strip) => !strip.root.hidden);
  const rows = (view.root.parentElement?.childElementCount ?? 1) > 1 ? ROWS_OF_TWO : ROWS_OF_ONE_BANK;
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  const gap = Number.parseFloat(getComputedStyle(view.row).columnGap) || 0;
  const perRow = (width) => Math.max(Math.floor((view.row.clientWidth - 4 + gap) / (width * rem + gap)), 1);
  const width = stripWidth(shown.length, rows, (view.row.clientWidth - 4) / rem, gap / rem);
  view.root.style.setProperty("--strip", `${width}rem`);
  view.root.classList.toggle("two", rows === ROWS_OF_TWO || isMatrix(view) || shown.length > perRow(width));
  view.root.classList.toggle("single", rows === ROWS_OF_TWO);
  view.row.classList.toggle("wrapped", shown.length <= perRow(width) * rows);
  view.root.classList.toggle("small", width < SMALL_BELOW);
}
