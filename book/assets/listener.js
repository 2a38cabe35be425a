// Say a digit: the page records it, or takes a sound file or an example, shows it, and says which
// digit it heard. The recogniser and its weights are loaded when somebody reaches for the listener.
// Nothing is sent anywhere: own_recording.js says where the recording is kept.

(() => {
  "use strict";
  const own = globalThis.ownRecording;
  const pictures = globalThis.ownPictures;

  const ROUNDS = 4; // until the browser has compiled what takes time

  const idle = () =>
    new Promise((resolve) =>
      globalThis.requestIdleCallback ? requestIdleCallback(resolve) : setTimeout(resolve, 200),
    );

  // Load the recogniser and let it answer a few times, so that the first real answer comes at once.
  async function warmUp() {
    await idle();
    const engine = await own.recogniser();
    const noise = Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i * i));
    for (let round = 0; round < ROUNDS; round++) {
      await idle();
      const file = own.writeWav(noise, own.RATE).buffer;
      const { samples, rate } = await globalThis.digitRecording.decode(file);
      engine.recognise(engine.resample(samples, rate, own.RATE), own.RATE);
    }
  }

  function bringToLife(listener) {
    const part = (name) => listener.querySelector(`.${name}`);
    const say = (text) => (part("answer").textContent = text);
    const waveform = pictures.picture(part("waveform"), 150);
    const spectrogram = pictures.picture(part("spectrogram"), 220);

    function draw(clip, frames, rate) {
      waveform.draw(
        (pen, width, height, colours) =>
          pictures.waveform(pen, width, height, colours, clip, rate),
        "The waveform of the word, as the recogniser gets it",
      );
      spectrogram.draw(
        (...canvas) => pictures.logMel(...canvas, frames, clip.length / rate),
        "Its log-mel spectrogram",
      );
    }

    async function answer() {
      const engine = await own.recogniser();
      const { samples, rate, wav, note } = own.get();
      const { clip, rate: clipRate, done } = engine.prepare(samples, rate);
      const frames = engine.features(clip);
      const given = engine.answer(clip, frames);
      say(`I heard: ${pictures.heard(given)}.`);
      const changes = note ? [`${note} taken`, ...done] : done;
      part("done").textContent = changes.length ? `What was done to it: ${changes.join("; ")}.` : "";
      pictures.bars(part("bars"), given.probabilities);
      part("result").hidden = false;
      part("last").hidden = true; // it is shown now
      setTimeout(draw, 0, clip, frames, clipRate); // the answer is seen before the pictures
      URL.revokeObjectURL(part("playback").src);
      part("playback").src = URL.createObjectURL(new Blob([wav], { type: "audio/wav" }));
      part("duration").textContent = `The recording, ${(samples.length / rate).toFixed(1)} s.`;
    }

    function follow(isOther) {
      const isThere = own.get() !== null;
      part("last").hidden = !isThere || !part("result").hidden;
      if (isThere || !isOther) return;
      URL.revokeObjectURL(part("playback").src);
      part("playback").removeAttribute("src");
      part("result").hidden = true;
    }

    globalThis.connectRecorder(listener, say, answer);
    own.onChange(follow);
    follow(true);
    part("last").addEventListener("click", async () => {
      await answer().catch((error) => say(error.message));
      part("record").focus(); // the button that was pressed has gone
    });
    let isWarm = false;
    const reach = () => {
      if (!isWarm) warmUp().catch(() => {}); // an answer will say what is wrong
      isWarm = true;
    };
    for (const event of ["pointerenter", "focusin", "dragenter"])
      listener.addEventListener(event, reach);
    listener.hidden = false;
  }

  document.querySelectorAll(".listener").forEach(bringToLife);
})();
