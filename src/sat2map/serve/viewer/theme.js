// Light and dark, and the folding of the panel.
import {by} from '/viewer/dom.js';

/** Use light or dark colours as the system does, until one is chosen here. Returns the function that switches. */
export function startTheme(onChange) {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    document.documentElement.dataset.theme = localStorage.getItem('theme') ?? (system.matches ? 'dark' : 'light');
    onChange();
  };
  system.addEventListener('change', apply);
  apply();
  return () => {
    localStorage.setItem('theme', document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
    apply();
  };
}

/** Return a colour of the theme, by its name in the style sheet. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Let the panel fold; on a phone it starts folded. */
export function startFold() {
  const fold = (folded) => {
    by('panel').classList.toggle('folded', folded);
    by('fold').setAttribute('aria-expanded', !folded);
  };
  const isPhone = matchMedia('(max-width: 640px)');
  by('fold').addEventListener('click', () => fold(!by('panel').classList.contains('folded')));
  by('panel').addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !isPhone.matches || by('panel').classList.contains('folded')) return;
    event.stopPropagation();
    fold(true);
    by('fold').focus();
  });
  // Who comes to the map by keyboard must see what has the focus, and what Enter tells in the middle.
  by('stage').addEventListener('focusin', (event) => { if (isPhone.matches && event.target.matches(':focus-visible')) fold(true); });
  if (isPhone.matches) fold(true);
}
