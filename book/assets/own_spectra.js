// The reader's own recording in chapters 1, 3, 4, 13 and 16: its spectrum, its spectrogram, and what
// the recogniser makes of it when parts are erased. A display is a function of its place in the page
// and of the fields of own_chapters.js; it returns what shows a recording.

(() => {
  "use strict";
  const signals = globalThis.ownSignals;
  const pictures = globalThis.ownPictures;
  const displays = (globalThis.ownDisplays ??= {});
  const say = pictures.number;

  // ---------------------------------------------------------------- chapters 1 and 3: a spectrum
  const FRAME = 512; // samples
  const STEP = FRAME / 4; // from one place of the frame to the next
  const PADDED = 4096; // so that the curve of a frame is smooth
  const RANGE = 90; // dB

  // The waveform, and a band over the frame that begins at `start`, unless that is null.
  function paintFrame(pen, width, height, colours, { samples, rate }, start) {
    const place = pictures.waveform(pen, width, height, colours, samples, rate);
    if (start === null) return;
    const [left, right] = [place.x(start / rate), place.x((start + FRAME) / rate)];
    pen.fillStyle = colours.ink;
    pen.globalAlpha = 0.25;
    pen.fillRect(left, place.top, Math.max(3, right - left), place.bottom - place.top);
    pen.globalAlpha = 1;
  }

  function paintSpectrum(pen, width, height, colours, { hertz, levels }, peak) {
    const top = Math.ceil((peak.level + 5) / 10) * 10;
    const place = pictures.axes(pen, width, height, colours, {
      x: { from: 0, to: hertz.at(-1), name: "frequency [Hz]" },
      y: { from: top - RANGE, to: top, name: "level [dB; a sine of full scale: 0]" },
    });
    pictures.curve(pen, place, hertz, levels, colours.accent);
    pictures.dots(pen, place, [peak.hertz], [peak.level], colours.ink);
  }

  displays.spectrum = (parent, { choice, slider, sentence, element }) => {
    let recording = null;
    const row = element(parent, "div", { className: "fields" });
    const what = choice(row, "Spectrum of", [[true, "the whole word"], [false, "one frame"]], draw);
    const windows = choice(row, "Window", [[true, "Hann"], [false, "none"]], draw);
    const at = slider(
      parent,
      "The frame begins at",
      { min: 0, max: 1, value: 0, words: (i) => `${say((1000 * i * STEP) / 16000)} ms` },
      draw,
    );
    const said = sentence(parent);
    const wave = pictures.picture(parent, 130);
    const levels = pictures.picture(parent, 260);

    function draw() {
      if (!recording) return;
      const { samples, rate } = recording;
      const isWhole = what.value();
      at.row.hidden = isWhole;
      const start = isWhole ? 0 : at.value() * STEP;
      const part = isWhole ? samples : samples.slice(start, start + FRAME);
      const spectrum = signals.spectrum(part, rate, windows.value(), isWhole ? undefined : PADDED);
      const peak = signals.strongest(spectrum);
      said.textContent = part.some((value) => value)
        ? `Strongest peak: ${say(peak.hertz)} Hz, at ${say(peak.level, 1)} dB.`
        : "There is nothing but zeros here.";
      wave.draw(
        (...canvas) => paintFrame(...canvas, recording, isWhole ? null : start),
        `The waveform of your recording${isWhole ? "" : ", with the frame marked"}`,
      );
      levels.draw(
        (...canvas) => paintSpectrum(...canvas, spectrum, peak),
        `Its spectrum from 0 to ${say(rate / 2)} Hz. ${said.textContent}`,
      );
    }

    return (next) => {
      recording = next;
      const last = Math.max(0, Math.floor((next.samples.length - FRAME) / STEP));
      const loudest = signals.indexOfLargest(next.samples.map(Math.abs));
      at.set(Math.min(last, Math.max(0, Math.round((loudest - FRAME / 2) / STEP))), last);
      draw();
    };
  };

  // ---------------------------------------------------------------- chapter 4: a spectrogram
  const LENGTHS = [64, 128, 256, 512, 1024, 2048]; // samples
  const MOST = 900; // columns
  const BANDS = 64;
  const FLOOR = -70; // dB
  const HERTZ = [125, 250, 500, 1000, 2000, 4000, 8000];

  function paintSpectrogram(pen, width, height, colours, { samples, rate }, columns, isMel) {
    const mels = HERTZ.map((hertz) => [signals.mel(hertz), say(hertz)]);
    const y = isMel
      ? { from: 0, to: signals.mel(rate / 2), ticks: mels, name: "frequency [Hz], in even steps of mel" }
      : { from: 0, to: rate / 2, name: "frequency [Hz] (colours: dB below the strongest)" };
    const x = { from: 0, to: samples.length / rate, name: "time [s]" };
    const place = pictures.axes(pen, width, height, colours, { x, y, right: pictures.BAR });
    pictures.heatmap(pen, place, columns, FLOOR, 0);
    pictures.colourBar(pen, place, colours, FLOOR, 0, "dB");
  }

  displays.spectrogram = (parent, { choice, slider, sentence }) => {
    let recording = null;
    const words = (i) => `${say((1000 * LENGTHS[i]) / 16000)} ms, ${say(LENGTHS[i])} samples`;
    const length = slider(
      parent,
      "Length of the window",
      { min: 0, max: LENGTHS.length - 1, value: 3, words },
      draw,
    );
    const scale = choice(
      parent,
      "Frequencies",
      [[false, "linear, in hertz"], [true, `${BANDS} mel bands`]],
      draw,
    );
    const said = sentence(parent);
    const picture = pictures.picture(parent, 300);

    function draw() {
      if (!recording) return;
      const { samples, rate } = recording;
      const n = LENGTHS[length.value()];
      const isMel = scale.value();
      const hop = Math.max(n / 4, Math.ceil(samples.length / MOST));
      const powers = signals.spectrogram(samples, rate, n, hop, isMel ? Math.max(n, 512) : n);
      const columns = signals.levelsOf(isMel ? signals.melBands(powers, BANDS) : powers.columns);
      const seconds = n / rate;
      said.textContent =
        `A window of ${say(1000 * seconds)} ms: tones ${say(2 / seconds)} Hz apart begin to part; ` +
        `clicks ${say(750 * seconds)} ms apart are two.`;
      picture.draw(
        (...canvas) => paintSpectrogram(...canvas, recording, columns, isMel),
        `The ${isMel ? "mel " : ""}spectrogram of your recording. ${said.textContent}`,
      );
    }

    return (next) => {
      recording = next;
      length.set(length.value());
      draw();
    };
  };

  // ---------------------------------------------------------------- chapter 13: erase
  // The recogniser's log-mel picture has 65 frames, 16 ms apart, of 40 bands.
  const [N_FRAMES, N_BANDS, FRAME_S] = [65, 40, 0.016];

  // Set all levels in a rectangle to the lowest level of their band.
  function erase(frames, { first, last, low, high }) {
    const lowest = frames[0].map((_, band) => Math.min(...frames.map((frame) => frame[band])));
    const isInside = (frame, band) =>
      frame >= first && frame <= last && band >= low && band <= high;
    return frames.map((levels, frame) =>
      levels.map((level, band) => (isInside(frame, band) ? lowest[band] : level)),
    );
  }

  // Four sliders for a rectangle of frames and bands; `change` is called when one moves.
  function rectangleFields(parent, { element, slider }, change) {
    const group = element(parent, "fieldset");
    element(group, "legend", { textContent: "The rectangle" });
    const time = (i) => `${say(i * FRAME_S, 2)} s`;
    const band = (i) => `${i + 1}`;
    const sliders = [
      ["from", N_FRAMES - 1, time],
      ["to", N_FRAMES - 1, (i) => time(i + 1)],
      ["lowest mel band", N_BANDS - 1, band],
      ["highest mel band", N_BANDS - 1, band],
    ].map(([name, max, words]) => slider(group, name, { min: 0, max, value: 0, words }, change));
    const inOrder = (a, b) => [Math.min(a, b), Math.max(a, b)];
    return {
      value() {
        const [a, b, c, d] = sliders.map((one) => one.value());
        const [[first, last], [low, high]] = [inOrder(a, b), inOrder(c, d)];
        return { first, last, low, high };
      },
      set([frame, band], [otherFrame, otherBand]) {
        const values = [...inOrder(frame, otherFrame), ...inOrder(band, otherBand)];
        values.forEach((value, i) => sliders[i].set(value));
      },
    };
  }

  // Let the reader drag a rectangle over a canvas: `move` is called with two cells, `end` at last.
  // `place` says where the axes lie.
  function dragging(canvas, place, move, end) {
    let corner = null;
    let isMoved = false;
    canvas.classList.add("erasable");
    const share = (value, low, high, n) =>
      Math.min(Math.max(Math.floor((n * (value - low)) / (high - low)), 0), n - 1);
    const cellAt = ({ clientX, clientY }) => {
      const box = canvas.getBoundingClientRect();
      const { left, right, top, bottom } = place();
      const [x, y] = [clientX - box.left, clientY - box.top];
      return [share(x, left, right, N_FRAMES), share(y, bottom, top, N_BANDS)];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button || !place()) return;
      canvas.setPointerCapture(event.pointerId);
      corner = cellAt(event);
      isMoved = false;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!corner) return;
      isMoved = true;
      move(corner, cellAt(event));
    });
    canvas.addEventListener("pointerup", () => {
      corner = null;
      if (isMoved) end();
      isMoved = false;
    });
    canvas.addEventListener("pointercancel", () => (corner = null));
  }

  const paint = (...canvasAndFrames) => pictures.logMel(...canvasAndFrames, N_FRAMES * FRAME_S);

  // The log-mel picture with the outline of a rectangle; return where the axes lie.
  function paintErased(pen, width, height, colours, frames, { first, last, low, high }) {
    const place = paint(pen, width, height, colours, frames);
    const [left, right] = [first, last + 1].map((i) => place.x(i * FRAME_S));
    const [bottom, top] = [low, high + 1].map(place.y);
    pen.lineWidth = 2;
    for (const [colour, dashes] of [["#000", []], ["#fff", [6, 4]]]) {
      pen.strokeStyle = colour;
      pen.setLineDash(dashes);
      pen.strokeRect(left, top, right - left, bottom - top);
    }
    pen.setLineDash([]);
    return place;
  }

  // What the recogniser makes of the recording, and what it is given.
  displays.answer = (parent, fields) => {
    const said = fields.sentence(parent);
    const bars = fields.element(parent, "div", { className: "bars" });
    const changes = fields.element(parent, "p", { className: "note" });
    const picture = pictures.picture(parent, 240);

    return async ({ samples, rate }) => {
      const engine = await globalThis.ownRecording.recogniser();
      const { clip, done } = engine.prepare(samples, rate);
      const frames = engine.features(clip);
      const answer = engine.answer(clip, frames);
      said.textContent = `Recognised: ${pictures.heard(answer)}.`;
      pictures.bars(bars, answer.probabilities);
      changes.textContent = done.length ? `What was done to it: ${done.join("; ")}.` : "";
      picture.draw((...canvas) => paint(...canvas, frames), "The log-mel spectrogram of the word");
    };
  };

  displays.erase = (parent, fields) => {
    const picture = pictures.picture(parent, 280);
    const rectangle = rectangleFields(parent, fields, draw);
    const row = fields.element(parent, "p");
    const eraseIt = () => change(erase(frames, rectangle.value()));
    fields.button(row, "Erase the rectangle", eraseIt);
    fields.button(row, "Bring everything back", () => change(original));
    const said = fields.sentence(parent);
    const bars = fields.element(parent, "div", { className: "bars" });
    let [engine, clip, original, frames, before, place] = [];

    const move = (corner, other) => {
      rectangle.set(corner, other);
      draw();
    };
    dragging(picture.canvas, () => place, move, eraseIt);

    function draw() {
      if (!frames) return;
      picture.draw((...canvas) => {
        place = paintErased(...canvas, frames, rectangle.value());
      }, "The log-mel spectrogram that the recogniser gets, and a rectangle in it");
    }

    function change(next) {
      frames = next;
      const now = engine.answer(clip, frames);
      const isErased = (level, i) => level !== original[Math.floor(i / N_BANDS)][i % N_BANDS];
      const share = frames.flat().filter(isErased).length / (N_FRAMES * N_BANDS);
      said.textContent = share
        ? `${say(100 * share)} % of the picture has changed. ` +
          `Before: ${pictures.heard(before)}. Now: ${pictures.heard(now)}.`
        : `With all of it: ${pictures.heard(now)}.`;
      pictures.bars(bars, now.probabilities, before.probabilities);
      draw();
    }

    return async ({ samples, rate }) => {
      engine = await globalThis.ownRecording.recogniser();
      clip = engine.prepare(samples, rate).clip;
      original = engine.features(clip);
      before = engine.answer(clip, original);
      rectangle.set([20, 0], [40, 15]);
      change(original);
    };
  };
})();
