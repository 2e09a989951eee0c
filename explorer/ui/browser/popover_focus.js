// What a button opens over the page lies at the end of the document, where the Tab key comes last. Whoever opens it by the keyboard is
// taken into it, goes back to the button behind its last element or before its first one, and is there again when it closes.
const POPOVER = "[data-testid=stPopoverBody]", OPENER = "[data-testid=stPopoverButton]";
const SHOWN_MS = 100; // until what opens has its content

function keepFocusInPopover(page, later = setTimeout) {
  let byKeys = false, entered, opener, timer;
  const stops = (body) => [...body.querySelectorAll(FOCUSABLE)].filter((node) => node.tabIndex >= 0 && node.getClientRects().length);
  page.addEventListener("pointerdown", () => { byKeys = false; opener = undefined; }, true);
  page.addEventListener("keydown", (event) => {
    byKeys = true;
    const menu = event.key === "Tab" && page.activeElement?.closest("[role=menu]");
    if (menu) { // closes, and the focus is on its button again
      event.preventDefault();
      page.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true }));
      return;
    }
    if (event.key !== "Tab" || !opener || !entered?.contains(page.activeElement)) return;
    const all = stops(entered), edge = event.shiftKey ? all[0] : all.at(-1);
    if (page.activeElement !== edge) return;
    event.preventDefault();
    opener.focus();
  }, true);
  const look = () => {
    const body = page.querySelector(POPOVER);
    const isLost = opener && (!page.activeElement || page.activeElement === page.body);
    if (!body && entered) {
      entered = undefined;
      if (isLost) (opener.isConnected ? opener : page.getElementById("page-title"))?.focus();
      return;
    }
    if (body && body === entered && isLost) { stops(body)[0]?.focus(); return; } // what was in it has changed
    const button = page.activeElement?.closest?.(OPENER), first = body && stops(body)[0];
    if (!byKeys || !button || !first || body === entered) return;
    entered = body;
    opener = button;
    first.focus();
  };
  const soon = () => { timer = undefined; look(); };
  new MutationObserver(() => { timer ??= later(soon, SHOWN_MS); }).observe(page.body, { childList: true, subtree: true });
  return look;
}
