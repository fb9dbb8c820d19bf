// The list of scenes, what is doubtful about the one that is shown, and what can be said of a dropped one.
import {by, make, replace, say} from '/viewer/dom.js';

const LEAST_UNFAMILIAR = 0.2;  // as `sat2map translate` has it: a tenth of familiar ground, too, is taken for unfamiliar
const REMOVE_ICON = '<svg viewBox="0 0 24 24"><path d="M6 6l12 12M18 6 6 18"/></svg>';

let shownId;

/** Show the scenes; a dropped one has a button that removes it. */
export function showScenes(scenes, current, {onChoose, onRemove}) {
  replace(by('scenes'), ...scenes.map((scene) => {
    const button = make(
      'button', {type: 'button', className: 'scene', 'aria-current': scene.id === current?.id, 'data-key': scene.id, title: sizeText(scene), onclick: () => onChoose(scene)},
      make('b', {textContent: scene.name}), make('small', {textContent: drawnText(scene)}),
    );
    const remove = scene.temporary ? make('button', {
      type: 'button', className: 'icon remove', title: 'Remove', 'aria-label': `Remove ${scene.name}`, 'data-key': `remove ${scene.id}`,
      innerHTML: REMOVE_ICON, onclick: () => onRemove(scene),
    }) : null;
    return make('li', {}, button, remove);
  }));
  if (shownId !== current?.id) by('scenes').querySelector('[aria-current="true"]')?.scrollIntoView({block: 'nearest'});
  shownId = current?.id;
  by('empty').hidden = scenes.length > 0;
}

const sizeText = ({name, width, height}) => `${name}: ${width.toLocaleString('en')} × ${height.toLocaleString('en')} px`;

function drawnText({n_windows: all, n_windows_done: done}) {
  return done === all ? 'complete' : `${Math.floor(100 * done / all)} %`;
}

/** Show what the command line would warn of, and how much looks unlike the training data. */
export function showNotices(scene) {
  const notices = [...(scene?.notices ?? [])];
  if ((scene?.unfamiliar_share ?? 0) >= LEAST_UNFAMILIAR) {
    notices.push(`${Math.round(100 * scene.unfamiliar_share)} % of what is drawn looks unlike anything the model has seen: expect errors there`);
  }
  if (by('notices').dataset.text === notices.join('\n')) return;
  by('notices').dataset.text = notices.join('\n');
  by('notices').replaceChildren(...notices.map((text) => make('li', {textContent: text[0].toUpperCase() + text.slice(1)})));
}

/** Offer fields for what the file of a dropped image does not say; `onSay` is told of them as URL parameters. */
export class Reading {
  constructor(onSay) {
    this.form = by('reading');
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      const said = [...new FormData(this.form)].map(([name, text]) => [name, text.trim()]).filter(([, text]) => text);
      onSay(this.scene, new URLSearchParams(said));
    });
  }

  show(scene) {
    if (scene?.id === this.scene?.id) return;
    this.scene = scene;
    by('read').hidden = !scene?.temporary;
    if (!scene?.temporary) return;
    this.form.reset();
    this.form.elements.gsd_m.value = scene.gsd_m ?? '';
    this.#field('crs', scene.has_transform && !scene.has_georeference);
    this.#field('bands', scene.n_bands > 1);
    // What is unknown is asked for; what is known can be corrected.
    by('read').open = !scene.has_known_gsd;
    say(by('read').querySelector('summary'), scene.has_known_gsd ? 'How the file is read' : 'Tell the scale of this image');
  }

  #field(name, isShown) {
    this.form.elements[name].closest('label').hidden = !isShown;
    this.form.elements[name].disabled = !isShown;
  }
}
