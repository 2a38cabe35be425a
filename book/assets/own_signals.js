// What chapters 2, 3 and 4 compute of a sound, for the reader's own recording: see own_chapters.js.
// Each is the function in Python that the chapter shows. Samples have full scale 1, rates are in Hz.

globalThis.ownSignals = (() => {
  "use strict";
  const engine = () => globalThis.digitRecogniser; // resample and fft; loaded before
  const resample = (samples, rate, newRate) => engine().resample(samples, rate, newRate);
  const decibels = (power) => 10 * Math.log10(Math.max(power, 1e-20));

  function powerOf(samples) {
    let total = 0;
    for (const value of samples) total += value * value;
    return total / samples.length;
  }

  function indexOfLargest(values, first = 0) {
    let best = first;
    for (let i = first; i < values.length; i++) if (values[i] > values[best]) best = i;
    return best;
  }

  // ---------------------------------------------------------------- chapter 2
  // Keep every so manyth sample, as it is.
  const everyNth = (samples, n) =>
    Float32Array.from({ length: Math.ceil(samples.length / n) }, (_, i) => samples[i * n]);

  // The frequency that a tone has after sampling without a filter.
  const folded = (hertz, rate) => Math.abs(hertz - rate * Math.round(hertz / rate));

  function scaledToPeak(samples) {
    const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return peak ? samples.map((value) => value / peak) : samples;
  }

  // Round to the 2 ** bits levels from -1 to one step below 1, as digitlab.audio.quantise.
  function quantise(samples, bits, isDithered) {
    const half = 2 ** (bits - 1);
    const triangular = () => (isDithered ? Math.random() - Math.random() : 0);
    return samples.map((value) => {
      const level = Math.round(value * half + triangular());
      return Math.min(Math.max(level, -half), half - 1) / half;
    });
  }

  // In dB; infinite where nothing was changed.
  function signalToNoise(samples, changed) {
    const error = samples.map((value, i) => value - changed[i]);
    const noise = powerOf(error);
    return noise ? 10 * Math.log10(powerOf(samples) / noise) : Infinity;
  }

  // ---------------------------------------------------------------- chapter 3
  const powerOfTwo = (n) => 2 ** Math.ceil(Math.log2(Math.max(n, 2)));

  const hann = (n) =>
    Float64Array.from({ length: n }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n));

  // The levels of a spectrum, in dB: a sine of full scale has 0 dB. Zeros are appended to `nFft`.
  function spectrum(samples, rate, isWindowed, nFft = powerOfTwo(samples.length)) {
    const window = isWindowed ? hann(samples.length) : null;
    const values = new Float64Array(nFft);
    let total = 0;
    for (let i = 0; i < samples.length; i++) {
      const weight = window ? window[i] : 1;
      values[i] = weight * samples[i];
      total += weight;
    }
    const [real, imaginary] = engine().fft(values);
    const n = nFft / 2 + 1;
    const levels = Float64Array.from({ length: n }, (_, k) =>
      decibels((4 * (real[k] ** 2 + imaginary[k] ** 2)) / total ** 2),
    );
    return { levels, hertz: Float64Array.from({ length: n }, (_, k) => (k * rate) / nFft) };
  }

  // Mean powers of short frames, in dB: the smooth shape of a spectrum.
  function smoothSpectrum(samples, rate, nFft) {
    const { columns, hertz } = spectrogram(samples, rate, nFft, nFft / 2);
    const means = new Float64Array(hertz.length);
    columns.forEach((column) => column.forEach((power, k) => (means[k] += power)));
    return { levels: means.map((total) => decibels(total / columns.length)), hertz };
  }

  // The strongest tone from a frequency on; below 20 Hz nothing is heard.
  function strongest({ levels, hertz }, from = 20) {
    const first = hertz.findIndex((value) => value >= from);
    const place = indexOfLargest(levels, Math.max(first, 0));
    return { hertz: hertz[place], level: levels[place] };
  }

  // ---------------------------------------------------------------- chapter 4
  // The powers of frames of `length` samples, each hop one, through Hann's window, the first around
  // the first sample. Zeros are appended to each frame, to `nFft`. A sine of full scale has power 1.
  function spectrogram(samples, rate, length, hop, nFft = length) {
    const window = hann(length);
    const scale = 4 / (length / 2) ** 2;
    const columns = [];
    for (let middle = 0; middle <= samples.length; middle += hop) {
      const frame = new Float64Array(nFft);
      for (let i = 0; i < length; i++) frame[i] = window[i] * (samples[middle - length / 2 + i] ?? 0);
      const [real, imaginary] = engine().fft(frame);
      columns.push(
        Float64Array.from(
          { length: nFft / 2 + 1 },
          (_, k) => scale * (real[k] ** 2 + imaginary[k] ** 2),
        ),
      );
    }
    const hertz = Float64Array.from({ length: nFft / 2 + 1 }, (_, k) => (k * rate) / nFft);
    return { columns, hertz };
  }

  const mel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
  const fromMel = (mels) => 700 * (10 ** (mels / 2595) - 1);

  // Add up powers in so many triangles of equal width in mel, from 0 to half the rate.
  function melBands({ columns, hertz }, nBands) {
    const top = mel(hertz.at(-1));
    const edge = (i) => fromMel((top * i) / (nBands + 1));
    const triangles = Array.from({ length: nBands }, (_, band) => {
      const [left, centre, right] = [edge(band), edge(band + 1), edge(band + 2)];
      const first = hertz.findIndex((value) => value > left);
      const weights = [];
      for (let k = first; k < hertz.length && hertz[k] < right; k++) {
        const rising = (hertz[k] - left) / (centre - left);
        weights.push(Math.min(rising, (right - hertz[k]) / (right - centre)));
      }
      return { first, weights };
    });
    return columns.map((powers) =>
      triangles.map(({ first, weights }) =>
        weights.reduce((total, weight, i) => total + weight * powers[first + i], 0),
      ),
    );
  }

  // Levels in dB below the strongest.
  function levelsOf(columns) {
    let most = 1e-20;
    for (const column of columns) for (const power of column) most = Math.max(most, power);
    return columns.map((column) => Array.from(column, (power) => decibels(power / most)));
  }

  return {
    resample,
    powerOf,
    indexOfLargest,
    everyNth,
    folded,
    scaledToPeak,
    quantise,
    signalToNoise,
    spectrum,
    smoothSpectrum,
    strongest,
    spectrogram,
    mel,
    melBands,
    levelsOf,
  };
})();
