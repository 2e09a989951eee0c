// Where the keyboard goes on when the button that it was on can no longer be pressed: a browser gives such a focus to nobody, and
// the next Tab begins at the top of the page. Here it goes from undo to redo and back, as soon as that can be pressed; never to reset,
// which the next press would carry out.
const UNDO_ROW = ".st-key-undo-row", PAIR = 2; // undo and redo come first in it

function keepFocusInRow(page, selector = UNDO_ROW) {
  let last; // the place of the button in its row that has, or lost, the focus
  // Streamlit draws each button twice, once for touch, of which one is shown
  const buttons = () => [...(page.querySelector(selector)?.querySelectorAll("button") ?? [])].filter((button) => button.getClientRects().length);
  page.addEventListener("focusin", ({ target }) => { const place = buttons().indexOf(target); last = place < 0 ? undefined : place; });
  page.addEventListener("pointerdown", () => { last = undefined; }, true); // whoever uses the mouse needs no focus
  const mend = () => {
    if (last === undefined || (page.activeElement && page.activeElement !== page.body)) return;
    const row = buttons(), here = row[last];
    if (!here) return;
    const next = here.disabled ? row.slice(0, PAIR).find((button) => !button.disabled) : here;
    next?.focus({ preventScroll: true });
  };
  // not at once: while a focus goes from one element to the next nobody has it, and it must not be called back
  new MutationObserver(() => setTimeout(mend)).observe(page.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["disabled"] });
  return mend;
}
