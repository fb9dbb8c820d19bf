// The layers that can be switched on: areas and roads as vectors, and a base map. Nothing of them is fetched before.
import {by, make} from '/viewer/dom.js';
import {note} from '/viewer/notes.js';
import {drawnFetch} from '/viewer/tiles.js';

export class Overlays {
  constructor(maps, classes, onChange) {
    this.maps = maps;
    this.classes = classes;
    this.basemap = null;
    by('vectors').addEventListener('change', () => { this.#vectors(); onChange(); });
    by('basemap').addEventListener('change', () => { this.#basemap(); onChange(); });
  }

  get vectorsOn() { return by('vectors').checked; }

  get basemapOn() { return by('basemap').checked; }

  /** Offer the base map of the server, if it has one. */
  offer(basemap) {
    this.basemap = basemap;
    by('basemap').closest('label').hidden = !basemap;
  }

  /** Switch the overlays as a link says, before a scene is shown. */
  set({vectors, basemap}) {
    by('vectors').checked = vectors;
    by('basemap').checked = basemap && Boolean(this.basemap);
    this.#basemap();
  }

  /** Show what is switched on for a scene that has just come. */
  show(scene) {
    by('vectors').closest('label').hidden = !scene.has_georeference;
    by('basemap').closest('label').hidden = !scene.has_georeference || !this.basemap;
    this.#vectors();
    this.#credit();
  }

  #basemap() {
    this.maps.setBasemap(this.basemapOn ? this.basemap : null);
    this.#credit();
  }

  #credit() {
    const {scene} = this.maps;
    const credits = [];
    if (this.basemapOn && scene?.has_georeference) {
      const {attribution, link} = this.basemap;
      credits.push(link ? make('a', {href: link, target: '_blank', rel: 'noopener', textContent: attribution}) : attribution);
    }
    if (scene?.attribution) credits.push(`Image: ${scene.attribution}`);
    by('credit').replaceChildren(...credits.flatMap((credit, i) => i ? [' · ', credit] : [credit]));
  }

  async #vectors() {
    const {scene} = this.maps;
    this.waiting?.abort();
    this.maps.setVectors(null);
    if (!this.vectorsOn || !scene?.has_georeference) return;
    this.waiting = new AbortController();
    try {
      note('Making vectors of the map …', {keep: true});
      const response = await drawnFetch(`/scenes/${scene.id}/vectors/WebMercatorQuad/tilejson.json`, {
        signal: this.waiting.signal,
        onWait: ({n_windows: all, n_windows_done: done}) => note(`Vectors come when the map is complete: ${done} of ${all} windows`, {keep: true}),
      });
      const about = await response.json();
      if (scene !== this.maps.scene) return;
      this.maps.setVectors(about, this.classes());
      note(null);
    } catch (error) {
      if (error.name === 'AbortError') return;
      by('vectors').checked = false;
      note(`There are no vectors: ${error.message}`, {error: true});
    }
  }
}
