// Two maps, one over the other, that move together: the satellite image below, a layer that the model draws above.
import {LngLatBounds, Map as View, NavigationControl, ScaleControl} from '/viewer/vendor/maplibre-gl.mjs';
import {forgetPending, tilesUrl} from '/viewer/tiles.js';

// Where a screen has more than one pixel to a point, tiles are shown at half their size.
const TILE_SIZE = window.devicePixelRatio > 1 ? 256 : 512;
const PADDING = {top: 40, bottom: 40, left: 40, right: 40};

class FitControl {
  constructor(fit) { this.fit = fit; }

  onAdd() {
    this.element = document.createElement('div');
    this.element.className = 'maplibregl-ctrl maplibregl-ctrl-group';
    this.element.innerHTML = '<button type="button" class="fit-icon" title="Whole scene (0)" aria-label="Show the whole scene">'
      + '<svg viewBox="0 0 24 24"><path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"/></svg></button>';
    this.element.firstChild.addEventListener('click', this.fit);
    return this.element;
  }

  onRemove() { this.element.remove(); }
}

const view = (container, interactive) => new View({
  container, interactive, attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false,
  maxZoom: 22, style: {version: 8, sources: {}, layers: []}, canvasContextAttributes: {preserveDrawingBuffer: false},
});

export class Maps {
  constructor() {
    this.below = view('below', false);
    this.above = view('above', true);
    this.above.touchZoomRotate.disableRotation();
    this.above.keyboard.disableRotation();
    this.above.addControl(new NavigationControl({showCompass: false}), 'top-right');
    this.above.addControl(new FitControl(() => this.fit()), 'top-right');
    this.scale = new ScaleControl({maxWidth: 120});
    this.above.on('move', () => {
      this.below.jumpTo({center: this.above.getCenter(), zoom: this.above.getZoom()});
    });
    this.above.getCanvas().setAttribute('aria-label', 'Map; arrows move it, plus and minus zoom');
    this.below.getCanvas().setAttribute('aria-hidden', 'true');
    this.below.getCanvas().tabIndex = -1;
    this.ready = Promise.all([this.below, this.above].map((map) => map.loaded() ? null : map.once('load')));
  }

  /** Show a scene, at a position (`{zoom, center}`) or whole. */
  show(scene, layer, hidden, position) {
    this.scene = scene;
    forgetPending();
    this.#setLayer(this.below, 'satellite');
    this.#setLayer(this.above, layer, hidden);
    const hasScale = this.above.hasControl(this.scale);
    if (scene.has_georeference && !hasScale) this.above.addControl(this.scale, 'bottom-right');
    if (!scene.has_georeference && hasScale) this.above.removeControl(this.scale);
    if (position) this.above.jumpTo(position);
    else this.fit({animate: false});
  }

  #setLayer(map, layer, hidden) {
    if (map.getSource('tiles')) { map.removeLayer('tiles'); map.removeSource('tiles'); }
    const {minzoom, maxzoom, bounds} = this.scene;
    const shift = TILE_SIZE === 512 ? 1 : 0;  // of the levels, when a tile of 512 px is one of 512 points
    map.addSource('tiles', {
      type: 'raster', tiles: [tilesUrl(this.scene, layer, hidden)], tileSize: TILE_SIZE, bounds,
      minzoom: Math.max(minzoom - 2, 0), maxzoom: Math.max(maxzoom - shift, 0),
    });
    map.addLayer({id: 'tiles', type: 'raster', source: 'tiles', paint: {'raster-fade-duration': 120}});
  }

  /** Show another layer, or other classes of it. */
  change(layer, hidden) {
    forgetPending();
    this.above.getSource('tiles')?.setTiles([tilesUrl(this.scene, layer, hidden)]);
  }

  /** Load all tiles again; those that were drawn before come from the browser's cache. */
  refresh(layer, hidden) {
    this.above.getSource('tiles')?.setTiles([tilesUrl(this.scene, layer, hidden)]);
    if (this.scene.layers_drawn.includes('satellite')) {
      this.below.getSource('tiles')?.setTiles([tilesUrl(this.scene, 'satellite')]);
    }
  }

  fit(options = {}) {
    if (!this.scene) return;
    const panel = document.getElementById('panel').getBoundingClientRect();
    const isPhone = panel.width > innerWidth - 2;
    const padding = isPhone ? {top: 60, left: 16, right: 16, bottom: panel.height + 24} : {...PADDING, left: panel.right + 24};
    if (innerWidth - panel.right < 260 && !isPhone) padding.left = 40;
    this.above.fitBounds(new LngLatBounds(this.scene.bounds), {padding, duration: 600, ...options});
  }

  /** Return the middle of the area beside the panel, in percent of the width. */
  middle() {
    const {right, width} = document.getElementById('panel').getBoundingClientRect();
    return width > innerWidth - 2 ? 50 : 50 * (right / innerWidth + 1);
  }

  /** Return west, south, east, north of the part of the scene that is in view; null where none is. */
  inView() {
    if (!this.scene) return null;
    const visible = this.above.getBounds();
    const [west, south, east, north] = this.scene.bounds;
    const box = [Math.max(west, visible.getWest()), Math.max(south, visible.getSouth()),
      Math.min(east, visible.getEast()), Math.min(north, visible.getNorth())];
    return box[0] < box[2] && box[1] < box[3] ? box : null;
  }
}
