// The panel beside the map: scenes, layers, legend, notes and progress. It shows what it is given.
const by = (id) => document.getElementById(id);
let noteTimer;

/** Show a message for a few seconds, or until the next one. */
export function note(text, {error = false, keep = false} = {}) {
  clearTimeout(noteTimer);
  by('note').textContent = text ?? '';
  by('note').hidden = !text;
  by('note').classList.toggle('error', error);
  if (text && !keep) noteTimer = setTimeout(() => note(null), error ? 8000 : 3500);
}

export function showScenes(scenes, current, choose) {
  by('scenes').replaceChildren(...scenes.map((scene) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-current', scene.id === current?.id);
    const name = Object.assign(document.createElement('b'), {textContent: scene.name});
    const about = Object.assign(document.createElement('small'), {textContent: describe(scene)});
    button.append(name, about);
    button.addEventListener('click', () => choose(scene));
    const item = document.createElement('li');
    item.append(button);
    return item;
  }));
}

function describe(scene) {
  const size = `${scene.width.toLocaleString('en')} × ${scene.height.toLocaleString('en')} px`;
  if (scene.n_windows_done === scene.n_windows) return `${size} · map complete`;
  return `${size} · ${Math.floor(100 * scene.n_windows_done / scene.n_windows)} % drawn`;
}

export function showLegend(classes, hidden, onChange) {
  by('legend').replaceChildren(...classes.map(({name, colour}) => {
    const box = Object.assign(document.createElement('input'), {type: 'checkbox', checked: !hidden.has(name), name});
    box.style.setProperty('--swatch', colour);
    box.addEventListener('change', () => onChange(name, box.checked));
    const label = document.createElement('label');
    label.append(box, Object.assign(document.createElement('span'), {textContent: name}));
    const item = document.createElement('li');
    item.append(label);
    return item;
  }));
}

/** Show the colour scale of the confidence instead of the classes. */
export function showScale(colours, shown) {
  by('confident').hidden = !shown;
  by('legend').hidden = shown;
  by('confident').firstElementChild.style.background = `linear-gradient(90deg, ${colours.join(', ')})`;
}

/** Show a button for each layer that the model draws, where it draws more than one. */
export function showLayers(names, current, choose) {
  by('shown').hidden = names.length < 2;
  by('shown').querySelector('.modes').replaceChildren(...names.map((name) => {
    const button = Object.assign(document.createElement('button'), {type: 'button', textContent: name});
    button.setAttribute('aria-pressed', name === current);
    button.addEventListener('click', () => choose(name));
    return button;
  }));
}

export function showProgress(scene, working) {
  by('progress').hidden = !working;
  by('progress').setAttribute('aria-valuemax', scene.n_windows);
  by('progress').setAttribute('aria-valuenow', scene.n_windows_done);
  by('progress').firstElementChild.style.width = `${100 * scene.n_windows_done / scene.n_windows}%`;
}

export function showWhere(text) {
  by('where').textContent = text;
}

/** Use light or dark colours as the system does, until one is chosen here. Returns the function that switches. */
export function startTheme() {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    document.documentElement.dataset.theme = localStorage.getItem('theme') ?? (system.matches ? 'dark' : 'light');
  };
  system.addEventListener('change', apply);
  apply();
  return () => {
    localStorage.setItem('theme', document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
    apply();
  };
}

/** Let the panel fold; on a phone it starts folded. */
export function startFold() {
  const fold = (folded) => {
    by('panel').classList.toggle('folded', folded);
    by('fold').setAttribute('aria-expanded', !folded);
  };
  by('fold').addEventListener('click', () => fold(!by('panel').classList.contains('folded')));
  if (matchMedia('(max-width: 640px)').matches) fold(true);
}
