// What takes a recording, wherever it stands: a button that records, an example, a file that is
// chosen or dropped; and what keeps or forgets it. listener.js and own_chapters.js bring the markup,
// in which each part has its name as a class.

globalThis.connectRecorder = (root, say, taken) => {
  "use strict";
  const SECONDS = 2.5; // a recording ends by itself
  const own = globalThis.ownRecording;
  const recording = globalThis.digitRecording;
  const part = (name) => root.querySelector(`.${name}`);
  const button = part("record");
  const label = button.textContent;

  async function attempt(source) {
    say("");
    try {
      const { samples, rate } = await source();
      await own.take(samples, rate);
      await taken();
    } catch (error) {
      say(recording.explain(error));
    }
  }

  async function record() {
    button.dataset.busy = "yes";
    button.textContent = "Stop";
    let blob;
    try {
      blob = await recording.record(button, part("level"), SECONDS);
    } finally {
      delete button.dataset.busy;
      button.textContent = label;
    }
    return recording.decode(await blob.arrayBuffer());
  }

  button.addEventListener("click", () => {
    if (!button.dataset.busy) attempt(record); // else it is the press that ends a recording
  });
  part("example").addEventListener("click", () => attempt(async () => recording.open(await own.example())));
  part("file").addEventListener("change", ({ target }) => {
    const [file] = target.files;
    if (file) attempt(() => recording.open(file));
    target.value = ""; // the same file may be chosen again
  });

  for (const event of ["dragenter", "dragover"])
    root.addEventListener(event, (drag) => {
      if (!drag.dataTransfer?.types.includes("Files")) return;
      drag.preventDefault();
      root.classList.add("drop-here");
    });
  root.addEventListener("dragleave", (drag) => {
    if (!root.contains(drag.relatedTarget)) root.classList.remove("drop-here");
  });
  root.addEventListener("drop", (drag) => {
    root.classList.remove("drop-here");
    const [file] = drag.dataTransfer?.files ?? [];
    if (!file) return;
    drag.preventDefault(); // the browser would leave the page for the file
    attempt(() => recording.open(file));
  });

  part("forget").addEventListener("click", () => {
    own.forget();
    say("Forgotten.");
    button.focus();
  });
  part("remember").addEventListener("change", ({ target }) => {
    if (!own.remember(target.checked)) say("This browser lets the page remember nothing.");
  });

  function showWhereItIsKept() {
    part("remember").checked = own.isRemembered();
    const isHereAlone = own.get() !== null && !own.isKept();
    part("kept").textContent = isHereAlone
      ? "This browser keeps nothing for other pages, so the recording is in this page alone."
      : "";
  }
  own.onChange(showWhereItIsKept);
  showWhereItIsKept();
};
