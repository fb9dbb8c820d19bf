// A sheet for reports: the map as a PNG with title, legend, scale bar, north arrow and attribution, on white.
import {lengthM, lengthText} from '/viewer/geodesy.js';

const FONT = 'system-ui, "Segoe UI", Roboto, sans-serif';
const INK = '#17202a';
const NARROWEST_PX = 420;

/** Draw the sheet around an image of a box (west, south, east, north in degrees); returns it as a PNG. */
export function sheet(image, {scene, layer, box, classes, hidden, confident, model}) {
  const unit = Math.max(1, Math.min(3, Math.max(image.width, image.height) / 900));
  const margin = 24 * unit;
  const rows = layer === 'map' ? classes.filter(({name}) => !hidden.includes(name)) : [];
  const width = Math.max(image.width, NARROWEST_PX * unit);
  const columns = Math.max(1, Math.floor(width / (130 * unit)));
  const legendHeight = 26 * unit * (Math.ceil(rows.length / columns) || 1);
  const canvas = document.createElement('canvas');
  canvas.width = width + 2 * margin;
  canvas.height = image.height + legendHeight + margin * 5.4;
  const pen = canvas.getContext('2d');
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.textBaseline = 'middle';
  pen.fillStyle = INK;
  pen.font = `600 ${19 * unit}px ${FONT}`;
  pen.fillText(scene.name, margin, margin * 1.2, width);
  const left = margin + (width - image.width) / 2;
  const top = margin * 2.1;
  pen.drawImage(image, left, top);
  pen.strokeStyle = '#8a949e';
  pen.lineWidth = unit;
  pen.strokeRect(left, top, image.width, image.height);
  const under = top + image.height + margin * 0.9;
  if (rows.length) drawLegend(pen, rows, {left: margin, top: under, unit, columns});
  else drawRamp(pen, confident, {left: margin, top: under, unit});
  const footer = under + legendHeight + margin * 0.5;
  if (scene.has_georeference) {
    drawScale(pen, metresPerPixel(box, image.width), {left: margin, top: footer, unit});
    drawNorth(pen, {right: canvas.width - margin, top: footer, unit});
  }
  pen.font = `${11 * unit}px ${FONT}`;
  pen.fillStyle = '#4a5560';
  const source = scene.attribution ? `Image: ${scene.attribution}. ` : '';
  pen.fillText(`${source}Map: sat2map, model ${model.name}, licence of its weights: ${model.licence}`, margin, canvas.height - margin * 0.7, width);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

function metresPerPixel([west, south, east, north], width) {
  const lat = (south + north) / 2;
  return lengthM([[west, lat], [east, lat]]) / width;
}

function drawLegend(pen, rows, {left, top, unit, columns}) {
  pen.font = `${13 * unit}px ${FONT}`;
  rows.forEach(({name, colour}, i) => {
    const x = left + (i % columns) * 130 * unit;
    const y = top + Math.floor(i / columns) * 26 * unit;
    box(pen, colour, x, y - 8 * unit, 24 * unit, 16 * unit, unit);
    pen.fillStyle = INK;
    pen.fillText(name, x + 32 * unit, y);
  });
}

function drawRamp(pen, colours, {left, top, unit}) {
  const ramp = pen.createLinearGradient(left + 60 * unit, 0, left + 260 * unit, 0);
  colours.forEach((stop, i) => ramp.addColorStop(i / (colours.length - 1), stop));
  box(pen, ramp, left + 60 * unit, top - 8 * unit, 200 * unit, 16 * unit, unit);
  pen.font = `${13 * unit}px ${FONT}`;
  pen.fillStyle = INK;
  pen.fillText('unsure', left, top);
  pen.fillText('sure', left + 268 * unit, top);
}

function box(pen, fill, x, y, width, height, unit) {
  pen.fillStyle = fill;
  pen.fillRect(x, y, width, height);
  pen.strokeStyle = '#8a949e';
  pen.lineWidth = unit;
  pen.strokeRect(x, y, width, height);
}

/** The longest of 1, 2, 5, 10 … metres that takes at most a width in pixels. */
function roundLength(metres) {
  const power = 10 ** Math.floor(Math.log10(metres));
  return power * [5, 2, 1].find((step) => step * power <= metres);
}

function drawScale(pen, metres, {left, top, unit}) {
  const length = roundLength(metres * 170 * unit);
  const width = length / metres;
  pen.fillStyle = INK;
  pen.fillRect(left, top, width / 2, 7 * unit);
  box(pen, '#fff', left + width / 2, top, width / 2, 7 * unit, unit);
  pen.strokeStyle = INK;
  pen.strokeRect(left, top, width, 7 * unit);
  pen.font = `${12 * unit}px ${FONT}`;
  pen.fillStyle = INK;
  pen.fillText(lengthText(length), left + width + 8 * unit, top + 4 * unit);
}

function drawNorth(pen, {right, top, unit}) {
  const x = right - 12 * unit;
  pen.fillStyle = INK;
  pen.beginPath();
  pen.moveTo(x, top - 12 * unit);
  pen.lineTo(x + 8 * unit, top + 10 * unit);
  pen.lineTo(x, top + 5 * unit);
  pen.lineTo(x - 8 * unit, top + 10 * unit);
  pen.fill();
  pen.font = `600 ${13 * unit}px ${FONT}`;
  pen.fillText('N', x - 26 * unit, top);
}
