// Uploads: images that are dropped on the page, chosen or pasted are sent to the server, which makes scenes of them.
import {note} from '/viewer/panel.js';
import {patientFetch} from '/viewer/tiles.js';

export function startDrop(onScene) {
  const zone = document.getElementById('dropzone');
  const file = document.getElementById('file');
  const send = async (image) => {
    if (!image) return;
    note(`Opening ${image.name} …`, {keep: true});
    try {
      const response = await patientFetch(`/scenes?name=${encodeURIComponent(image.name.slice(-200))}`, {method: 'POST', body: image});
      const answer = await response.json();
      if (!response.ok) throw new Error([answer.error, answer.hint].filter(Boolean).join(': '));
      note(null);
      onScene(answer);
    } catch (error) {
      note(`${image.name}: ${error.message}`, {error: true});
    }
  };
  document.getElementById('open').addEventListener('click', () => file.click());
  file.addEventListener('change', () => { send(file.files[0]); file.value = ''; });
  addEventListener('paste', (event) => send([...event.clipboardData.files][0]));
  // Entering a child is leaving its parent: the zone covers everything as soon as it is shown.
  addEventListener('dragenter', (event) => { if (event.dataTransfer.types.includes('Files')) zone.hidden = false; });
  zone.addEventListener('dragleave', () => { zone.hidden = true; });
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    zone.hidden = true;
    send(event.dataTransfer.files[0]);
  });
}
