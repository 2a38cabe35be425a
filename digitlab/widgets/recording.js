// Record from the microphone, or read a sound file, in the browser: for the listener of the rendered
// book (book/assets/listener.js) and for the recorder in Jupyter (recorder.js).

globalThis.digitRecording = (() => {
  "use strict";
  const REFUSALS = {
    NotAllowedError: "The browser did not allow the microphone. Allow it and try again, or choose a sound file.",
    NotFoundError: "There is no microphone. Connect one, or choose a sound file.",
    NotReadableError: "Another program uses the microphone. Close it, or choose a sound file.",
    EncodingError: "This file is no sound that the browser can read. A WAV or MP3 file will do.",
  };

  const LONGEST = 15 * 60; // seconds; what is longer fills the memory of a phone
  const LARGEST = 200e6; // bytes

  // Any sound file that the browser knows, as one channel of samples and their rate.
  async function decode(bytes) {
    const context = new OfflineAudioContext(1, 1, 48000);
    const sound = await context.decodeAudioData(bytes);
    const samples = new Float32Array(sound.length);
    for (let channel = 0; channel < sound.numberOfChannels; channel++) {
      const values = sound.getChannelData(channel);
      for (let i = 0; i < samples.length; i++) samples[i] += values[i] / sound.numberOfChannels;
    }
    return { samples, rate: sound.sampleRate };
  }

  // How many seconds a file plays, as its header says; 0 if nothing can be read of it.
  function secondsOf(file) {
    const player = new Audio();
    const address = URL.createObjectURL(file);
    const known = new Promise((resolve) => {
      player.onloadedmetadata = () => resolve(player.duration);
      player.onerror = () => resolve(0);
      setTimeout(resolve, 2000, 0);
    });
    player.preload = "metadata";
    player.src = address;
    return known.finally(() => URL.revokeObjectURL(address));
  }

  // The same for a file of the reader, which may be an hour of music.
  async function open(file) {
    const seconds = await secondsOf(file);
    if (file.size > LARGEST || (Number.isFinite(seconds) && seconds > LONGEST)) {
      throw new Error(`This file is too long. Choose one of at most ${LONGEST / 60} minutes.`);
    }
    return decode(await file.arrayBuffer());
  }

  // Record until `button` is pressed again, or for so many seconds; show the level meanwhile.
  async function record(button, level, seconds) {
    if (!navigator.mediaDevices || !globalThis.MediaRecorder) {
      throw new Error("This browser gives pages no microphone. Choose a sound file.");
    }
    const asHeard = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: asHeard });
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(analyser);
    const waveform = new Float32Array(analyser.fftSize);
    const meter = setInterval(() => {
      analyser.getFloatTimeDomainData(waveform);
      level.value = waveform.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);
    }, 50);
    level.hidden = false;
    const recorder = new MediaRecorder(stream);
    const parts = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    const ended = new Promise((resolve) => (recorder.onstop = resolve));
    const stop = () => recorder.state === "recording" && recorder.stop();
    const release = () => {
      stop();
      clearTimeout(timer);
      clearInterval(meter);
      stream.getTracks().forEach((track) => track.stop());
      if (context.state !== "closed") context.close();
    };
    button.addEventListener("click", stop);
    addEventListener("pagehide", release); // who leaves the page is no longer recorded
    const timer = setTimeout(stop, 1000 * seconds);
    recorder.start();
    await ended;
    release();
    removeEventListener("pagehide", release);
    button.removeEventListener("click", stop);
    level.hidden = true;
    return new Blob(parts, { type: recorder.mimeType });
  }

  const explain = (error) => REFUSALS[error.name] ?? error.message;
  return { record, decode, open, explain };
})();
