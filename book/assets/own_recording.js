// The reader's own recording, for the whole book: kept as the bytes of a WAV file, at most 5 s, one
// channel, 16,000 Hz, 16 bits. It is in the session storage of this tab, so that the next page finds
// it; in the local storage of this browser only if the reader asks for that. Where a browser has no
// storage, it is in this page alone. Nothing is sent anywhere.

globalThis.ownRecording = (() => {
  "use strict";
  const NAME = "hearing-digits-recording";
  const RATE = 16000;
  const SECONDS = 5; // of a longer recording, the loudest stretch
  const HEADER = 44; // bytes
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const listeners = [];
  const scripts = new Map();
  let recording = null; // its file as bytes, its samples and their rate, and what was done to it

  // ---------------------------------------------------------------- scripts that are loaded late
  function load(name) {
    if (!scripts.has(name)) {
      const loaded = new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = folder + name;
        script.onload = resolve;
        script.onerror = () => reject(new Error(`${name} is missing beside this page.`));
        document.head.append(script);
      });
      loaded.catch(() => scripts.delete(name)); // a later try may succeed
      scripts.set(name, loaded);
    }
    return scripts.get(name);
  }

  // What computes: digitRecogniser without its weights resamples and transforms.
  async function calculator() {
    await load("recogniser.js");
    return globalThis.digitRecogniser;
  }

  async function recogniser() {
    await Promise.all([load("recogniser_weights.js"), calculator()]);
    return globalThis.digitRecogniser;
  }

  async function example() {
    await load("recogniser_example.js");
    const content = Uint8Array.from(atob(globalThis.exampleRecording), (c) => c.charCodeAt(0));
    return new Blob([content], { type: "audio/wav" });
  }

  // ---------------------------------------------------------------- WAV files
  // Samples of full scale 1 as a file of one channel and 16 bits, in the 44 bytes of chapter 2.
  function writeWav(samples, rate) {
    const view = new DataView(new ArrayBuffer(HEADER + 2 * samples.length));
    const letters = (place, text) =>
      [...text].forEach((letter, i) => view.setUint8(place + i, letter.charCodeAt(0)));
    letters(0, "RIFF");
    view.setUint32(4, view.byteLength - 8, true);
    letters(8, "WAVEfmt ");
    view.setUint32(16, 16, true); // bytes of the format
    view.setUint16(20, 1, true); // linear PCM
    view.setUint16(22, 1, true); // channels
    view.setUint32(24, rate, true);
    view.setUint32(28, 2 * rate, true); // bytes a second
    view.setUint16(32, 2, true); // bytes a frame
    view.setUint16(34, 16, true); // bits a sample
    letters(36, "data");
    view.setUint32(40, 2 * samples.length, true);
    for (let i = 0; i < samples.length; i++) {
      const level = Math.max(-32768, Math.min(32767, Math.round(32768 * samples[i])));
      view.setInt16(HEADER + 2 * i, level, true);
    }
    return new Uint8Array(view.buffer);
  }

  function readSamples(wav) {
    const view = new DataView(wav.buffer, wav.byteOffset + HEADER);
    const samples = new Float32Array(Math.floor(view.byteLength / 2));
    for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
    return samples;
  }

  // The stretch of so many samples that has the most energy.
  function loudest(samples, n) {
    if (samples.length <= n) return samples;
    let energy = 0;
    let most = -1;
    let start = 0;
    for (let i = 0; i < samples.length; i++) {
      energy += samples[i] ** 2 - (i >= n ? samples[i - n] ** 2 : 0);
      if (i >= n - 1 && energy > most) [most, start] = [energy, i - n + 1];
    }
    return samples.slice(start, start + n);
  }

  // ---------------------------------------------------------------- storage
  // Storage can be missing, forbidden or full; each use of it may throw.
  function attempt(use) {
    try {
      return use();
    } catch {
      return null;
    }
  }

  function asText(wav) {
    const parts = [];
    for (let i = 0; i < wav.length; i += 8192)
      parts.push(String.fromCharCode(...wav.subarray(i, i + 8192)));
    return btoa(parts.join(""));
  }

  function fromText(text) {
    const wav = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const isOurs = wav.length > HEADER && String.fromCharCode(...wav.subarray(0, 4)) === "RIFF";
    return isOurs ? wav : null;
  }

  const stored = (storage) => attempt(() => storage().getItem(NAME));
  const session = () => globalThis.sessionStorage;
  const local = () => globalThis.localStorage;

  function store(storage) {
    return attempt(() => {
      storage().setItem(NAME, asText(recording.wav));
      return true;
    });
  }

  const isRemembered = () => stored(local) !== null;

  // Whether the next page of this tab will find the recording.
  const isKept = () => recording !== null && (stored(session) !== null || isRemembered());

  // Remember the recording after this tab is closed, or no longer. False: the browser cannot.
  function remember(isWanted) {
    if (!isWanted) attempt(() => local().removeItem(NAME));
    const isDone = !isWanted || (recording !== null && store(local) === true);
    tell(false);
    return isDone;
  }

  function read() {
    const text = stored(session) ?? stored(local);
    const wav = text === null ? null : attempt(() => fromText(text));
    return wav && whole(wav, "");
  }

  const whole = (wav, note) => ({ wav, samples: readSamples(wav), rate: RATE, note });

  // ---------------------------------------------------------------- take, get, forget
  // `isOther`: there is another recording now, or none. Else only where it is kept has changed.
  const tell = (isOther) => listeners.forEach((listener) => listener(isOther));

  // Keep a new recording in place of the last. `done` is said beside it.
  async function take(samples, rate) {
    if (!samples.length) throw new Error("There is no sound in it. Record again.");
    const { resample } = await calculator();
    const stretch = loudest(samples, SECONDS * rate);
    const wasRemembered = isRemembered();
    const isAll = stretch === samples;
    const note = isAll ? "" : `the loudest ${SECONDS} s of ${duration(samples, rate)}`;
    recording = whole(writeWav(resample(stretch, rate, RATE), RATE), note);
    if (!store(session)) attempt(() => session().removeItem(NAME)); // no older one stays behind
    if (wasRemembered && !store(local)) attempt(() => local().removeItem(NAME));
    tell(true);
  }

  function duration(samples, rate) {
    const seconds = samples.length / rate;
    return seconds < 100 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} minutes`;
  }

  function drop() {
    recording = null;
    attempt(() => session().removeItem(NAME));
    tell(true);
  }

  // Forget it in this tab, in this browser, and in the book's other tabs.
  const channel = attempt(() => new BroadcastChannel(NAME));
  if (channel) channel.onmessage = drop;

  function forget() {
    attempt(() => local().removeItem(NAME));
    channel?.postMessage("forget");
    drop();
  }

  recording = read();
  addEventListener("pageshow", (event) => {
    const isInPageAlone = recording !== null && !isKept();
    if (!event.persisted || isInPageAlone) return;
    recording = read(); // the page comes back as it was; another page may have changed the recording
    tell(true);
  });

  return {
    RATE,
    get: () => recording, // not to be changed
    take,
    forget,
    remember,
    isRemembered,
    isKept,
    onChange: (listener) => listeners.push(listener),
    writeWav,
    duration,
    calculator,
    recogniser,
    example,
  };
})();
