// Say a digit: the page records it, or takes a sound file or an example, shows it, and says which
// digit it heard. The recogniser and its weights are loaded when they are first wanted. Nothing is
// sent anywhere: the recording lives in this page and is gone with it.

(() => {
  "use strict";
  const SECONDS = 2.5; // a recording ends by itself
  const WORDS = "zero one two three four five six seven eight nine".split(" ");
  const SCRIPTS = ["recogniser_weights.js", "recogniser_example.js", "recogniser.js"];
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const recording = () => globalThis.digitRecording; // recording.js, which stands before this script
  let loaded = null;

  function loadScript(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = folder + name;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${name} is missing beside this page.`));
      document.head.append(script);
    });
  }

  function recogniser() {
    loaded ??= SCRIPTS.reduce(
      (before, name) => before.then(() => loadScript(name)),
      Promise.resolve(),
    ).catch((error) => {
      loaded = null; // a later try may succeed
      throw error;
    });
    return loaded.then(() => globalThis.digitRecogniser);
  }

  function drawWaveform(canvas, samples) {
    const { width, height } = canvas;
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = getComputedStyle(canvas).color;
    const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    for (let x = 0; x < width; x++) {
      const from = Math.floor((x * samples.length) / width);
      const part = samples.slice(from, Math.floor(((x + 1) * samples.length) / width) + 1);
      const high = part.reduce((most, value) => Math.max(most, value), -peak) / peak;
      const low = part.reduce((least, value) => Math.min(least, value), peak) / peak;
      pen.fillRect(x, ((1 - high) * height) / 2, 1, Math.max(1, ((high - low) * height) / 2));
    }
  }

  // Levels from -2.5 (dark) to 1.5 (bright), time to the right, frequency upwards.
  function drawSpectrogram(canvas, frames) {
    const pen = canvas.getContext("2d");
    const [width, height] = [canvas.width / frames.length, canvas.height / frames[0].length];
    frames.forEach((bands, frame) =>
      bands.forEach((level, band) => {
        const share = Math.min(Math.max((level + 2.5) / 4, 0), 1);
        pen.fillStyle = `hsl(${270 + 130 * share} 80% ${8 + 77 * share}%)`;
        pen.fillRect(width * frame, canvas.height - height * (band + 1), width + 1, height + 1);
      }),
    );
  }

  function bringToLife(listener) {
    const part = (name) => listener.querySelector(`.${name}`);
    const button = part("record");
    const say = (text) => (part("answer").textContent = text);

    async function answer(blob) {
      const engine = await recogniser();
      const { samples, rate } = await recording().decode(await blob.arrayBuffer());
      const { clip, done } = engine.prepare(samples, rate);
      const { label, probabilities } = engine.answer(clip);
      const percent = (p) => `${Math.round(100 * p)} %`;
      const heard = WORDS[label] ? `${WORDS[label]}, ${percent(probabilities[label])}` : "no digit";
      say(`I heard: ${heard}.`);
      part("done").textContent = done.length ? `What was done to it: ${done.join("; ")}.` : "";
      part("bars").replaceChildren(
        ...WORDS.map((word, digit) => {
          const row = document.createElement("label");
          const bar = document.createElement("meter");
          bar.value = probabilities[digit];
          const share = document.createElement("span");
          share.textContent = percent(probabilities[digit]);
          row.append(`${digit} ${word}`, bar, share);
          return row;
        }),
      );
      drawWaveform(part("waveform"), clip);
      drawSpectrogram(part("spectrogram"), engine.features(clip));
      URL.revokeObjectURL(part("playback").src);
      part("playback").src = URL.createObjectURL(blob);
      part("duration").textContent = `The recording, ${(samples.length / rate).toFixed(1)} s.`;
      part("result").hidden = false;
    }

    async function attempt(source) {
      say("");
      try {
        await answer(await source());
      } catch (error) {
        say(recording().explain(error));
      }
    }

    button.addEventListener("click", async () => {
      if (button.dataset.busy) return; // the press that ends a recording
      button.dataset.busy = "yes";
      button.textContent = "Stop";
      await attempt(() => recording().record(button, part("level"), SECONDS));
      delete button.dataset.busy;
      button.textContent = "Record a digit";
    });
    part("file").addEventListener("change", (event) => {
      const [file] = event.target.files;
      if (file) attempt(async () => file);
    });
    part("example").addEventListener("click", () =>
      attempt(async () => {
        await recogniser();
        const bytes = Uint8Array.from(atob(globalThis.exampleRecording), (c) => c.charCodeAt(0));
        return new Blob([bytes], { type: "audio/wav" });
      }),
    );
    part("forget").addEventListener("click", () => {
      URL.revokeObjectURL(part("playback").src);
      part("playback").removeAttribute("src");
      part("result").hidden = true;
      say("Forgotten.");
      button.focus();
    });
    listener.hidden = false;
  }

  document.querySelectorAll(".listener").forEach(bringToLife);
})();
