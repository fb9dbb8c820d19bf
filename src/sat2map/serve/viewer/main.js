// The live map: holds what is chosen, keeps it in the URL, and updates the parts of the page.
import {Areas} from '/viewer/areas.js';
import {Compare} from '/viewer/compare.js';
import {by, isTyped, make, replace, say} from '/viewer/dom.js';
import {download} from '/viewer/download.js';
import {send, startDrop} from '/viewer/drop.js';
import {Inspector} from '/viewer/inspect.js';
import {Maps} from '/viewer/maps.js';
import {Measure} from '/viewer/measure.js';
import {copy, note, showProgress} from '/viewer/notes.js';
import {Overlays} from '/viewer/overlays.js';
import {readLink, writeLink} from '/viewer/permalink.js';
import {startPrint} from '/viewer/print.js';
import {Reading, showNotices, showScenes} from '/viewer/scenes.js';
import {startSearch} from '/viewer/search.js';
import {startFold, startTheme} from '/viewer/theme.js';
import {hasPending, patientFetch} from '/viewer/tiles.js';

const POLL_MS = 1500;
const state = {scenes: [], classes: [], confident: [], model: {}, scene: null, layer: 'map', hiddenOf: new Map()};
let recalling = false;  // what is half restored must not overwrite the URL

startFold();
const maps = new Maps();
const toggleTheme = startTheme(() => maps.recolour());
const compare = new Compare(maps, remember);
const measure = new Measure(maps);
const inspector = new Inspector(maps, () => state.classes, () => measure.isActive);
const search = startSearch(maps);
const areas = new Areas(maps, (name, isShown) => {
  if (isShown) hidden().delete(name);
  else hidden().add(name);
  changed();
});
const overlays = new Overlays(maps, () => state.classes, remember);
const reading = new Reading(readAgain);

/** The classes that are hidden of a scene: each scene has its own. */
function hidden(scene = state.scene) {
  if (!state.hiddenOf.has(scene?.id)) state.hiddenOf.set(scene?.id, new Set());
  return state.hiddenOf.get(scene?.id);
}

// Only the map has classes.
const hiddenShown = () => state.layer === 'map' ? [...hidden()] : [];

function choose(scene, position) {
  state.scene = scene;
  if (!scene.layers.includes(state.layer)) state.layer = 'map';
  document.title = `${scene.name} – sat2map`;
  inspector.clear();
  search.clear();
  maps.show(scene, state.layer, hiddenShown(), position);
  measure.start(null);
  overlays.show(scene);
  reading.show(scene);
  document.querySelector('[data-download="gpkg"]').hidden = !scene.has_georeference;
  drawPanel();
  areas.reset();
  remember();
}

function showNothing() {
  state.scene = null;
  document.title = 'sat2map';
  inspector.clear();
  search.clear();
  measure.start(null);
  maps.clear();
  reading.show(null);
  showNotices(null);
  drawScenes();
  document.body.classList.add('is-empty');
  history.replaceState(null, '', location.pathname);
}

function changed() {
  maps.change(state.layer, hiddenShown());
  drawPanel();
  remember();
}

function drawScenes() {
  showScenes(state.scenes, state.scene, {onChoose: (scene) => choose(scene), onRemove: remove});
}

function drawPanel() {
  document.body.classList.remove('is-empty');
  drawScenes();
  showNotices(state.scene);
  areas.show(state.classes, hidden());
  by('classes').hidden = state.layer !== 'map';
  say(by('legend-title'), state.layer === 'map' ? 'Classes' : 'Confidence');
  by('csv').hidden = state.layer !== 'map';
  by('confident').hidden = state.layer !== 'confidence';
  by('confident').firstElementChild.style.background = `linear-gradient(90deg, ${state.confident.join(', ')})`;
  say(document.querySelector('#divider .right'), state.layer === 'map' ? 'Map' : 'Confidence');
  const names = state.scene.layers.filter((name) => name !== 'satellite');
  by('layers').hidden = names.length < 2;
  replace(by('layers'), ...names.map((name) => make('button', {
    type: 'button', textContent: name, 'aria-pressed': name === state.layer, 'data-key': name,
    onclick: () => { state.layer = name; changed(); },
  })));
}

function remember() {
  if (!state.scene || recalling) return;
  const shown = {
    scene: state.scene, layer: state.layer, hidden: [...hidden()], vectors: overlays.vectorsOn, basemap: overlays.basemapOn,
  };
  history.replaceState(null, '', writeLink(shown, {center: maps.above.getCenter(), zoom: maps.above.getZoom()}, compare));
}

function recall() {
  const link = readLink(location.hash);
  const linked = state.scenes.find(({id}) => id === link.scene);
  const scene = linked ?? state.scenes[0];
  recalling = true;
  if (link.mode === 'fade') compare.set({mode: 'fade', opacity: link.amount ?? 100});
  else compare.set({mode: link.mode ?? 'swipe', at: link.mode === 'swipe' && link.amount !== null ? link.amount : maps.middle()});
  overlays.set(link);
  if (scene) showLinked(link, scene, linked);
  else showNothing();
  recalling = false;
  remember();
}

