// The reader's own recording in chapter 2: at a lower rate, with fewer bits, and its file byte by
// byte. A display is a function of its place in the page and of the fields of own_chapters.js; it
// returns what shows a recording.

(() => {
  "use strict";
  const own = globalThis.ownRecording;
  const signals = globalThis.ownSignals;
  const pictures = globalThis.ownPictures;
  const displays = (globalThis.ownDisplays ??= {});
  const say = pictures.number;
  const seconds = (samples, rate) => `${(samples.length / rate).toFixed(1)} s`;

  // Some milliseconds around a place: their times and samples.
  function excerpt(samples, rate, middle, milliseconds) {
    const n = Math.min(Math.round((milliseconds / 1000) * rate), samples.length);
    const first = Math.min(Math.max(Math.round(middle - n / 2), 0), samples.length - n);
    const times = Float64Array.from({ length: n }, (_, i) => (1000 * (first + i)) / rate);
    return { times, values: samples.subarray(first, first + n), first };
  }

  const span = (times) => ({ from: times[0], to: times.at(-1), name: "time [ms]" });

  // ---------------------------------------------------------------- another sampling rate
  // The recording at a lower rate, with or without a filter, and back at its own, to be heard.
  function atLowerRate({ samples, rate }, newRate, isFiltered) {
    const filtered = signals.resample(samples, rate, newRate);
    const kept = isFiltered ? filtered : signals.everyNth(samples, rate / newRate);
    const back = (values) => signals.resample(values, newRate, rate);
    return { kept, heard: back(kept), below: back(filtered) };
  }

  // What lay above half the new rate, and what became of it, in words.
  function fateOf({ samples, rate }, newRate, isFiltered, below) {
    const above = samples.map((value, i) => value - (below[i] ?? 0));
    const share = signals.powerOf(above) / (signals.powerOf(samples) || 1);
    const tone = signals.strongest(signals.spectrum(samples, rate, true), newRate / 2).hertz;
    const percent = share < 0.0005 ? "less than 0.1" : say(100 * share, 1);
    const fate = isFiltered
      ? "is removed"
      : `now sounds at ${say(signals.folded(tone, newRate))} Hz`;
    const words =
      `Above ${say(newRate / 2)} Hz, half the new rate, lay ${percent} % of the power. ` +
      `The strongest tone there, of ${say(tone)} Hz, ${fate}.`;
    return { words, middle: signals.indexOfLargest(above.map(Math.abs)) };
  }

  function paintSpectra(pen, width, height, colours, { samples, rate }, kept, newRate) {
    const nFft = 1024;
    const before = signals.smoothSpectrum(samples, rate, nFft);
    const after = signals.smoothSpectrum(kept, newRate, (nFft * newRate) / rate);
    const top = Math.ceil((Math.max(...before.levels) + 5) / 10) * 10;
    const place = pictures.axes(pen, width, height, colours, {
      x: { from: 0, to: rate / 2, name: "frequency [Hz]; grey: as recorded" },
      y: { from: top - 80, to: top, name: "level [dB; a sine of full scale: 0]" },
    });
    pictures.curve(pen, place, before.hertz, before.levels, colours.faint, 1);
    pictures.curve(pen, place, after.hertz, after.levels, colours.accent, 2);
    pictures.inside(pen, place, () => {
      pen.setLineDash([4, 4]);
      pen.strokeStyle = colours.ink;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(place.x(newRate / 2), place.top);
      pen.lineTo(place.x(newRate / 2), place.bottom);
      pen.stroke();
      pen.setLineDash([]);
    });
  }

  function paintSamples(pen, width, height, colours, { samples, rate }, lower, newRate, middle) {
    const was = excerpt(samples, rate, middle, 8);
    const heard = excerpt(lower.heard, rate, was.first + was.values.length / 2, 8);
    const peak = 1.1 * Math.max(1e-4, ...was.values.map(Math.abs), ...heard.values.map(Math.abs));
    const place = pictures.axes(pen, width, height, colours, {
      x: { ...span(was.times), name: "time [ms]; dots: the samples that are kept" },
      y: { from: -peak, to: peak, name: "amplitude [full scale]" },
    });
    pictures.curve(pen, place, was.times, was.values, colours.faint, 1);
    pictures.curve(pen, place, heard.times, heard.values, colours.accent, 2);
    const { times, values } = excerpt(lower.kept, newRate, (middle * newRate) / rate, 16);
    pictures.dots(pen, place, times, values, colours.ink);
  }

  displays.aliasing = (parent, { element, choice, tickBox, sentence, player }) => {
    const rates = [8000, 4000, 2000].map((rate) => [rate, `${say(rate)} Hz`]);
    const row = element(parent, "div", { className: "fields" });
    const rateField = choice(row, "New sampling rate", rates, draw, 1);
    const filterField = tickBox(row, "with a low-pass filter before it", draw);
    const said = sentence(parent);
    const sound = player(parent, "Your recording at the new rate");
    const spectra = pictures.picture(parent, 240);
    const wave = pictures.picture(parent, 200);
    let recording = null;

    function draw() {
      if (!recording) return;
      const newRate = rateField.value();
      const isFiltered = filterField.checked;
      const { rate } = recording;
      const lower = atLowerRate(recording, newRate, isFiltered);
      const { words, middle } = fateOf(recording, newRate, isFiltered, lower.below);
      said.textContent = words;
      const how = isFiltered ? "filtered first" : `one sample in ${rate / newRate}, no filter`;
      const wav = own.writeWav(lower.heard, rate);
      sound.set(wav, `${say(newRate)} Hz, ${how}, ${seconds(lower.heard, rate)}.`);
      spectra.draw(
        (...canvas) => paintSpectra(...canvas, recording, lower.kept, newRate),
        `Two spectra, before and after. ${words}`,
      );
      wave.draw(
        (...canvas) => paintSamples(...canvas, recording, lower, newRate, middle),
        "8 ms of the waveform, the samples that are kept, and the curve through them",
      );
    }

    return (next) => {
      recording = next;
      draw();
    };
  };

  // ---------------------------------------------------------------- fewer bits
  function paintLevels(pen, width, height, colours, samples, rounded, rate) {
    const middle = signals.indexOfLargest(samples.map(Math.abs));
    const was = excerpt(samples, rate, middle, 20);
    const now = excerpt(rounded, rate, middle, 20);
    const place = pictures.axes(pen, width, height, colours, {
      x: { ...span(was.times), name: "time [ms]; grey: before rounding" },
      y: { from: -1.1, to: 1.1, name: "amplitude [full scale]" },
    });
    pictures.curve(pen, place, was.times, was.values, colours.faint, 1);
    const half = 500 / rate; // ms: a sample is drawn as a step around its time
    const steps = Array.from(now.times).flatMap((time) => [time - half, time + half]);
    const levels = Array.from(now.values).flatMap((value) => [value, value]);
    pen.lineWidth = 1.5;
    pictures.inside(pen, place, () => {
      pen.strokeStyle = colours.accent;
      pen.beginPath();
      steps.forEach((time, i) => pen.lineTo(place.x(time), place.y(levels[i])));
      pen.stroke();
    });
  }

  displays.quantisation = (parent, { tickBox, slider, sentence, player }) => {
    const words = (bits) => `${bits} ${bits === 1 ? "bit" : "bits"}, ${say(2 ** bits)} levels`;
    const bitsField = slider(parent, "Bits a sample", { min: 1, max: 16, value: 8, words }, draw);
    const ditherField = tickBox(parent, "with dither", draw);
    const said = sentence(parent);
    const sound = player(parent, "Your recording, rounded");
    const picture = pictures.picture(parent, 220);
    let recording = null;

    function draw() {
      if (!recording) return;
      const { rate } = recording;
      const bits = bitsField.value();
      const samples = signals.scaledToPeak(recording.samples);
      const rounded = signals.quantise(samples, bits, ditherField.checked);
      const snr = signals.signalToNoise(samples, rounded);
      const ratio = Number.isFinite(snr)
        ? `Signal-to-noise ratio: ${say(snr, 1)} dB.`
        : "Nothing was lost: there is no error.";
      said.textContent = `Scaled to a peak of 1 and rounded to ${words(bits)}. ${ratio}`;
      const dither = ditherField.checked ? ", with dither" : "";
      sound.set(
        own.writeWav(rounded, rate),
        `${bits} ${bits === 1 ? "bit" : "bits"}${dither}, ${seconds(rounded, rate)}.`,
      );
      picture.draw(
        (...canvas) => paintLevels(...canvas, samples, rounded, rate),
        `20 ms of the waveform before and after rounding. ${said.textContent}`,
      );
    }

    return (next) => {
      recording = next;
      bitsField.set(bitsField.value());
      draw();
    };
  };

  // ---------------------------------------------------------------- the file, byte by byte
  // Where each field of the 44 bytes begins, how long it is, and how to read it.
  const letters = (view, at) => `“${String.fromCharCode(...new Uint8Array(view.buffer, at, 4))}”`;
  const four = (view, at) => say(view.getUint32(at, true));
  const two = (view, at) => say(view.getUint16(at, true));
  const FIELDS = [
    [0, 4, "name of the file's form", letters],
    [4, 4, "size: bytes that follow", four],
    [8, 4, "kind of RIFF file", letters],
    [12, 4, "name of the first chunk", letters],
    [16, 4, "its size in bytes", four],
    [20, 2, "format code: 1 is linear PCM", two],
    [22, 2, "number of channels", two],
    [24, 4, "sampling rate in hertz", four],
    [28, 4, "byte rate: bytes a second", four],
    [32, 2, "block align: bytes a frame", two],
    [34, 2, "bits a sample", two],
    [36, 4, "name of the second chunk", letters],
    [40, 4, "its size in bytes", four],
  ].map(([start, length, name, read]) => ({ start, length, name, read }));
  const SAMPLES = { start: 44, name: "samples" };
  const N_SHOWN = 64; // bytes
  const fieldOf = (place) =>
    FIELDS.find(({ start, length }) => place >= start && place < start + length) ?? SAMPLES;
  const hex = (byte) => byte.toString(16).padStart(2, "0");

  // The first bytes as a table: buttons for those of the header. The arrow keys move from one to the
  // next, so that the tab key meets the table once.
  function byteTable(parent, { element }, choose) {
    const grid = element(parent, "div", { className: "bytes" });
    grid.setAttribute("role", "group");
    grid.setAttribute("aria-label", `The first ${N_SHOWN} bytes, in hexadecimal`);
    const cells = Array.from({ length: N_SHOWN }, (_, i) => {
      const isHeader = i < SAMPLES.start;
      const cell = element(grid, isHeader ? "button" : "span", { className: "byte" });
      cell.dataset.field = isHeader ? FIELDS.indexOf(fieldOf(i)) % 4 : "samples";
      if (isHeader) Object.assign(cell, { type: "button", tabIndex: i === 24 ? 0 : -1 });
      if (isHeader) cell.addEventListener("click", () => choose(i));
      return cell;
    });
    grid.addEventListener("keydown", (event) => {
      const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
      const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
      const next = cells.indexOf(document.activeElement) + (moves[event.key] ?? NaN);
      if (!(next >= 0 && next < SAMPLES.start)) return;
      event.preventDefault();
      choose(next);
      cells[next].focus();
    });
    return cells;
  }

  function showBytes(cells, bytes, original, chosen) {
    cells.forEach((cell, i) => {
      cell.textContent = i < bytes.length ? hex(bytes[i]) : "";
      cell.classList.toggle("changed", bytes[i] !== original[i]);
      if (i >= SAMPLES.start) return;
      cell.setAttribute("aria-label", `byte ${i}, ${fieldOf(i).name}: ${hex(bytes[i])}`);
      cell.setAttribute("aria-pressed", i === chosen);
      cell.tabIndex = i === chosen ? 0 : -1;
    });
  }

  // Each field with its bytes, its name and its value.
  function fieldTable(parent, { element }) {
    const table = element(parent, "table", { className: "wav-fields" });
    const head = element(element(table, "thead"), "tr");
    for (const name of ["bytes", "field", "value"])
      element(head, "th", { scope: "col", textContent: name });
    const body = element(table, "tbody");
    const values = FIELDS.map(({ start, length, name }, i) => {
      const row = element(body, "tr");
      const place = element(row, "td", { textContent: `${start}–${start + length - 1}` });
      place.dataset.field = i % 4;
      element(row, "td", { textContent: name });
      return element(row, "td");
    });
    return (bytes) => {
      const view = new DataView(bytes.buffer);
      FIELDS.forEach(({ start, read }, i) => (values[i].textContent = read(view, start)));
    };
  }

  // A field for two hexadecimal digits, after its name.
  function byteField(parent, { element }) {
    const label = element(parent, "label");
    const name = element(label, "span");
    const input = element(label, "input", { type: "text", size: 3, maxLength: 2 });
    input.className = "byte-value";
    input.autocomplete = "off";
    return { name, input };
  }

  // A player that says how long the browser plays a file, or that it refuses it.
  function tryingPlayer(parent, { player }, said) {
    const { audio, set } = player(parent, "What the browser makes of these bytes");
    const caption = audio.nextSibling;
    audio.addEventListener("loadedmetadata", () => {
      const length = `${audio.duration.toFixed(2)} s`;
      said.textContent = `The browser plays ${length}.`;
      caption.textContent = `What the browser makes of these bytes, ${length}.`;
    });
    audio.addEventListener("error", () => {
      if (!audio.getAttribute("src")) return;
      said.textContent = "The browser refuses this file: it finds no sound that it can play. Undo it.";
      caption.textContent = "Nothing to play, 0 s.";
    });
    return (bytes) => set(bytes, "What the browser makes of these bytes.");
  }

  displays.bytes = (parent, fields) => {
    const cells = byteTable(parent, fields, choose);
    const row = fields.element(parent, "p");
    const { name, input } = byteField(row, fields);
    const undo = fields.button(row, "Undo", () => {
      change(history.pop());
      if (undo.disabled) input.focus(); // the focus may not be lost
    });
    const said = fields.sentence(parent);
    const play = tryingPlayer(parent, fields, said);
    const showFields = fieldTable(parent, fields);
    let [bytes, original] = [null, null];
    let chosen = 24;
    let history = [];

    function choose(place) {
      chosen = place;
      name.textContent = `Byte ${place}, ${fieldOf(place).name}: `;
      input.value = hex(bytes[place]);
      showBytes(cells, bytes, original, chosen);
    }

    function change(next) {
      bytes = next;
      choose(chosen);
      showFields(bytes);
      undo.disabled = !history.length;
      said.textContent = "";
      play(bytes);
    }

    input.addEventListener("change", () => {
      if (!/^[0-9a-f]{1,2}$/i.test(input.value.trim())) {
        said.textContent = "A byte is two hexadecimal digits, from 00 to ff.";
        input.value = hex(bytes[chosen]);
        return;
      }
      const next = bytes.slice();
      next[chosen] = parseInt(input.value, 16);
      if (next[chosen] === bytes[chosen]) return;
      history.push(bytes);
      change(next);
    });

    return ({ wav }) => {
      original = wav;
      history = [];
      change(wav.slice());
    };
  };
})();
