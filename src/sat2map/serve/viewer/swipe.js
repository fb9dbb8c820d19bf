// How much of the upper map is shown: the part on the right of a divider, or all of it with an opacity.
const STEP = 2;

export class Swipe {
  constructor(onChange) {
    this.divider = document.getElementById('divider');
    this.above = document.getElementById('above');
    this.fading = document.getElementById('fading');
    this.range = this.fading.querySelector('input');
    this.onChange = onChange;
    this.mode = 'swipe';
    this.at = 50;
    this.opacity = 100;
    this.divider.addEventListener('pointerdown', (event) => this.#drag(event));
    this.divider.addEventListener('keydown', (event) => this.#key(event));
    this.range.addEventListener('input', () => this.set({opacity: Number(this.range.value)}));
    for (const button of document.querySelectorAll('[data-mode]')) {
      button.addEventListener('click', () => this.set({mode: button.dataset.mode}));
    }
  }

  set({mode = this.mode, at = this.at, opacity = this.opacity}) {
    this.mode = mode;
    this.at = Math.min(100, Math.max(0, at));
    this.opacity = Math.min(100, Math.max(0, opacity));
    this.#draw();
    this.onChange();
  }

  #draw() {
    const swiping = this.mode === 'swipe';
    this.divider.hidden = !swiping;
    this.fading.hidden = swiping;
    this.divider.style.left = `${this.at}%`;
    this.divider.setAttribute('aria-valuenow', Math.round(this.at));
    this.divider.setAttribute('aria-valuetext', `${Math.round(this.at)} % satellite`);
    this.range.value = this.opacity;
    // Only the image is clipped or faded: the controls stay whole, and the clipped part can still be dragged.
    const image = this.above.querySelector('.maplibregl-canvas');
    image.style.clipPath = swiping ? `inset(0 0 0 ${this.at}%)` : '';
    image.style.opacity = swiping ? '' : this.opacity / 100;
    for (const button of document.querySelectorAll('[data-mode]')) {
      button.setAttribute('aria-pressed', button.dataset.mode === this.mode);
    }
  }

  #drag(event) {
    this.divider.setPointerCapture(event.pointerId);
    const move = (e) => this.set({at: 100 * e.clientX / this.above.clientWidth});
    this.divider.addEventListener('pointermove', move);
    this.divider.addEventListener('lostpointercapture', () => this.divider.removeEventListener('pointermove', move), {once: true});
  }

  #key(event) {
    const positions = {ArrowLeft: this.at - STEP, ArrowRight: this.at + STEP, Home: 0, End: 100, PageUp: this.at - 10, PageDown: this.at + 10};
    if (!(event.key in positions)) return;
    event.preventDefault();
    event.stopPropagation();
    this.set({at: positions[event.key]});
  }
}
