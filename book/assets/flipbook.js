// Explorers in the rendered book: a native slider shows one of the frames beneath it.
// Made by digitlab.widgets; without JavaScript the first frame stays and the controls stay hidden.
// A film starts at a press of its button alone, and is slow for a reader who asks for less motion.

function bringToLife(flipbook) {
  const frames = [...flipbook.querySelectorAll(".frame")];
  const slider = flipbook.querySelector("input");
  const button = flipbook.querySelector("button");
  const said = flipbook.querySelector("output");
  let film = null;

  function show() {
    frames.forEach((frame, i) => {
      frame.hidden = i !== slider.valueAsNumber;
      if (frame.hidden) frame.querySelectorAll("audio").forEach((sound) => sound.pause());
    });
    said.textContent = frames[slider.valueAsNumber].dataset.place;
    slider.setAttribute("aria-valuetext", said.textContent);
  }

  function press() {
    film = film
      ? clearInterval(film)
      : setInterval(() => {
          slider.valueAsNumber = (slider.valueAsNumber + 1) % frames.length;
          show();
        }, matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 100);
    button.textContent = film ? "Pause" : "Play";
  }

  slider.addEventListener("input", show);
  button?.addEventListener("click", press);
  flipbook.querySelector(".controls").hidden = false;
  show(); // a browser may remember where the slider stood
}

document.querySelectorAll(".flipbook").forEach(bringToLife);
