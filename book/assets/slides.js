// A deck of slides: see slides.py. Formulas become drawings, so that no fonts need to be loaded.
window.MathJax = {
  options: { ignoreHtmlClass: "mathjax_ignore", processHtmlClass: "math", enableMenu: false },
};

// A slide fills the projector's picture, or a phone that is held upright.
const shape = () => {
  const width = innerHeight > innerWidth ? 540 : 1280;
  return { width, height: Math.max((width * 9) / 16, (width * innerHeight) / innerWidth) };
};

Reveal.initialize({
  ...shape(),
  margin: 0.03,
  center: false,
  display: "flex",
  hash: true,
  slideNumber: "c/t",
  transition: "none",
  scrollActivationWidth: null, // swipe on a phone, too
  pdfSeparateFragments: false,
  // Space and Enter belong to a player, a button or a link that has been reached; arrows do not.
  keyboardCondition: (event) =>
    !["Space", "Enter"].includes(event.code) || !event.target.closest("audio, button, a"),
  plugins: [RevealNotes, RevealZoom],
});
addEventListener("resize", () => Reveal.configure(shape()));

// While a slider is held by the mouse, arrows move it; afterwards they turn the slides again.
addEventListener("pointerup", (event) => event.target.matches("input") && event.target.blur());
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.matches("input")) event.target.blur();
});
