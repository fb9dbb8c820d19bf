// The legend, which is also the table of areas: each class with its share of the scene or of the view.
import {by, make, replace, say, settled} from '/viewer/dom.js';
import {areaText} from '/viewer/geodesy.js';
import {copy, note} from '/viewer/notes.js';
import {patientFetch} from '/viewer/tiles.js';

const SETTLE_MS = 300;

export class Areas {
  /** `onHide` is told of a class and whether it is shown. */
  constructor(maps, onHide) {
    this.maps = maps;
    this.onHide = onHide;
    this.part = 'scene';
    this.told = null;
    this.refresh = settled(SETTLE_MS, () => this.#load());
    for (const button of document.querySelectorAll('[data-part]')) {
      button.addEventListener('click', () => this.#choose(button.dataset.part));
    }
    by('csv').addEventListener('click', () => this.#copy());
    maps.above.on('moveend', () => { if (this.part === 'view') this.refresh(); });
  }

  /** Show the classes of a map with those switched off that are hidden. */
  show(classes, hidden) {
    this.classes = classes;
    this.hidden = hidden;
    this.#draw();
  }

  /** Forget the numbers of another scene, and ask for those of this one. */
  reset() {
    this.told = null;
    if (this.classes) this.#draw();
    this.refresh();
  }

  #choose(part) {
    this.part = part;
    for (const button of document.querySelectorAll('[data-part]')) button.setAttribute('aria-pressed', button.dataset.part === part);
    this.reset();
  }

  async #load() {
    const {scene} = this.maps;
    const box = this.part === 'view' ? this.maps.inView() : null;
    if (!scene || (this.part === 'view' && !box)) { this.told = null; this.#draw(); return; }
    const query = box ? `&bbox=${box.join(',')}` : '';
    const response = await patientFetch(`/scenes/${scene.id}/map/statistics?wait=false${query}`);
    const told = response.ok ? await response.json() : null;  // a view may lie beside a scene that is turned
    if (scene !== this.maps.scene) return;
    this.told = told;
    this.#draw();
  }

  #draw() {
    replace(by('legend'), ...this.classes.map((kind) => this.#row(kind)));
    say(by('counted'), this.#total());
    by('csv').disabled = !this.told?.b1.count;
  }

  #row({name, colour}) {
    const box = make('input', {
      type: 'checkbox', checked: !this.hidden.has(name), name, 'data-key': name, onchange: () => this.onHide(name, box.checked),
    });
    const row = make('label', {}, box, make('span', {className: 'name', textContent: name}));
    box.style.setProperty('--swatch', colour);
    const found = this.told?.classes.find((kind) => kind.name === name);
    if (found && this.told.b1.count) {
      row.append(
        make('span', {className: 'share', textContent: `${found.percent.toFixed(1)} %`}),
        make('span', {className: 'size', textContent: found.area_m2 === null ? '' : hectares(found.area_m2)}),
      );
      const bar = make('i', {className: 'bar', 'aria-hidden': 'true', hidden: !found.pixels});
      bar.style.setProperty('--share', `${found.percent}%`);
      bar.style.setProperty('--swatch', colour);
      row.append(bar);
    }
    return make('li', {}, row);
  }

  #total() {
    if (!this.told) return '';
    const {b1, classes, n_windows: all, n_windows_done: done} = this.told;
    const area = classes[0].area_m2 === null ? 'size on the ground unknown' : areaText(classes.reduce((sum, kind) => sum + kind.area_m2, 0));
    const drawn = done < all ? `, ${Math.floor(100 * done / all)} % drawn` : '';
    return `${b1.count.toLocaleString('en')} px, ${area}${drawn}`;
  }

  #copy() {
    if (!this.told) { note('Nothing is drawn yet', {error: true}); return; }
    const rows = this.told.classes.map(({name, pixels, percent, area_m2: area}) => [
      name, pixels, percent.toFixed(4), area ?? '', area === null ? '' : (area / 1e4).toFixed(6),
    ]);
    const table = [['class', 'pixels', 'percent', 'area_m2', 'hectares'], ...rows];
    copy(table.map((row) => row.join(',')).join('\n') + '\n', 'Areas copied as CSV');
  }
}

function hectares(squareMetres) {
  const value = squareMetres / 1e4;
  if (value > 0 && value < 0.001) return '< 0.001 ha';
  if (value > 0 && value < 0.1) return `${value.toLocaleString('en', {maximumSignificantDigits: 2})} ha`;
  return `${value.toLocaleString('en', {maximumFractionDigits: value < 10 ? 2 : value < 1000 ? 1 : 0})} ha`;
}
