// The moving picture of the front page: it plays once, when it is in sight, and stays at its end. A
// button pauses it and plays it again. Its style sheet (word.css) moves it, this says when.

(() => {
  "use strict";

  function bringToLife(figure) {
    const drawing = figure.querySelector("svg.word");
    const button = figure.querySelector("button");
    const last = drawing.querySelector(".verdict"); // what moves last
    const pause = (isPaused) => {
      drawing.classList.toggle("paused", isPaused);
      button.textContent = isPaused ? "Continue" : "Pause";
    };
    const rewind = () => {
      drawing.classList.add("stopped");
      drawing.getBoundingClientRect(); // the browser takes note, and begins anew
      drawing.classList.remove("stopped");
    };

    if (getComputedStyle(last).animationName === "none") return; // less motion is asked for
    let isOver = false;
    rewind();
    pause(true);
    button.textContent = "Play";
    button.style.visibility = "visible";
    const sight = new IntersectionObserver(([entry]) => {
      if (!entry.isIntersecting) return;
      sight.disconnect();
      pause(false);
    }, { threshold: 0.4 });
    sight.observe(drawing);

    last.addEventListener("animationend", () => {
      isOver = true;
      drawing.classList.add("stopped"); // printing the page does not set it going again
      button.textContent = "Play again";
    });
    button.addEventListener("click", () => {
      sight.disconnect();
      if (isOver) rewind();
      pause(!isOver && !drawing.classList.contains("paused"));
      isOver = false;
    });
  }

  document.querySelectorAll("figure.story").forEach(bringToLife);
})();
