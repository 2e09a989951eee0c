// The progress of the measurement in one line, with a button to stop or continue it. What is read aloud is said once it is known, not
// at each step of the way.
const QUIET_MS = 400; // in which numbers and words arrive together
const LET_GO = "The numbers are of the recipe before your last move; yours is on its way …";
const REFUSALS = ["refused", "crash"], isRefusal = (kind) => REFUSALS.includes(kind);

function renderStatus({ parentElement, data, setTriggerValue }) {
  const line = parentElement.querySelector(".status");
  const [lead, words, spoken] = line.children, [share, button] = lead.children;
  let timer;
  words.tabIndex = -1;
  button.onclick = () => setTriggerValue("act", data.action);
  const draw = () => {
    const older = shelf.protocol.isOlder(data.taken);
    const told = older ? LET_GO : data.words;
    if (words.textContent !== told) { words.textContent = told; words.title = told; }
    for (const kind of REFUSALS) line.classList.toggle(kind, !older && data.kind === kind);
    lead.hidden = !older && isRefusal(data.kind);
    share.hidden = !older && Boolean(data.primary); // the way back takes its place
    const done = measured(data, older);
    if (done !== undefined) share.firstElementChild.style.width = `${100 * done}%`;
    line.classList.toggle("done", !older && data.kind === "note" && !data.action);
    const hides = older || !data.action;
    if (hides && line.getRootNode().activeElement === button) words.focus(); // whoever uses the keyboard goes on from here
    button.hidden = hides;
    button.textContent = data.action ?? "";
    button.classList.toggle("primary", Boolean(data.primary));
    clearTimeout(timer);
    const aloud = announcement(data, older, shelf.values.headline);
    if (aloud) timer = setTimeout(() => { if (spoken.textContent !== aloud) spoken.textContent = aloud; }, QUIET_MS);
  };
  shelf.taken(data.taken);
  const stop = shelf.listen(["moves", "headline"], draw); // which draws
  return () => { clearTimeout(timer); stop(); };
}

// The share of the bar: it stays full once all is measured, so that no word moves, and stays where it is if somebody stopped it.
function measured(data, older) {
  if (older) return 0;
  if (data.kind === "busy") return data.share ?? 0;
  return data.kind === "note" && !data.action ? 1 : undefined;
}

// What a screen reader says of a result; nothing while one is on its way.
function announcement(data, older, headline) {
  if (older || data.kind === "busy" || !data.words) return undefined;
  return data.kind === "note" && headline ? `${headline}. ${data.words}` : data.words;
}
