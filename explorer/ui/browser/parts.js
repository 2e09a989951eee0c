// Requested and achieved ratios, one row for each part that was cut: a second view of the console's data, so it needs no message.
const ROWS = 12; // seen at once; the rest on request
const COLUMNS = ["Part", "Asked for", "Removed", "Units", "Why they differ"];

function renderParts({ parentElement }) {
  const root = parentElement.querySelector(".parts");
  const [table, more] = root.children;
  const draw = () => fillParts(root, shelf.values.banks ?? []);
  more.onclick = () => { root.classList.toggle("all"); draw(); };
  if (!table.tHead) head(table.createTHead().insertRow());
  return shelf.listen(["banks"], draw);
}

function head(row) {
  for (const name of COLUMNS) cell(row, "th", name).scope = "col";
}

function cell(row, tag, text) {
  const made = row.appendChild(document.createElement(tag));
  made.textContent = text;
  return made;
}

function fillParts(root, banks) {
  const [table, more, none] = root.children;
  const cut = banks.map((bank) => ({ title: bank.title, strips: bank.strips.filter((strip) => strip.ratio > 0 || strip.achieved > 0) }))
    .filter(({ strips }) => strips.length > 0);
  const count = cut.reduce((sum, { strips }) => sum + strips.length, 0);
  let left = root.classList.contains("all") ? count : ROWS;
  table.replaceChildren(table.tHead, ...cut.map(({ title, strips }) => {
    const shown = strips.slice(0, Math.max(left, 0));
    left -= shown.length;
    return body(cut.length > 1 && shown.length > 0 ? title : "", shown);
  }));
  table.hidden = count === 0;
  none.hidden = count > 0;
  more.hidden = count <= ROWS;
  more.textContent = root.classList.contains("all") ? `Show the first ${ROWS}` : `Show all ${count}`;
  more.setAttribute("aria-expanded", String(root.classList.contains("all")));
}

function body(title, strips) {
  const made = document.createElement("tbody");
  if (title) Object.assign(cell(made.insertRow(), "th", title), { colSpan: COLUMNS.length, scope: "rowgroup" });
  for (const strip of strips) fillRow(made.insertRow(), strip);
  return made;
}

// Before the cut is known, only the request is shown.
function fillRow(row, strip) {
  const known = strip.kept !== undefined;
  const number = (count) => count.toLocaleString("en");
  cell(row, "th", strip.id.replaceAll(/[._]/g, "$&\u200b")).scope = "row"; // a long name may break between its words
  cell(row, "td", percent(strip.ratio));
  cell(row, "td", known ? percent(strip.achieved ?? 0) : "…");
  cell(row, "td", known ? `${number(strip.units - strip.kept)} of ${number(strip.units)}${strip.unit === "head" ? " heads" : ""}` : "…");
  cell(row, "td", strip.reason ?? "");
}
