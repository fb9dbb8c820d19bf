// Downloads of what is in view: a PNG as on the screen, or a GeoTIFF at the resolution and in the CRS of the scene.
import {note} from '/viewer/panel.js';
import {patientFetch} from '/viewer/tiles.js';

const LARGEST_PX = 4096;

function address(maps, layer, hidden, format) {
  const box = maps.inView();
  if (!box) throw new Error('nothing of the scene is in view');
  const hide = hidden.map((name) => `&hide=${encodeURIComponent(name)}`).join('');
  const start = `/scenes/${maps.scene.id}/${layer}/bbox/${box.join(',')}`;
  if (format === 'tif') return `${start}.tif?max_size=${LARGEST_PX}&dst_crs=${encodeURIComponent(maps.scene.crs)}${hide}`;
  const [west, south, east, north] = box;
  const a = maps.above.project([west, north]);
  const b = maps.above.project([east, south]);
  const shown = [b.x - a.x, b.y - a.y].map((side) => Math.max(1, Math.round(side * devicePixelRatio)));
  const shrink = Math.min(1, LARGEST_PX / Math.max(...shown));
  const [width, height] = shown.map((side) => Math.max(1, Math.floor(side * shrink)));
  return `${start}/${width}x${height}.png?dst_crs=EPSG:3857${hide}`;
}

export async function download(maps, layer, hidden, format) {
  try {
    const url = address(maps, layer, hidden, format);
    for (;;) {
      const response = await patientFetch(url);
      if (!response.ok) throw new Error((await response.json()).error);
      if (!response.headers.get('X-Sat2map-Pending')) {
        save(await response.blob(), `${maps.scene.name}-${layer}.${format}`);
        note('Saved what is in view');
        return;
      }
      note('Drawing what is in view, then saving it …', {keep: true});
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
  } catch (error) {
    note(`It cannot be saved: ${error.message}`, {error: true});
  }
}

function save(blob, name) {
  const link = Object.assign(document.createElement('a'), {href: URL.createObjectURL(blob), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
