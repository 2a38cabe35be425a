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

  // Any sound file that the browser knows, as one channel of samples and their rate.
  async function decode(bytes) {
    const context = new OfflineAudioContext(1, 1, 48000);
    const sound = await context.decodeAudioData(bytes);
    const samples = new Float32Array(sound.length);
    for (let channel = 0; channel < sound.numberOfChannels; channel++) {
      sound.getChannelData(channel).forEach((value, i) => {
        samples[i] += value / sound.numberOfChannels;
      });
    }
    return { samples, rate: sound.sampleRate };
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
    button.addEventListener("click", stop);
    recorder.start();
    setTimeout(stop, 1000 * seconds);
    await ended;
    button.removeEventListener("click", stop);
    clearInterval(meter);
    level.hidden = true;
    stream.getTracks().forEach((track) => track.stop());
    context.close();
    return new Blob(parts, { type: recorder.mimeType });
  }

  const explain = (error) => REFUSALS[error.name] ?? error.message;
  return { record, decode, explain };
})();
