// Uploads: images that are dropped on the page, chosen or pasted are sent to the server, which makes scenes of them.
import {by} from '/viewer/dom.js';
import {note} from '/viewer/notes.js';
import {errorText, patientFetch} from '/viewer/tiles.js';

/** Change a dropped scene, or make one; returns the scene, and null where there is none afterwards. */
export async function send(url, options) {
  const response = await patientFetch(url, options);
  if (response.status === 204) return null;
  const answer = await response.json();
  if (!response.ok) throw new Error(errorText(answer));
  return answer;
}

export function startDrop(onScene) {
  const zone = by('dropzone');
  const file = by('file');
  const open = async (name, url, body) => {
    note(`Opening ${name} …`, {keep: true});
    try {
      const scene = await send(url, {method: 'POST', body});
      note(null);
      onScene(scene);
    } catch (error) {
      note(`${name}: ${error.message}`, {error: true});
    }
  };
  const upload = (image) => {
    if (image) open(image.name, `/scenes?name=${encodeURIComponent(image.name.slice(-200))}`, image);
  };
  for (const button of document.querySelectorAll('[data-open]')) button.addEventListener('click', () => file.click());
  by('example').addEventListener('click', () => open('the example', '/scenes/example'));
  file.addEventListener('change', () => { upload(file.files[0]); file.value = ''; });
  addEventListener('paste', (event) => upload([...event.clipboardData.files][0]));
  // Entering a child is leaving its parent: the zone covers everything as soon as it is shown.
  addEventListener('dragenter', (event) => { if (event.dataTransfer.types.includes('Files')) zone.hidden = false; });
  zone.addEventListener('dragleave', () => { zone.hidden = true; });
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    zone.hidden = true;
    upload(event.dataTransfer.files[0]);
  });
}
