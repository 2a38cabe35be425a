// Pictures on canvases, with axes: sharp on every screen, as wide as their place, in the colours of
// the page, light or dark. A painter draws with `pen` into a picture of `width` by `height` pixels.

globalThis.ownPictures = (() => {
  "use strict";
  const MAGMA = ["#000004", "#140e36", "#3b0f70", "#641a80", "#8c2981", "#b73779", "#de4968"];
  MAGMA.push("#f7705c", "#fe9f6d", "#fecf92", "#fcfdbf"); // matplotlib's colours, dark to bright
  const FONT = "13px system-ui, sans-serif";
  const LEVELS = 256;

  // ---------------------------------------------------------------- a canvas
  function picture(parent, height) {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.style.height = `${height}px`;
    parent.append(canvas);
    let painter = null;

    function paint() {
      const width = canvas.clientWidth;
      if (!painter || !width) return;
      const scale = globalThis.devicePixelRatio || 1;
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      const pen = canvas.getContext("2d");
      pen.scale(scale, scale);
      pen.font = FONT;
      painter(pen, width, height, coloursOf(canvas));
    }

    new ResizeObserver(paint).observe(canvas);
    const page = { attributeFilter: ["data-theme"] };
    new MutationObserver(paint).observe(document.documentElement, page);
    return {
      canvas,
      draw(newPainter, words) {
        painter = newPainter;
        canvas.setAttribute("aria-label", words);
        paint();
      },
    };
  }

  function coloursOf(canvas) {
    const style = getComputedStyle(canvas);
    const named = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
    return {
      ink: style.color,
      faint: named("--pst-color-text-muted", style.color),
      accent: named("--pst-color-primary", "#9c3a17"),
      paper: named("--pst-color-background", "#fff"),
    };
  }

  // A number as the book writes it, with a fixed number of digits after its point.
  const number = (value, digits = 0) =>
    value
      .toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
      .replace("-", "−");

  // ---------------------------------------------------------------- axes
  // Round numbers between two: 1, 2 or 5 times a power of ten apart, about so many.
  function roundTicks(from, to, about) {
    const rough = (to - from) / about;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const first = Math.ceil(from / step - 1e-9);
    const n = Math.floor(to / step + 1e-9) - first + 1;
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return Array.from({ length: n }, (_, i) => {
      const value = (first + i) * step;
      return [value, number(value, value ? digits : 0)];
    });
  }

  // Draw two axes with ticks and names; return where their values lie. An axis is { from, to, name }
  // and, if its ticks are not round numbers, ticks: [[value, text], ...]. `right` is kept free.
  function axes(pen, width, height, colours, { x, y, right = 12 }) {
    const xTicks = x.ticks ?? roundTicks(x.from, x.to, width / 65);
    const yTicks = y.ticks ?? roundTicks(y.from, y.to, height / 30);
    const widest = Math.max(...yTicks.map(([, text]) => pen.measureText(text).width));
    const box = { left: Math.ceil(widest) + 12, right: width - right, top: 24, bottom: height - 40 };
    const place = {
      ...box,
      x: (value) => box.left + ((value - x.from) / (x.to - x.from)) * (box.right - box.left),
      y: (value) => box.bottom - ((value - y.from) / (y.to - y.from)) * (box.bottom - box.top),
    };
    pen.strokeStyle = pen.fillStyle = colours.ink;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(box.left - 0.5, box.top);
    pen.lineTo(box.left - 0.5, box.bottom + 0.5);
    pen.lineTo(box.right, box.bottom + 0.5);
    for (const [value] of xTicks) tick(pen, place.x(value), box.bottom, 0, 5);
    for (const [value] of yTicks) tick(pen, box.left, place.y(value), -5, 0);
    pen.stroke();
    write(pen, place, width, [xTicks, x.name], [yTicks, y.name]);
    return place;
  }

  // The numbers beside the ticks, and the names: of x below, of y above its axis, so that it can be
  // read without turning one's head.
  function write(pen, place, width, [xTicks, xName], [yTicks, yName]) {
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const [value, text] of xTicks) {
      const half = pen.measureText(text).width / 2; // the last may not leave the picture
      pen.fillText(text, Math.min(place.x(value), width - half), place.bottom + 7);
    }
    pen.fillText(xName, (place.left + place.right) / 2, place.bottom + 23);
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const [value, text] of yTicks) pen.fillText(text, place.left - 8, place.y(value));
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.fillText(yName, 2, 2);
  }

  function tick(pen, x, y, dx, dy) {
    pen.moveTo(Math.round(x) + 0.5, Math.round(y) + 0.5);
    pen.lineTo(Math.round(x + dx) + 0.5, Math.round(y + dy) + 0.5);
  }

  // ---------------------------------------------------------------- what stands between axes
  // A curve through points; of many in one pixel, the highest and the lowest are drawn.
  function curve(pen, place, xs, ys, colour, thickness = 1.5) {
    inside(pen, place, () => {
      pen.strokeStyle = colour;
      pen.lineWidth = thickness;
      pen.lineJoin = "round";
      pen.beginPath();
      let i = 0;
      while (i < xs.length) {
        const x = place.x(xs[i]);
        const pixel = Math.floor(x);
        let [low, high] = [ys[i], ys[i]];
        for (i++; i < xs.length && Math.floor(place.x(xs[i])) === pixel; i++) {
          low = Math.min(low, ys[i]);
          high = Math.max(high, ys[i]);
        }
        pen.lineTo(x, place.y(low));
        if (high > low) pen.lineTo(x, place.y(high));
      }
      pen.stroke();
    });
  }

  function dots(pen, place, xs, ys, colour) {
    inside(pen, place, () => {
      pen.fillStyle = colour;
      xs.forEach((x, i) => {
        pen.beginPath();
        pen.arc(place.x(x), place.y(ys[i]), 3, 0, 2 * Math.PI);
        pen.fill();
      });
    });
  }

  // Draw what lies between the axes, and nothing beyond.
  function inside(pen, { left, right, top, bottom }, draw) {
    pen.save();
    pen.beginPath();
    pen.rect(left, top, right - left, bottom - top);
    pen.clip();
    draw();
    pen.restore();
  }

  // Columns of levels as colours, the first level at the bottom; `low` is dark, `high` bright.
  function heatmap(pen, { left, right, top, bottom }, columns, low, high) {
    const [width, height] = [columns.length, columns[0].length];
    const image = new ImageData(width, height);
    columns.forEach((levels, x) =>
      levels.forEach((level, y) => {
        const share = Math.min(Math.max((level - low) / (high - low), 0), 1);
        const colour = COLOURS[Math.round(share * (LEVELS - 1))];
        image.data.set(colour, 4 * ((height - 1 - y) * width + x));
      }),
    );
    const small = Object.assign(document.createElement("canvas"), { width, height });
    small.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, left, top, right - left, bottom - top);
  }

  const COLOURS = Array.from({ length: LEVELS }, (_, i) => {
    const place = (i / (LEVELS - 1)) * (MAGMA.length - 1);
    const before = Math.min(Math.floor(place), MAGMA.length - 2);
    const channel = (name, k) => parseInt(name.slice(1 + 2 * k, 3 + 2 * k), 16);
    const mix = (k) => {
      const [a, b] = [channel(MAGMA[before], k), channel(MAGMA[before + 1], k)];
      return Math.round(a + (place - before) * (b - a));
    };
    return [mix(0), mix(1), mix(2), 255];
  });

  // What the colours mean: a bar at the right of the axes, which leave BAR pixels for it.
  const BAR = 62;

  function colourBar(pen, place, colours, low, high, unit) {
    const bar = { ...place, left: place.right + 10, right: place.right + 22 };
    const steps = Array.from({ length: LEVELS }, (_, i) => i / (LEVELS - 1));
    heatmap(pen, bar, [steps], 0, 1);
    pen.fillStyle = colours.ink;
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.fillText(number(high), bar.right + 4, bar.top);
    pen.textBaseline = "bottom";
    pen.fillText(number(low), bar.right + 4, bar.bottom);
    pen.textBaseline = "middle";
    pen.fillText(unit, bar.right + 4, (bar.top + bar.bottom) / 2);
  }

  function waveform(pen, width, height, colours, samples, rate) {
    const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-4);
    const place = axes(pen, width, height, colours, {
      x: { from: 0, to: samples.length / rate, name: "time [s]" },
      y: { from: -1.05 * peak, to: 1.05 * peak, name: "amplitude [full scale]" },
    });
    const seconds = Float64Array.from(samples, (_, i) => i / rate);
    curve(pen, place, seconds, samples, colours.accent, 1);
    return place;
  }

  // What the recogniser is given of so many seconds: frames of log-mel levels, in units of 15 dB.
  function logMel(pen, width, height, colours, frames, seconds) {
    const [low, high, unit] = [-2.5, 1.5, 15];
    const place = axes(pen, width, height, colours, {
      x: { from: 0, to: seconds, name: "time [s]" },
      y: { from: 0, to: frames[0].length, name: "mel band (colours: dB above its mean)" },
      right: BAR,
    });
    heatmap(pen, place, frames, low, high);
    colourBar(pen, place, colours, Math.ceil(unit * low), Math.floor(unit * high), "dB");
    return place;
  }

  // ---------------------------------------------------------------- ten bars
  const WORDS = "zero one two three four five six seven eight nine".split(" ");
  const percent = (share) => `${Math.round(100 * share)} %`;

  // The probability of each digit as a bar and a number; where it was another before, that too.
  function bars(parent, probabilities, before = probabilities) {
    parent.replaceChildren(
      ...WORDS.map((word, digit) => {
        const row = document.createElement("label");
        const bar = document.createElement("meter");
        bar.value = probabilities[digit];
        const share = document.createElement("span");
        const [old, now] = [percent(before[digit]), percent(probabilities[digit])];
        share.textContent = old === now ? now : `${old} → ${now}`;
        row.append(`${digit} ${word}`, bar, share);
        return row;
      }),
    );
  }

  // What was heard, in words: "seven, 98 %".
  function heard({ label, probabilities }) {
    return WORDS[label] ? `${WORDS[label]}, ${percent(probabilities[label])}` : "no digit";
  }

  return { picture, number, axes, curve, dots, inside, heatmap, colourBar, BAR, waveform, logMel, bars, heard };
})();