function showLinked(link, scene, linked) {
  state.layer = link.layer;
  state.hiddenOf.set(scene.id, new Set(linked ? link.hidden.filter((name) => state.classes.some((c) => c.name === name)) : []));
  choose(scene, linked && link.position ? link.position : undefined);
  if (link.scene && !linked) {
    note(`The scene of this link, “${link.scene}”, is not shown here (any more). This is “${scene.name}”.`, {error: true, keep: true});
  }
}

// Ask the server how much is drawn, and load tiles again when more of those in view are drawn.
async function poll() {
  const {scene} = state;
  if (scene) {
    try {
      const response = await fetch(`/scenes/${scene.id}`);
      const fresh = await response.json();
      if (response.ok && scene === state.scene) update(fresh);
      if (response.status === 404 && scene === state.scene) await gone(scene);
    } catch {
      note('The server does not answer; is it still running?', {error: true});
    }
  }
  setTimeout(poll, document.hidden ? 5 * POLL_MS : POLL_MS);
}

function update(fresh) {
  const came = fresh.n_windows_done_all > state.scene.n_windows_done_all;
  // Windows of other layers change nothing in the list, which is made anew under the hands of whoever uses it.
  const isListOld = fresh.n_windows_done !== state.scene.n_windows_done;
  Object.assign(state.scene, fresh);
  // An image that was not complete when it was sent is asked for again when more is drawn, or nothing is left to draw.
  if (hasPending() && (came || fresh.n_windows_queued === 0)) maps.refresh(state.layer, hiddenShown());
  if (isListOld) drawScenes();
  if (came) areas.refresh();
  showNotices(state.scene);
  showProgress(fresh, fresh.n_windows_queued > 0);
}

async function gone(scene) {
  await loadScenes();
  if (state.scenes.length) choose(state.scenes[0]);
  else showNothing();
  note(`“${scene.name}” is not shown any more: the server keeps the last few dropped images`, {error: true});
}

async function remove(scene) {
  // What is asked of a scene that is gone fails, so it is left first.
  if (scene.id === state.scene?.id) {
    const other = state.scenes.find(({id}) => id !== scene.id);
    if (other) choose(other);
    else showNothing();
  }
  try {
    await send(`/scenes/${scene.id}`, {method: 'DELETE'});
  } catch (error) {
    note(`${scene.name}: ${error.message}`, {error: true});
  }
  await loadScenes();
  if (!state.scenes.length) { showNothing(); document.querySelector('#empty [data-open]').focus(); return; }
  if (!state.scene) choose(state.scenes[0]);
  else drawScenes();
  by('scenes').querySelector('[aria-current="true"]')?.focus();
}

async function readAgain(scene, said) {
  note(`Reading ${scene.name} again …`, {keep: true});
  try {
    await shown(await send(`/scenes/${scene.id}?${said}`, {method: 'PATCH'}));
    note(null);
  } catch (error) {
    note(`${scene.name}: ${error.message}`, {error: true});
  }
}

/** Show a scene that the server has just made. */
async function shown(scene) {
  const wasEmpty = !state.scene;
  await loadScenes();
  choose(state.scenes.find(({id}) => id === scene.id));
  if (wasEmpty) maps.focus();  // the button that was pressed is gone
}

async function loadScenes() {
  const answer = await (await patientFetch('/scenes')).json();
  Object.assign(state, {scenes: answer.scenes, classes: answer.classes, confident: answer.confident, model: answer.model});
  overlays.offer(answer.basemap);
  say(by('model'), `Drawn by the model “${answer.model.name}”. Licence of its weights: ${answer.model.licence}.`);
}

maps.above.on('moveend', remember);
by('theme').addEventListener('click', () => toggleTheme());
by('link').addEventListener('click', () => { remember(); copy(location.href, 'Link to this view copied'); });
for (const button of document.querySelectorAll('[data-download]')) {
  button.addEventListener('click', async () => {
    button.disabled = true;
    const {layer, classes, confident, model} = state;
    await download(maps, {layer, classes, confident, model, hidden: hiddenShown()}, areas.part, button.dataset.download);
    button.disabled = false;
    if (document.activeElement === document.body) button.focus();  // it went when the button was disabled
  });
}
// Whoever dictates, or hits keys by chance, must be able to switch shortcuts of one letter off (WCAG 2.1.4).
by('shortcuts').checked = localStorage.getItem('shortcuts') !== 'off';
by('shortcuts').addEventListener('change', ({target}) => localStorage.setItem('shortcuts', target.checked ? 'on' : 'off'));
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyped(event)) return;
  if (event.key !== 'Escape' && !by('shortcuts').checked) return;
  const actions = {
    s: () => compare.set({mode: 'swipe'}), f: () => compare.set({mode: 'fade'}), b: () => compare.set({mode: 'side'}),
    0: () => maps.fit(), t: toggleTheme, m: () => measure.toggle('line'), a: () => measure.toggle('area'),
    Escape: leave,
  };
  actions[event.key]?.();
});
/** End what was begun last: measuring, the popup, the message. */
function leave() {
  if (measure.isActive) measure.toggle(measure.kind);
  else if (inspector.isOpen) inspector.close();
  else note(null);
}
addEventListener('hashchange', recall);
startDrop(shown);
startPrint(maps, () => state.scene ? state.scene.name : 'sat2map');

await Promise.all([maps.ready, loadScenes()]);
recall();
document.documentElement.dataset.ready = 'yes';
poll();
