// Elements of the page: finding, making and replacing them.

export const by = (id) => document.getElementById(id);

/** Make an element with properties, attributes (names with a dash, and `role`), `on…` listeners, and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name.includes('-') || name === 'role') element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Replace what a container holds; the focus stays on the element with the same `data-key`. */
export function replace(container, ...nodes) {
  const key = container.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  container.replaceChildren(...nodes);
  if (key !== undefined) container.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({preventScroll: true});
}

/** Set the text of an element, unless it is what it was: a screen reader is told of changes alone. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Whether a key belongs to the field in which it is pressed. */
export const isTyped = (event) => event.target.matches('input:not([type="checkbox"]), textarea');

/** Call a function when nothing has called for it for some milliseconds. */
export function settled(ms, act) {
  let timer;
  return (...given) => { clearTimeout(timer); timer = setTimeout(act, ms, ...given); };
}
