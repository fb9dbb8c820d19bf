// Messages for a few seconds, and the progress of drawing.
import {by} from '/viewer/dom.js';

let timer;

/** Show a message for a few seconds, or until the next one. */
export function note(text, {error = false, keep = false} = {}) {
  clearTimeout(timer);
  by('note').textContent = text ?? '';
  by('note').classList.toggle('error', error);
  if (text && !keep) timer = setTimeout(() => note(null), error ? 8000 : 3500);
}

/** Show how much of a scene is drawn, while something is. */
export function showProgress(scene, working) {
  const bar = by('progress');
  bar.hidden = !working;
  bar.setAttribute('aria-valuemax', scene.n_windows);
  bar.setAttribute('aria-valuenow', scene.n_windows_done);
  bar.firstElementChild.style.width = `${100 * scene.n_windows_done / scene.n_windows}%`;
}

/** Copy a text, and say so; where the browser does not let it, show the text. */
export async function copy(text, said) {
  try { await navigator.clipboard.writeText(text); note(said); } catch { note(text, {keep: true}); }
}
