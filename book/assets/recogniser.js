// The recogniser that comes with digitlab once more, in another language: it says which digit was
// spoken, and the recording never leaves the page. Each step is that of a module in Python:
//
//   prepare         digitlab/preparation.py             find the word, make it a clip of one length
//   features        digitlab/features/normalised.py     a log-mel spectrogram without loudness
//   probabilities   digitlab/models/torch/networks.py   a residual network of 125,000 weights
//   recognise       digitlab/recognisers.py             all of it, and the answer
//
// recogniser_weights.js holds the weights, those of digitlab/pretrained/b2.npz. A recording is a
// Float32Array of one channel, full scale 1; a rate is in Hz. Numbers in the code that nothing
// explains are constants with a name in the Python module.

globalThis.digitRecogniser = (() => {
  "use strict";

  // ---------------------------------------------------------------- numbers
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const largestOf = (values) => values.reduce((most, value) => Math.max(most, value));
  const peakOf = (samples) => samples.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);
  const indexOfLargest = (values) =>
    values.reduce((best, value, i) => (value > values[best] ? i : best), 0);

  // ---------------------------------------------------------------- prepare: filters
  // A Butterworth filter of order 2: low-pass, or high-pass, as five coefficients.
  function butterworth(frequency, rate, isHighPass) {
    const k = Math.tan((Math.PI * frequency) / rate);
    const scale = 1 / (1 + Math.SQRT2 * k + k * k);
    const gain = isHighPass ? scale : k * k * scale;
    const b = [gain, isHighPass ? -2 * gain : 2 * gain, gain];
    return { b, a: [2 * (k * k - 1) * scale, (1 - Math.SQRT2 * k + k * k) * scale] };
  }

  // Filter a waveform that had the constant value `before` until it began.
  function filter(waveform, { b, a }, before = 0) {
    const output = new Float64Array(waveform.length);
    let state1 = (1 - b[0]) * before;
    let state2 = (b[2] - a[1]) * before;
    for (let i = 0; i < waveform.length; i++) {
      output[i] = b[0] * waveform[i] + state1;
      state1 = b[1] * waveform[i] - a[0] * output[i] + state2;
      state2 = b[2] * waveform[i] - a[1] * output[i];
    }
    return output;
  }

  // What changes more slowly than 10 Hz: a low-pass filter forwards and then backwards, so that
  // nothing is delayed. The waveform is continued by its mirror image on both sides.
  function driftOf(waveform, rate) {
    const n = waveform.length;
    const nMirrored = Math.min(n - 1, Math.round(rate / 10));
    const longer = new Float64Array(n + 2 * nMirrored);
    longer.set(waveform, nMirrored);
    longer.set(waveform.slice(1, nMirrored + 1).reverse(), 0);
    longer.set(waveform.slice(n - 1 - nMirrored, n - 1).reverse(), nMirrored + n);
    const lowPass = butterworth(10, rate, false);
    const forwards = filter(longer, lowPass, longer[0]).reverse();
    return filter(forwards, lowPass, forwards[0]).reverse().slice(nMirrored, nMirrored + n);
  }

  // Remove a DC offset above 1 % of the peak, and one that drifts by more than 8 % of it.
  function removeOffset(waveform, rate) {
    const peak = peakOf(waveform);
    let offset = sum(waveform) / waveform.length;
    if (Math.abs(offset) > 0.01 * peak) waveform = waveform.map((value) => value - offset);
    else offset = 0;
    if (waveform.length > rate / 10 && rate > 20) {
      const drift = driftOf(waveform, rate);
      const largest = peakOf(drift);
      if (largest > 0.08 * peak) {
        waveform = waveform.map((value, i) => value - drift[i]);
        if (largest > Math.abs(offset)) offset = largest;
      }
    }
    return [waveform, offset];
  }

  // ---------------------------------------------------------------- prepare: resampling
  const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

  function bessel(x) {
    let term = 1;
    let total = 1;
    for (let k = 1; k < 30; k++) total += term *= (x / (2 * k)) ** 2;
    return total;
  }

  // The Kaiser window from -1 to 1. With it, what is removed is at least 90 dB softer.
  const kaiser = (x) => (Math.abs(x) < 1 ? bessel(9 * Math.sqrt(1 - x * x)) / bessel(9) : 0);

  // Change the rate. A waveform between its samples is a sum of sinc functions, one from each
  // sample. Their cutoff is that of the lower rate, so that what it cannot hold is removed; they
  // end after 64 zero crossings. Places between two samples repeat: each is computed once.
  function resample(waveform, rate, newRate) {
    if (rate === newRate) return waveform;
    const ratio = Math.min(1, newRate / rate);
    const half = Math.ceil(64 / ratio);
    const cutoff = 0.955 * ratio; // the middle of a band in which the filter goes from 1 to 0
    const known = new Map();

    function sincAt(place) {
      const times = Float64Array.from({ length: 2 * half }, (_, k) => k - half + 1 - place);
      const values = times.map((time) => sinc(cutoff * time) * kaiser(time / half));
      const total = sum(values);
      return values.map((value) => value / total);
    }

    const resampled = new Float32Array(Math.round((waveform.length * newRate) / rate));
    for (let i = 0; i < resampled.length; i++) {
      const place = (i * rate) % newRate;
      if (!known.has(place)) known.set(place, sincAt(place / newRate));
      const values = known.get(place);
      const first = (i * rate - place) / newRate - half + 1;
      const stop = Math.min(2 * half, waveform.length - first);
      let total = 0;
      for (let k = Math.max(0, -first); k < stop; k++) total += values[k] * waveform[first + k];
      resampled[i] = total;
    }
    return resampled;
  }

  // ---------------------------------------------------------------- prepare: find the word
  // The energy of the first 0, 1, 2, ... samples.
  function energies(waveform) {
    const energy = new Float64Array(waveform.length + 1);
    for (let i = 0; i < waveform.length; i++) energy[i + 1] = energy[i] + waveform[i] ** 2;
    return energy;
  }

  // The level in dB of frames of 25 ms, every 10 ms, without what lies below 80 Hz.
  function levelsOf(waveform, rate) {
    const energy = energies(filter(waveform, butterworth(80, rate, true)));
    const powers = [];
    for (let start = 0; start < waveform.length; start += 0.01 * rate) {
      const stop = Math.min(start + Math.round(0.025 * rate), waveform.length);
      powers.push((energy[stop] - energy[start]) / (stop - start));
    }
    const least = Math.max(largestOf(powers) * 1e-10, Number.MIN_VALUE);
    return powers.map((power) => 10 * Math.log10(Math.max(power, least)));
  }

  // The level that a tenth of all frames lies below: that of the noise.
  function tenthPercentile(levels) {
    const sorted = [...levels].sort((a, b) => a - b);
    const place = 0.1 * (sorted.length - 1);
    const i = Math.floor(place);
    return sorted[i] + (place - i) * (sorted[Math.min(i + 1, sorted.length - 1)] - sorted[i]);
  }

  // Find the stretches that stand out from the noise: [start, stop] in samples, the loudest first.
  function findWords(waveform, rate) {
    const levels = levelsOf(waveform, rate);
    const noise = tenthPercentile(levels);
    const peak = largestOf(levels);
    if (peak - noise < 10) return [];
    const threshold = Math.max(noise + Math.max(6, (peak - noise) / 4), peak - 35);
    const stretches = [];
    levels.forEach((level, i) => {
      if (level <= threshold) return;
      let last = stretches.at(-1);
      if (!last || i - last.last > 20) stretches.push((last = { first: i, n: 0, loudness: 0 }));
      last.last = i; // gaps of up to 0.2 s belong to the word
      last.n += 1;
      last.loudness += level - threshold;
    });
    const [loudest, ...others] = stretches.sort((a, b) => b.loudness - a.loudness);
    const isWord = ({ n, loudness }) => n >= 15 && loudness > 0.3 * loudest.loudness;
    const margin = Math.round(0.05 * rate);
    const start = ({ first }) => Math.max(first * 0.01 * rate - margin, 0);
    const stop = ({ last }) => Math.min((last + 1) * 0.01 * rate + margin, waveform.length);
    return [loudest, ...others.filter(isWord)].map((word) => [start(word), stop(word)]);
  }

  // What of a recording is kept: all of it, if it fits and not more than 0.35 s surround the word;
  // else the word, or the loudest stretch of one that is too long.
  function keep(waveform, nSamples, rate) {
    const n = waveform.length;
    const words = findWords(waveform, rate);
    let [start, stop] = words[0] ?? [0, n];
    if (n <= nSamples && n - (stop - start) <= 0.35 * rate)
      return { start: 0, stop: n, lost: 0, nWords: 1 };
    const tooLong = Math.max(stop - start - nSamples, 0);
    if (tooLong) {
      const energy = energies(waveform.subarray(start, stop));
      start += indexOfLargest(energy.subarray(nSamples).map((value, i) => value - energy[i]));
      stop = start + nSamples;
    }
    return { start, stop, lost: words.length ? tooLong : 0, nWords: words.length };
  }

  // Make a recording a clip: without offset, at 8 kHz, cut to its word, with zeros on both sides,
  // and of peak 1. `done` says what was changed, in words.
  function prepare(recording, rate) {
    if (!recording.length || !recording.every(Number.isFinite) || !(rate >= 1))
      throw new Error("a recording is one sample or more, all of them finite, and a rate in Hz");
    const { rate: newRate, nSamples } = loadNetwork();
    const [steady, offset] = removeOffset(Float32Array.from(recording), rate);
    const waveform = resample(steady, rate, newRate);
    const { start, stop, lost, nWords } = keep(waveform, nSamples, newRate);
    const word = waveform.subarray(start, stop);
    const peak = peakOf(word);
    const padded = nSamples - word.length;
    const clip = new Float32Array(nSamples);
    clip.set(word.map((value) => value / (peak || 1)), Math.floor(padded / 2));

    const removed = waveform.length - word.length - lost;
    const sign = offset > 0 ? "+" : "";
    const seconds = (n) => `${(n / newRate).toFixed(2)} s`;
    const [before, after] = [rate, newRate].map((value) => value.toLocaleString("en"));
    const changes = [
      [offset, `a DC offset of ${sign}${offset.toFixed(3)} removed`],
      [rate !== newRate, `resampled from ${before} to ${after} Hz`],
      [!peak, "nothing but zeros: its answer means nothing"],
      [peak && !nWords, "no word stands out from the noise: the loudest stretch was taken"],
      [nWords > 1, `${nWords} words found: the loudest was taken`],
      [removed, `${seconds(removed)} before and after the word cut off`],
      [lost, `${seconds(lost)} of the word itself cut off: it is too long`],
      [padded, `${seconds(padded)} of zeros on both sides`],
      [peak, "scaled to peak 1"],
    ];
    const done = changes.filter(([isDone]) => isDone).map(([, words]) => words);
    return { clip, rate: newRate, done };
  }

  // ---------------------------------------------------------------- features
  const turns = new Map(); // for each length, the cosines and sines of its turns

  function turnsOf(n) {
    if (!turns.has(n)) {
      const angles = Float64Array.from({ length: n / 2 }, (_, k) => (-2 * Math.PI * k) / n);
      turns.set(n, [angles.map(Math.cos), angles.map(Math.sin)]);
    }
    return turns.get(n);
  }

  // The fast Fourier transform of chapter 3, of a power of two of values: those of the even and of
  // the odd ones among them, put together, from single values upwards. `distance` is how far apart
  // they lie in `values`. Returns real and imaginary parts.
  function fft(values) {
    const n = values.length;
    let [real, imaginary] = [Float64Array.from(values), new Float64Array(n)];
    let [nextReal, nextImaginary] = [new Float64Array(n), new Float64Array(n)];
    const [cosines, sines] = turnsOf(n);
    for (let distance = n / 2; distance >= 1; distance /= 2) {
      for (let k = 0; k < n / 2; k += distance)
        for (let i = 0; i < distance; i++) {
          const [even, odd, to] = [2 * k + i, 2 * k + i + distance, k + i];
          const turnedReal = cosines[k] * real[odd] - sines[k] * imaginary[odd];
          const turnedImaginary = cosines[k] * imaginary[odd] + sines[k] * real[odd];
          nextReal[to] = real[even] + turnedReal;
          nextReal[to + n / 2] = real[even] - turnedReal;
          nextImaginary[to] = imaginary[even] + turnedImaginary;
          nextImaginary[to + n / 2] = imaginary[even] - turnedImaginary;
        }
      [real, nextReal] = [nextReal, real];
      [imaginary, nextImaginary] = [nextImaginary, imaginary];
    }
    return [real, imaginary];
  }

  // The power spectra of frames of 256 samples, one every 128, the first around the first sample.
  function spectrogram(clip) {
    const n = 256;
    const window = Float64Array.from({ length: n }, (_, i) => Math.sin((Math.PI * i) / n) ** 2);
    const norm = Math.sqrt(sum(window.map((value) => value * value)));
    const frames = [];
    for (let middle = 0; middle <= clip.length; middle += n / 2) {
      const frame = window.map((value, i) => (value / norm) * (clip[middle - n / 2 + i] ?? 0));
      const [real, imaginary] = fft(frame);
      frames.push(real.subarray(0, n / 2 + 1).map((value, k) => value ** 2 + imaginary[k] ** 2));
    }
    return frames;
  }

  // A log-mel spectrogram: 65 frames of 40 bands. Bands more than 50 dB below the loudest frame are
  // raised to that level. Each band has mean 0 over the loud frames, those within 20 dB of the
  // loudest, which takes away how loud the recording is and what the microphone does. Unit: 15 dB.
  function features(clip) {
    const { melFilters } = loadNetwork();
    const band = (powers, [first, weights]) => sum(weights.map((w, i) => w * powers[first + i]));
    const bands = spectrogram(clip).map((powers) => melFilters.map((mel) => band(powers, mel)));
    const loudness = bands.map(sum);
    const loudest = largestOf([...loudness, 1e-20]);
    const levels = bands.map((frame) =>
      frame.map((power) => 10 * Math.log10(Math.max(power, loudest * 1e-5)))
    );
    const loud = levels.filter((_, i) => loudness[i] + 1e-20 >= loudest * 1e-2);
    const means = melFilters.map((_, j) => sum(loud.map((frame) => frame[j])) / loud.length);
    return levels.map((frame) => frame.map((level, j) => (level - means[j]) / 15));
  }

  // ---------------------------------------------------------------- the network
  // Maps are numbers in the order map, row, column: here, filter, frame, mel band.
  const relu = (maps) => ({ ...maps, values: maps.values.map((value) => Math.max(value, 0)) });
  const add = (a, b) => ({ ...a, values: a.values.map((value, i) => value + b.values[i]) });

  // What a filter sees at one place: a square of all maps, with zeros beyond their edges.
  function patchAt({ values, nMaps, height, width }, top, left, size, patch) {
    let i = 0;
    for (let map = 0; map < nMaps; map++)
      for (let y = top; y < top + size; y++)
        for (let x = left; x < left + size; x++) {
          const isInside = y >= 0 && y < height && x >= 0 && x < width;
          patch[i++] = isInside ? values[(map * height + y) * width + x] : 0;
        }
  }

  // A convolution: at each place (with a stride of 2, at every second one in both directions) each
  // filter gives its bias plus the sum of its weights times the patch around the place.
  function convolve(maps, { nFilters, size, stride, weights, biases }) {
    const height = Math.ceil(maps.height / stride);
    const width = Math.ceil(maps.width / stride);
    const values = new Float64Array(nFilters * height * width);
    const patch = new Float64Array(maps.nMaps * size * size);
    const places = new Int32Array(patch.length);
    const totals = new Float64Array(nFilters + 3); // filters are taken by fours
    const margin = (size - 1) / 2;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        patchAt(maps, y * stride - margin, x * stride - margin, size, patch);
        addUp(patch, weights, nFilters, places, totals);
        for (let filter = 0; filter < nFilters; filter++)
          values[(filter * height + y) * width + x] = biases[filter] + totals[filter];
      }
    return { values, nMaps: nFilters, height, width };
  }

  // For each filter, the sum of its weights times the patch. This is where the time goes: zeros,
  // which a ReLU leaves in half of all places, are left out, and four filters are computed at a
  // time, since their sums need not wait for one another.
  function addUp(patch, weights, nFilters, places, totals) {
    let n = 0;
    for (let i = 0; i < patch.length; i++)
      if (patch[i]) {
        places[n] = i * nFilters;
        patch[n++] = patch[i];
      }
    for (let filter = 0; filter < nFilters; filter += 4) {
      let [total0, total1, total2, total3] = [0, 0, 0, 0];
      for (let i = 0; i < n; i++) {
        const value = patch[i];
        const place = places[i] + filter;
        total0 += weights[place] * value;
        total1 += weights[place + 1] * value;
        total2 += weights[place + 2] * value;
        total3 += weights[place + 3] * value;
      }
      totals[filter] = total0;
      totals[filter + 1] = total1;
      totals[filter + 2] = total2;
      totals[filter + 3] = total3;
    }
  }

  // Two convolutions and a shortcut around them. Batch normalisation is folded into the weights.
  function residualBlock(maps, { first, second, shortcut }) {
    const inner = convolve(relu(convolve(maps, first)), second);
    return relu(add(inner, shortcut ? convolve(maps, shortcut) : maps));
  }

  // The mean of each map, then the maximum of each: maps of one value.
  function meanAndMaximum({ values, nMaps, height, width }) {
    const n = height * width;
    const each = Array.from({ length: nMaps }, (_, i) => values.subarray(i * n, (i + 1) * n));
    const pooled = [...each.map((map) => sum(map) / n), ...each.map(largestOf)];
    return { values: Float64Array.from(pooled), nMaps: 2 * nMaps, height: 1, width: 1 };
  }

  function softmax(scores) {
    const largest = largestOf(scores); // against numbers too large for exp
    const powers = Array.from(scores, (score) => Math.exp(score - largest));
    const total = sum(powers);
    return powers.map((power) => power / total);
  }

  // The probability of each class, for a clip that is prepared already; silence is "other".
  // Frames that somebody has changed may stand for the clip's own.
  function probabilities(clip, frames = features(clip)) {
    const { classes, stem, blocks, dense } = loadNetwork();
    if (!clip.some((value) => value)) return classes.map((name) => (name === "other" ? 1 : 0));
    const picture = { nMaps: 1, height: frames.length, width: frames[0].length };
    let maps = relu(convolve({ ...picture, values: Float64Array.from(frames.flat()) }, stem));
    for (const block of blocks) maps = residualBlock(maps, block);
    // on maps of one value, a convolution of size 1 is a dense layer
    return softmax(convolve(meanAndMaximum(maps), dense).values);
  }

  // Say which digit a clip holds, or "other", and of what probability each is.
  function answer(clip, frames = features(clip)) {
    const { classes, refuseAbove } = loadNetwork();
    const p = probabilities(clip, frames);
    const other = classes.indexOf("other");
    const digit = classes[indexOfLargest(p.map((value, i) => (i === other ? -1 : value)))];
    return { label: p[other] > refuseAbove ? "other" : digit, probabilities: p };
  }

  // The same of a recording, and what was changed in it.
  function recognise(recording, rate) {
    const { clip, done } = prepare(recording, rate);
    return { ...answer(clip), done };
  }

  // ---------------------------------------------------------------- weights
  // Weights are written in groups of six: a letter for their scale, then two letters for each.
  function decode({ shape, stride, biases, scale, weights: text }, { letters, groupSize }) {
    const known = new Map([...letters].map((letter, i) => [letter, i]));
    const digits = Array.from(text, (letter) => known.get(letter));
    const base = letters.length;
    const [nFilters, nMaps, size] = shape;
    const n = nMaps * size * size;
    const weights = new Float64Array(nFilters * n + 3); // filters are taken by fours
    for (let i = 0; i < nFilters * n; i++) {
      const group = Math.floor(i / groupSize) * (2 * groupSize + 1);
      const place = group + 1 + 2 * (i % groupSize);
      const number = base * digits[place] + digits[place + 1] - (base * base - 1) / 2;
      // written filter by filter; `convolve` wants all filters of a place in the patch together
      weights[(i % n) * nFilters + Math.floor(i / n)] = number * digits[group] * scale;
    }
    return { nFilters, size, stride, biases, weights };
  }

  let network = null;

  function loadNetwork() {
    if (network) return network;
    const written = globalThis.digitRecogniserWeights;
    if (!written) throw new Error("load recogniser_weights.js as well");
    const decodeAll = (layers) =>
      Object.fromEntries(Object.entries(layers).map(([name, one]) => [name, decode(one, written)]));
    const { stem, blocks, dense } = written;
    network = { ...written, ...decodeAll({ stem, dense }), blocks: blocks.map(decodeAll) };
    return network;
  }

  return { resample, fft, prepare, features, probabilities, answer, recognise };
})();

if (typeof module !== "undefined") module.exports = globalThis.digitRecogniser;
