// The browser's side of LiveExplorer: a native slider, what it says, and the frame that belongs to it.

function render({ model, el }) {
  const places = model.get("places");
  const make = (name, parent, properties) =>
    parent.appendChild(Object.assign(document.createElement(name), properties));

  const explorer = make("div", el, { className: "explorer" });
  const label = make("label", explorer, { textContent: `${model.get("label")}: ` });
  const said = make("output", label, {});
  const slider = make("input", explorer, { type: "range", min: 0, max: places.length - 1 });
  slider.setAttribute("aria-label", model.get("label"));
  slider.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes the arrow keys
  const view = make("div", explorer, {});
  let film = null;

  function showPlace() {
    const place = model.get("place");
    slider.value = place;
    said.textContent = places[place];
    slider.setAttribute("aria-valuetext", places[place]);
  }

  function showFrame() {
    view.innerHTML = model.get("frame");
  }

  function moveTo(place) {
    model.set("place", place);
    model.save_changes();
  }

  function stop() {
    film = clearInterval(film);
  }

  slider.addEventListener("input", () => moveTo(slider.valueAsNumber));
  model.on("change:place", showPlace);
  model.on("change:frame", showFrame);
  if (model.get("film")) {
    const button = make("button", explorer, { textContent: "Play", type: "button" });
    explorer.insertBefore(button, slider);
    button.addEventListener("click", () => {
      if (film) stop();
      else film = setInterval(() => moveTo((model.get("place") + 1) % places.length), 100);
      button.textContent = film ? "Pause" : "Play";
    });
  }
  showPlace();
  showFrame();
  return () => {
    stop();
    model.off("change:place", showPlace);
    model.off("change:frame", showFrame);
  };
}

export default { render };
