// The scripts of the page as a test reads them: not modules, since the page joins them to one.
import { readFileSync } from "node:fs";

const HOME = new URL("../../../explorer/ui/browser/", import.meta.url);

// What some scripts define, under these names, where `around` is what they find in the open.
export function load(files, names, around = {}) {
  const text = files.map((file) => readFileSync(new URL(file, HOME), "utf8")).join("\n");
  return new Function(...Object.keys(around), `${text}\nreturn { ${names.join(", ")} };`)(...Object.values(around));
}

// A promise that a test keeps when it likes.
export function promised() {
  let keep, break_;
  const promise = new Promise((resolve, reject) => { keep = resolve; break_ = reject; });
  return { promise, keep, break: break_ };
}

// Lets everything run that waits for nothing but its turn.
export const turn = () => new Promise((resolve) => setImmediate(resolve));
