// How the two maps are compared: a divider that is swiped, fading, or side by side.
import {by} from '/viewer/dom.js';

const STEP = 2;
const clamped = (percent) => Math.min(100, Math.max(0, percent));

export class Compare {
  constructor(maps, onChange) {
    this.maps = maps;
    this.onChange = onChange;
    this.mode = 'swipe';
    this.at = 50;
    this.opacity = 100;
    this.range = by('fading').querySelector('input');
    by('divider').addEventListener('pointerdown', (event) => this.#drag(event));
    by('divider').addEventListener('keydown', (event) => this.#key(event));
    this.range.addEventListener('input', () => this.set({opacity: Number(this.range.value)}));
    for (const button of document.querySelectorAll('[data-mode]')) {
      button.addEventListener('click', () => this.set({mode: button.dataset.mode}));
    }
  }

  /** The one number of the mode: where the divider is, or how opaque the map. */
  get amount() {
    return {swipe: this.at, fade: this.opacity, side: 50}[this.mode];
  }

  set({mode = this.mode, at = this.at, opacity = this.opacity}) {
    const wasSide = this.mode === 'side';
    this.mode = mode;
    this.at = clamped(at);
    this.opacity = clamped(opacity);
    this.#draw();
    if (wasSide !== (mode === 'side')) this.maps.setSide(mode === 'side');
    this.onChange();
  }

  #draw() {
    by('divider').hidden = this.mode !== 'swipe';
    by('fading').hidden = this.mode !== 'fade';
    by('divider').style.left = `${this.at}%`;
    by('divider').setAttribute('aria-valuenow', Math.round(this.at));
    by('divider').setAttribute('aria-valuetext', `${Math.round(this.at)} % satellite`);
    this.range.value = this.opacity;
    // Only the image is clipped or faded: the controls stay whole, and the clipped part can still be dragged.
    const image = this.maps.above.getCanvas();
    image.style.clipPath = this.mode === 'swipe' ? `inset(0 0 0 ${this.at}%)` : '';
    image.style.opacity = this.mode === 'fade' ? this.opacity / 100 : '';
    for (const button of document.querySelectorAll('[data-mode]')) {
      button.setAttribute('aria-pressed', button.dataset.mode === this.mode);
    }
  }

  #drag(event) {
    by('divider').setPointerCapture(event.pointerId);
    const move = (e) => this.set({at: 100 * e.clientX / innerWidth});
    by('divider').addEventListener('pointermove', move);
    by('divider').addEventListener('lostpointercapture', () => by('divider').removeEventListener('pointermove', move), {once: true});
  }

  #key(event) {
    const [less, more] = [this.at - STEP, this.at + STEP];
    const positions = {
      ArrowLeft: less, ArrowDown: less, ArrowRight: more, ArrowUp: more, Home: 0, End: 100, PageUp: this.at - 10, PageDown: this.at + 10,
    };
    if (!(event.key in positions)) return;
    event.preventDefault();
    event.stopPropagation();
    this.set({at: positions[event.key]});
  }
}
