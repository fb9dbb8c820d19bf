// What is under the cursor, and what is where one taps: class, confidence, coordinates, length and area.
import {Popup} from '/viewer/vendor/maplibre-gl.mjs';
import {isInside, positionText} from '/viewer/coordinates.js';
import {by, make, say, settled} from '/viewer/dom.js';
import {areaText, lengthText} from '/viewer/geodesy.js';
import {patientFetch} from '/viewer/tiles.js';

const REST_MS = 120;
const upper = (text) => text && text[0].toUpperCase() + text.slice(1);
const sureText = (confidence) => confidence === undefined ? '' : `${Math.round(100 * confidence)} % sure`;

async function ask(scene, layer, {lng, lat}, options) {
  const response = await patientFetch(`/scenes/${scene.id}/${layer}/point/${lng},${lat}${options.wait ? '' : '?wait=false'}`, options);
  return response.ok ? response.json() : null;
}

export class Inspector {
  /** `classes` returns the classes and their colours; `isBusy` tells whether taps mean something else. */
  constructor(maps, classes, isBusy) {
    this.maps = maps;
    this.classes = classes;
    this.popup = new Popup({maxWidth: 'min(280px, 100% - 16px)', focusAfterOpen: false, closeOnClick: false});
    this.rest = settled(REST_MS, (position) => this.#hover(position));
    for (const map of maps.both) {
      map.on('mousemove', ({lngLat}) => this.#moved(map, lngLat));
      map.on('mouseout', () => { by('twin').hidden = true; });
      map.on('click', ({lngLat, point}) => { if (maps.scene && !isBusy()) this.open(map, lngLat, point); });
      map.getCanvas().addEventListener('keydown', ({key}) => {
        if (key === 'Enter' && maps.scene && !isBusy()) this.open(map, map.getCenter());
      });
    }
    maps.above.on('move', () => { if (matchMedia('(pointer: coarse)').matches) this.#coordinates(maps.above.getCenter()); });
    // The button that closed it is gone.
    this.popup.on('close', () => { if (document.activeElement === document.body) maps.focus(); });
  }

  get isOpen() { return this.popup.isOpen(); }

  close() { this.popup.remove(); }

  /** Forget what was shown of another scene. */
  clear() {
    this.close();
    say(by('where'), '');
  }

  #moved(map, position) {
    this.#coordinates(position);
    this.#showTwin(map, position);
    if (!matchMedia('(pointer: coarse)').matches) this.rest(position);
  }

  #coordinates(position) {
    if (this.maps.scene) say(by('where'), positionText(this.maps.scene, position));
  }

  // Side by side, a mark in the other map shows the same position.
  #showTwin(map, position) {
    by('twin').hidden = !this.maps.isSide;
    if (!this.maps.isSide) return;
    const other = map === this.maps.above ? this.maps.below : this.maps.above;
    const {left, top} = other.getContainer().getBoundingClientRect();
    const {x, y} = other.project(position);
    by('twin').style.translate = `${left + x}px ${top + y}px`;
  }

  async #hover(position) {
    const {scene} = this.maps;
    this.asking?.abort();
    this.asking = new AbortController();
    if (!scene || !isInside(scene, position)) return;
    try {
      const told = await ask(scene, 'map', position, {wait: false, signal: this.asking.signal});
      if (!told?.class || scene !== this.maps.scene) return;
      const parts = [upper(told.class), sureText(told.confidence), positionText(scene, position)];
      say(by('where'), parts.filter(Boolean).join(' · '));
    } catch (error) {
      if (error.name !== 'AbortError') throw error;
    }
  }

  /** Tell all of a position in a popup; what is not drawn there yet is drawn. */
  async open(map, position, point = map.project(position)) {
    const {scene} = this.maps;
    const body = make('div', {className: 'found', 'aria-live': 'polite'}, make('p', {textContent: 'Looking …'}));
    const features = map.getLayer('vector-areas') ? map.queryRenderedFeatures(point, {layers: ['vector-areas', 'vector-roads']}) : [];
    this.popup.setLngLat(position).setDOMContent(body).addTo(map);
    const layer = scene.layers.includes('confidence') ? 'confidence' : 'map';  // the class comes with its confidence
    const told = isInside(scene, position) ? await ask(scene, layer, position, {wait: true}) : null;
    body.replaceChildren(...this.#lines(scene, told ?? {}, position, features));
  }

  #lines(scene, told, position, features) {
    const shown = this.classes().find(({name}) => name === told.class);
    const swatch = make('i');
    if (shown) swatch.style.background = shown.colour;
    const title = shown ? make('h2', {}, swatch, upper(told.class)) : make('h2', {textContent: told.pixel ? 'No data here' : 'Outside the scene'});
    const lines = [[sureText(told.confidence), 'Confidence']];
    for (const {layer, properties} of features) {
      if (layer.id === 'vector-areas') lines.push([areaText(properties.area_m2), `Area (${properties.class})`]);
      else lines.push([`${lengthText(properties.length_m)}, ${lengthText(properties.width_m)} wide`, upper(properties.class)]);
    }
    lines.push([positionText(scene, position), 'Where']);
    if (told.pixel) lines.push([`row ${told.pixel.row}, column ${told.pixel.column}`, 'Pixel']);
    const list = lines.filter(([text]) => text).flatMap(([text, name]) => [make('dt', {textContent: name}), make('dd', {textContent: text})]);
    return [title, make('dl', {}, ...list)];
  }
}
