// Two texts next to each other, whose tokens are coloured by how much their probability changed with the cut.
const NAMES = { dense: "The dense model writes", pruned: "The pruned model writes" };
const MOST = 0.65; // opacity of the strongest colour

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

function token([text, before, after]) {
  const span = document.createElement("span"), change = after - before;
  span.textContent = text;
  span.title = `${JSON.stringify(text)}: ${percent(before)} in the dense model, ${percent(after)} in the pruned one`;
  if (Math.abs(change) >= 0.05) {
    span.className = change < 0 ? "less" : "more";
    span.style.setProperty("--share", `${Math.round(100 * MOST * Math.abs(change))}%`);
  }
  return span;
}

function renderWriting({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector(".writing"), [texts, line] = box.children, [words, button] = line.children;
  box.classList.toggle("older", Boolean(data.older));
  for (const side of texts.children) {
    const name = side.dataset.side, tokens = data[name] ?? [];
    side.firstElementChild.textContent = NAMES[name];
    side.lastElementChild.replaceChildren(...tokens.map(token));
    side.hidden = name === "pruned" && Boolean(data.same);
  }
  words.textContent = data.words ?? "";
  button.hidden = !data.action;
  button.textContent = data.action ?? "";
  button.onclick = () => setTriggerValue("act", data.action);
}
