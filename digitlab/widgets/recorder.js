// A recorder in Jupyter: the browser records, the kernel gets the samples. digitRecording is
// recording.js, which stands before this in the module.

function part(parent, tag, properties) {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
}

function render({ model, el }) {
  el.classList.add("recorder");
  const prompt = part(el, "p", { className: "prompt" });
  const row = part(el, "p", {});
  const button = part(row, "button", { type: "button", textContent: "Record" });
  const level = part(row, "meter", { min: 0, max: 1, hidden: true });
  level.setAttribute("aria-label", "level of the microphone");
  const label = part(row, "label", { textContent: " or a sound file: " });
  const file = part(label, "input", { type: "file", accept: "audio/*" });
  const said = part(el, "output", {});
  said.setAttribute("aria-live", "polite");
  const playback = part(el, "audio", { controls: true, hidden: true });
  let isBusy = false;

  const show = () => {
    prompt.textContent = model.get("prompt");
    said.textContent = model.get("message");
  };

  async function take(source) {
    try {
      const blob = await source();
      const { samples, rate } = await digitRecording.decode(await blob.arrayBuffer());
      URL.revokeObjectURL(playback.src);
      playback.src = URL.createObjectURL(blob);
      playback.hidden = false;
      model.set("rate", rate);
      model.set("sound", new DataView(samples.buffer));
      model.save_changes();
    } catch (error) {
      said.textContent = digitRecording.explain(error);
    }
  }

  button.addEventListener("click", async () => {
    if (isBusy) return; // the press that ends a recording
    isBusy = true;
    button.textContent = "Stop";
    said.textContent = "";
    await take(() => digitRecording.record(button, level, model.get("seconds")));
    button.textContent = "Record";
    isBusy = false;
  });
  file.addEventListener("change", () => {
    const [chosen] = file.files;
    if (chosen) take(async () => chosen);
    file.value = ""; // the same file may be chosen again
  });
  model.on("change:prompt", show);
  model.on("change:message", show);
  show();
}

export default { render };
