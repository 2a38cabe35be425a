// The reader's own recording in the chapters. A chapter holds
//
//     <section class="own-recording" data-show="spectrum"> what stands here elsewhere </section>
//
// and this script puts a recorder there, and under it the display of that name once there is a
// recording: those of own_digital_audio.js and own_spectra.js. All recorders of the book share one
// recording, that of own_recording.js.

(() => {
  "use strict";
  const own = globalThis.ownRecording;
  const MARKUP = `
    <p><button type="button" class="record">Record a word</button>
    <button type="button" class="example">Take an example</button>
    <label>or choose or drop a sound file:
      <input type="file" class="file" accept="audio/*"></label></p>
    <p><meter class="level" min="0" max="1" hidden aria-label="level of the microphone"></meter>
    <output class="answer" aria-live="polite"></output></p>
    <div class="result" hidden>
      <figure class="player">
        <audio class="playback" controls aria-label="Your recording"></audio>
        <figcaption class="duration"></figcaption>
      </figure>
      <div class="display"></div>
      <p><button type="button" class="forget">Forget the recording</button>
      <label><input type="checkbox" class="remember"> Remember it in this browser</label></p>
      <p class="kept"></p>
    </div>
    <p class="note">Nothing is uploaded. The recording is gone when you close the tab, unless you let
      the browser remember it.</p>`;

  // ---------------------------------------------------------------- fields of a display
  let nFields = 0;

  function element(parent, tag, properties = {}) {
    const made = Object.assign(document.createElement(tag), properties);
    parent.append(made);
    return made;
  }

  // One of several: options are [[value, text], ...].
  function choice(parent, legend, options, change, chosen = 0) {
    const group = element(parent, "fieldset");
    element(group, "legend", { textContent: legend });
    const name = `own-${nFields++}`;
    const radios = options.map(([value, text], i) => {
      const label = element(group, "label");
      const radio = element(label, "input", { type: "radio", name, checked: i === chosen });
      label.append(` ${text}`);
      radio.addEventListener("change", change);
      return [radio, value];
    });
    return { value: () => radios.find(([radio]) => radio.checked)[1] };
  }

  function tickBox(parent, text, change) {
    const label = element(parent, "label", { className: "tick" });
    const box = element(label, "input", { type: "checkbox" });
    label.append(` ${text}`);
    box.addEventListener("change", change);
    return box;
  }

  // A slider that says its value in words.
  function slider(parent, text, { min, max, value, words }, change) {
    const row = element(parent, "div", { className: "slider" });
    const id = `own-${nFields++}`;
    element(row, "label", { textContent: text, htmlFor: id });
    const input = element(row, "input", { type: "range", id, min, max, step: 1 });
    const said = element(row, "output", { htmlFor: id });
    const say = () => {
      said.textContent = words(input.valueAsNumber);
      input.setAttribute("aria-valuetext", said.textContent);
    };
    input.addEventListener("input", () => {
      say();
      change();
    });
    input.valueAsNumber = value;
    return {
      row,
      value: () => input.valueAsNumber,
      // Give it another end or another value, without a change.
      set(newValue, newMax = input.max) {
        input.max = newMax;
        input.valueAsNumber = newValue;
        say();
      },
    };
  }

  const sentence = (parent) => {
    const said = element(parent, "p", { className: "said" });
    said.setAttribute("aria-live", "polite");
    return said;
  };

  function button(parent, text, press) {
    const made = element(parent, "button", { type: "button", textContent: text });
    made.addEventListener("click", press);
    return made;
  }

  function player(parent, name) {
    const figure = element(parent, "figure", { className: "player" });
    const audio = element(figure, "audio", { controls: true });
    audio.setAttribute("aria-label", name);
    const caption = element(figure, "figcaption");
    return {
      audio,
      set(wav, words) {
        URL.revokeObjectURL(audio.src);
        audio.src = URL.createObjectURL(new Blob([wav], { type: "audio/wav" }));
        caption.textContent = words;
      },
    };
  }

  const fields = { element, choice, tickBox, slider, sentence, button, player };

  // ---------------------------------------------------------------- a recorder and its display
  function bringToLife(place) {
    const instead = element(place, "div", { className: "instead" }); // for paper
    instead.append(...[...place.childNodes].filter((node) => node !== instead));
    const live = element(place, "div", { className: "live", innerHTML: MARKUP });
    const part = (name) => live.querySelector(`.${name}`);
    const say = (text) => (part("answer").textContent = text);
    const display = globalThis.ownDisplays[place.dataset.show](part("display"), fields);
    let isNear = false;
    let isShown = false;

    async function show() {
      const recording = own.get();
      part("result").hidden = recording === null;
      if (recording === null || !isNear || isShown) return;
      isShown = true;
      const { samples, rate, wav, note } = recording;
      URL.revokeObjectURL(part("playback").src);
      part("playback").src = URL.createObjectURL(new Blob([wav], { type: "audio/wav" }));
      const length = `${(samples.length / rate).toFixed(1)} s`;
      part("duration").textContent = `Your recording, ${length}${note && `: ${note}`}.`;
      await own.calculator();
      await display({ samples, rate, wav });
    }

    const attempt = () => show().catch((error) => say(error.message));
    own.onChange((isOther) => {
      if (!isOther) return;
      isShown = false;
      if (own.get() === null) {
        URL.revokeObjectURL(part("playback").src);
        part("playback").removeAttribute("src");
      }
      attempt();
    });
    globalThis.connectRecorder(live, say, attempt);
    attempt();
    new IntersectionObserver(
      ([{ isIntersecting }]) => {
        isNear = isIntersecting;
        attempt();
      },
      { rootMargin: "300px" },
    ).observe(place);
  }

  document.querySelectorAll(".own-recording").forEach(bringToLife);
})();
