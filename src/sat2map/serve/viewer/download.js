// Downloads of the view or the scene: files that the server makes, and a PNG with legend that is made here.
import {note} from '/viewer/notes.js';
import {sheet} from '/viewer/sheet.js';
import {drawnFetch, hideQuery} from '/viewer/tiles.js';

const LARGEST_PX = 4096;

/** Save the view or the scene; `shown` is {layer, hidden, classes, confident, model}. */
export async function download(maps, shown, part, format) {
  try {
    const box = part === 'view' ? maps.inView() : maps.scene.bounds;
    if (!box) throw new Error('nothing of the scene is in view');
    const blob = format === 'png' ? await asSheet(maps, shown, box) : await fileOf(maps.scene, shown.layer, part === 'view' ? box : null, format);
    save(blob, `${maps.scene.name}-${format === 'classes' ? 'classes.tif' : `${shown.layer}.${format}`}`);
    note(`Saved the ${part}`);
  } catch (error) {
    note(`It cannot be saved: ${error.message}`, {error: true});
  }
}

const waiting = ({n_windows: all, n_windows_done: done} = {}) => {
  note(`Drawing it first${all ? `: ${done} of ${all} windows` : ''} …`, {keep: true});
};

async function fileOf(scene, layer, box, format) {
  const query = new URLSearchParams(box ? {bbox: box.join(',')} : {});
  if (format !== 'gpkg') query.set('product', format === 'classes' ? 'classes' : layer);
  note('Making the file …', {keep: true});
  const response = await drawnFetch(`/scenes/${scene.id}/export.${format === 'gpkg' ? 'gpkg' : 'tif'}?${query}`, {onWait: waiting});
  return response.blob();
}

async function asSheet(maps, {layer, hidden, ...legend}, box) {
  const [west, south, east, north] = box;
  const a = maps.above.project([west, north]);
  const b = maps.above.project([east, south]);
  const shown = [b.x - a.x, b.y - a.y].map((side) => Math.max(1, Math.round(side * devicePixelRatio)));
  const shrink = Math.min(1, LARGEST_PX / Math.max(...shown));
  const [width, height] = shown.map((side) => Math.max(1, Math.floor(side * shrink)));
  const url = `/scenes/${maps.scene.id}/${layer}/bbox/${box.join(',')}/${width}x${height}.png?dst_crs=EPSG:3857${hideQuery(hidden)}`;
  for (;;) {
    const response = await drawnFetch(url);
    if (!response.headers.get('X-Sat2map-Pending')) {
      return sheet(await createImageBitmap(await response.blob()), {scene: maps.scene, layer, box, hidden, ...legend});
    }
    waiting();
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
}

function save(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
