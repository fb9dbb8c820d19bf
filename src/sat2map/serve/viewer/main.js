// The live map: holds what is chosen, keeps it in the URL, and updates the parts of the page.
import {download} from '/viewer/download.js';
import {startDrop} from '/viewer/drop.js';
import {Maps} from '/viewer/maps.js';
import {note, showLayers, showLegend, showProgress, showScale, showScenes, showWhere, startFold, startTheme} from '/viewer/panel.js';
import {Swipe} from '/viewer/swipe.js';
import {hasPending, patientFetch} from '/viewer/tiles.js';

const POLL_MS = 1500;
const state = {scenes: [], classes: [], confident: [], scene: null, layer: 'map', hidden: new Set()};

const toggleTheme = startTheme();
startFold();
const maps = new Maps();
const swipe = new Swipe(remember);

// Only the map has classes.
const hidden = () => state.layer === 'map' ? [...state.hidden] : [];

function choose(scene, position) {
  state.scene = scene;
  if (!scene.layers.includes(state.layer)) state.layer = 'map';
  document.title = `${scene.name} – sat2map`;
  maps.show(scene, state.layer, hidden(), position);
  document.querySelector('[data-download="tif"]').hidden = !scene.has_georeference;
  showWhere('');
  drawPanel();
  remember();
}

function drawPanel() {
  const changed = () => { maps.change(state.layer, hidden()); drawPanel(); remember(); };
  showScenes(state.scenes, state.scene, (scene) => choose(scene));
  showLegend(state.classes, state.hidden, (name, shown) => {
    if (shown) state.hidden.delete(name);
    else state.hidden.add(name);
    changed();
    document.querySelector(`#legend [name="${name}"]`).focus();
  });
  const over = state.scene.layers.filter((name) => name !== 'satellite');
  showScale(state.confident, state.layer === 'confidence');
  document.querySelector('#divider .right').textContent = state.layer === 'map' ? 'Map' : 'Confidence';
  showLayers(over, state.layer, (name) => { state.layer = name; changed(); });
}

let recalling = false;  // what is half restored must not overwrite the URL

// The URL holds the whole view, so that a link shows the same to someone else.
function remember() {
  if (!state.scene || recalling) return;
  const {lng, lat} = maps.above.getCenter();
  const parts = new URLSearchParams({
    scene: state.scene.id, at: `${maps.above.getZoom().toFixed(2)}/${lat.toFixed(6)}/${lng.toFixed(6)}`,
    [swipe.mode]: Math.round(swipe.mode === 'swipe' ? swipe.at : swipe.opacity),
  });
  if (state.layer !== 'map') parts.set('layer', state.layer);
  if (state.hidden.size) parts.set('hide', [...state.hidden].join(','));
  history.replaceState(null, '', `#${parts}`.replaceAll('%2F', '/').replaceAll('%2C', ','));
}

function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  recalling = true;
  state.hidden = new Set((parts.get('hide') ?? '').split(',').filter((name) => state.classes.some((c) => c.name === name)));
  state.layer = parts.get('layer') ?? 'map';
  if (parts.has('fade')) swipe.set({mode: 'fade', opacity: Number(parts.get('fade')) || 0});
  else {
    const at = Number(parts.get('swipe') ?? NaN);
    swipe.set({mode: 'swipe', at: Number.isFinite(at) ? at : maps.middle()});
  }
  const scene = state.scenes.find(({id}) => id === parts.get('scene')) ?? state.scenes[0];
  const [zoom, lat, lng] = (parts.get('at') ?? '').split('/').map(Number);
  const hasPosition = Number.isFinite(zoom + lat + lng) && Math.abs(lat) <= 90;
  if (scene) choose(scene, hasPosition && scene.id === parts.get('scene') ? {zoom, center: [lng, lat]} : undefined);
  recalling = false;
  remember();
}

// Ask the server how much is drawn, and load tiles again when more of those in view are drawn.
async function poll() {
  if (state.scene) {
    try {
      const response = await fetch(`/scenes/${state.scene.id}`);
      const fresh = await response.json();
      if (response.ok && fresh.id === state.scene.id) {
        const came = fresh.n_windows_done_all > state.scene.n_windows_done_all;
        Object.assign(state.scene, fresh);
        if (came && hasPending()) maps.refresh(state.layer, hidden());
        if (came) showScenes(state.scenes, state.scene, (scene) => choose(scene));
        showProgress(fresh, fresh.n_windows_queued > 0);
      }
    } catch {
      note('The server does not answer; is it still running?', {error: true});
    }
  }
  setTimeout(poll, document.hidden ? 5 * POLL_MS : POLL_MS);
}

maps.above.on('mousemove', ({lngLat}) => showPosition(lngLat));
maps.above.on('move', () => { if (matchMedia('(pointer: coarse)').matches) showPosition(maps.above.getCenter()); });
maps.above.on('moveend', remember);

function showPosition({lng, lat}) {
  if (!state.scene) return;
  const [west, south, east, north] = state.scene.bounds;
  if (state.scene.has_georeference) showWhere(`${Math.abs(lat).toFixed(5)}° ${lat < 0 ? 'S' : 'N'}  ${Math.abs(lng).toFixed(5)}° ${lng < 0 ? 'W' : 'E'}`);
  else showWhere(`x ${Math.round((lng - west) / (east - west) * state.scene.width)}  y ${Math.round((north - lat) / (north - south) * state.scene.height)} px`);
}

document.getElementById('theme').addEventListener('click', toggleTheme);
document.getElementById('link').addEventListener('click', async () => {
  remember();
  try { await navigator.clipboard.writeText(location.href); note('Link to this view copied'); } catch { note(location.href, {keep: true}); }
});
for (const button of document.querySelectorAll('[data-download]')) {
  button.addEventListener('click', async () => {
    button.disabled = true;
    await download(maps, state.layer, hidden(), button.dataset.download);
    button.disabled = false;
  });
}
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input:not([type="checkbox"])')) return;
  const actions = {s: () => swipe.set({mode: 'swipe'}), f: () => swipe.set({mode: 'fade'}), 0: () => maps.fit(), t: toggleTheme};
  actions[event.key]?.();
});
addEventListener('hashchange', recall);
startDrop(async (scene) => {
  await loadScenes();
  choose(state.scenes.find(({id}) => id === scene.id));
});

async function loadScenes() {
  const answer = await (await patientFetch('/scenes')).json();
  state.scenes = answer.scenes;
  state.classes = answer.classes;
  state.confident = answer.confident;
  document.getElementById('model').textContent = `Drawn by the model “${answer.model.name}”. Licence of its weights: ${answer.model.licence}.`;
}

await Promise.all([maps.ready, loadScenes()]);
recall();
document.documentElement.dataset.ready = 'yes';
poll();
