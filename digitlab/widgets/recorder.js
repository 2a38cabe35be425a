// A recorder in Jupyter: the browser records, the kernel gets the samples. digitRecording is
// recording.js, which stands before this in the module.

const LONGEST_S = 30; // Jupyter cuts the line at messages of 10 MB
const LARGEST_FILE = 40e6; // bytes: more is longer than that, and not worth decoding
const PATIENCE = 5000; // ms
const TOO_LONG =
  `This sound is too long: the recorder takes up to ${LONGEST_S} s. Cut it, or read it in Python` +
  " with digitlab.audio.read_wav.";
const NO_ANSWER =
  "Python has not answered yet. If the kernel is not busy, run the cell again.";
const GONE = "Python is gone: the kernel was restarted. Run the cell again.";
const IN_A_FRAME =
  "This notebook is shown in a frame that gets no microphone. Choose a sound file, or open the" +
  " notebook in JupyterLab.";

function part(parent, tag, properties) {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
}

// VS Code and some hosts show outputs in a frame to which the reader can allow nothing.
function isShutOut() {
  const policy = document.permissionsPolicy ?? document.featurePolicy;
  return location.protocol === "vscode-webview:" || policy?.allowsFeature("microphone") === false;
}

function explain(error) {
  return error.name === "NotAllowedError" && isShutOut() ? IN_A_FRAME : digitRecording.explain(error);
}

async function samplesOf(blob) {
  if (blob.size > LARGEST_FILE) throw new Error(TOO_LONG);
  const sound = await digitRecording.decode(await blob.arrayBuffer());
  if (sound.samples.length > LONGEST_S * sound.rate) throw new Error(TOO_LONG);
  return sound;
}

function build(el) {
  el.classList.add("recorder");
  el.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes the keys
  const prompt = part(el, "p", { className: "prompt" });
  const row = part(el, "p", {});
  const button = part(row, "button", { type: "button", className: "record", textContent: "Record" });
  const undo = part(row, "button", { type: "button", textContent: "Take the last one again" });
  const measured = part(row, "label", { textContent: "Level " });
  const level = part(measured, "meter", { min: 0, max: 1, low: 0.02, high: 0.95, optimum: 0.5 });
  level.hidden = true;
  const label = part(part(el, "p", {}), "label", { textContent: "or a sound file: " });
  const file = part(label, "input", { type: "file", accept: "audio/*" });
  const said = part(el, "output", {});
  said.setAttribute("aria-live", "polite");
  const playback = part(el, "audio", { controls: true, hidden: true });
  playback.setAttribute("aria-label", "The last recording");
  return { prompt, button, undo, level, file, said, playback };
}

function render({ model, el }) {
  const { prompt, button, undo, level, file, said, playback } = build(el);
  let isBusy = false;
  let waiting = null;

  const show = () => {
    clearTimeout(waiting);
    prompt.textContent = model.get("prompt");
    said.textContent = model.get("message");
    undo.hidden = !model.get("can_undo");
  };
  const send = (content, buffers) => {
    said.textContent = "";
    clearTimeout(waiting);
    try {
      model.send(content, undefined, buffers);
      waiting = setTimeout(() => (said.textContent = NO_ANSWER), PATIENCE);
    } catch {
      said.textContent = GONE;
    }
  };

  async function take(source) {
    said.textContent = "";
    try {
      const blob = await source();
      const { samples, rate } = await samplesOf(blob);
      URL.revokeObjectURL(playback.src);
      playback.src = URL.createObjectURL(blob);
      playback.hidden = false;
      send({ rate }, [samples.buffer]);
    } catch (error) {
      said.textContent = explain(error);
    }
  }

  button.addEventListener("click", async () => {
    if (isBusy) return; // the press that ends a recording
    isBusy = true;
    button.textContent = "Stop";
    button.classList.add("on");
    await take(() => digitRecording.record(button, level, model.get("seconds")));
    button.textContent = "Record";
    button.classList.remove("on");
    isBusy = false;
  });
  undo.addEventListener("click", () => send({ undo: true }));
  file.addEventListener("change", () => {
    const [chosen] = file.files;
    if (chosen) take(async () => chosen);
    file.value = ""; // the same file may be chosen again
  });
  model.on("msg:custom", show); // Python has taken what was sent
  model.on("change:prompt change:message change:can_undo", show);
  show();
  return () => {
    if (isBusy) button.click(); // the microphone is let go with the output
    clearTimeout(waiting);
    URL.revokeObjectURL(playback.src);
    model.off("msg:custom", show);
    model.off("change:prompt change:message change:can_undo", show);
  };
}

export default { render };
