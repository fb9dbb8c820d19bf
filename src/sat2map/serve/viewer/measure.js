// Measuring of lines and areas: points are set by taps, or by Enter in the middle of the map.
import {pixel} from '/viewer/coordinates.js';
import {by, isTyped} from '/viewer/dom.js';
import {areaM2, areaText, lengthM, lengthText} from '/viewer/geodesy.js';

const HELP = 'Tap to set points (Enter: in the middle). Backspace takes one back, Escape ends.';

export class Measure {
  constructor(maps) {
    this.maps = maps;
    this.kind = null;
    this.points = [];
    for (const button of document.querySelectorAll('[data-measure]')) {
      button.addEventListener('click', () => this.toggle(button.dataset.measure));
    }
    for (const map of maps.both) {
      map.on('click', ({lngLat}) => this.#add(lngLat));
      map.getCanvas().addEventListener('keydown', (event) => { if (event.key === 'Enter') this.#add(maps.above.getCenter()); });
    }
    by('unmeasure').addEventListener('click', () => this.toggle(this.kind));
    addEventListener('keydown', (event) => this.#key(event));
  }

  get isActive() { return this.kind !== null; }

  /** Begin to measure a kind, or end it; the focus goes to the map, where Enter sets points. */
  toggle(kind) {
    this.start(this.kind === kind ? null : kind);
    this.maps.focus();
  }

  /** Begin to measure a `line` or an `area`; null: end it. */
  start(kind) {
    this.kind = this.maps.scene ? kind : null;
    this.points = [];
    for (const button of document.querySelectorAll('[data-measure]')) button.setAttribute('aria-pressed', button.dataset.measure === this.kind);
    for (const map of this.maps.both) map.getCanvas().style.cursor = this.kind ? 'crosshair' : '';
    by('stage').classList.toggle('measuring', this.isActive);
    by('measured').hidden = !this.kind;
    this.#draw();
  }

  #add({lng, lat}) {
    if (!this.kind) return;
    this.points.push([lng, lat]);
    this.#draw();
  }

  #key(event) {
    if (!this.kind || event.key !== 'Backspace' || isTyped(event)) return;
    event.preventDefault();
    this.points.pop();
    this.#draw();
  }

  #draw() {
    this.maps.setDrawing(this.points, this.kind === 'area');
    by('measure-text').textContent = this.points.length < 2 ? HELP : this.#text();
  }

  #text() {
    const ring = this.kind === 'area' ? [...this.points, this.points[0]] : this.points;
    const {scene} = this.maps;
    if (scene.has_georeference) {
      const length = lengthText(lengthM(ring));
      return this.kind === 'area' ? `${areaText(areaM2(this.points))}, around it ${length}` : length;
    }
    const flat = ring.map(([lng, lat]) => pixel(scene, {lng, lat}));
    return inPixels(flat, this.kind === 'area', scene.gsd_m);
  }
}

/** Length and area of points in the pixels of a scene, in metres where the size of a pixel is known. */
function inPixels(points, isArea, gsd) {
  let length = 0;
  let twice = 0;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    length += Math.hypot(b.x - a.x, b.y - a.y);
    twice += a.x * b.y - b.x * a.y;
  }
  const area = Math.abs(twice) / 2;
  const around = gsd ? lengthText(length * gsd) : `${Math.round(length).toLocaleString('en')} px`;
  if (!isArea) return around;
  return `${gsd ? areaText(area * gsd ** 2) : `${Math.round(area).toLocaleString('en')} px²`}, around it ${around}`;
}
