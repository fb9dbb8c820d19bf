// Printing: what WebGL shows is gone when a page is printed, so it is copied to plain canvases first.
import {by} from '/viewer/dom.js';

export function startPrint(maps, title) {
  addEventListener('beforeprint', () => {
    by('print-title').textContent = title();
    const copies = maps.both.map((map) => {
      const canvas = map.getCanvas();
      const copy = document.createElement('canvas');
      copy.width = canvas.width;
      copy.height = canvas.height;
      map.redraw();  // its pixels can be read in this turn alone
      const pen = copy.getContext('2d');
      pen.drawImage(canvas, 0, 0);
      return {copy, clip: canvas.style.clipPath, opacity: canvas.style.opacity};
    });
    for (const {copy, clip, opacity} of copies) Object.assign(copy.style, {clipPath: clip, opacity});
    by('print').replaceChildren(...copies.map(({copy}) => copy));
    by('print').classList.toggle('side', maps.isSide);
  });
  addEventListener('afterprint', () => by('print').replaceChildren());
}
