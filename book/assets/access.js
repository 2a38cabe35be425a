// What the theme makes in the browser, named and opened for those who need it.

// The colour switch says which mode is on.
(() => {
  const root = document.documentElement;
  const modes = { light: "light", dark: "dark", auto: "as the system" };
  const name = () =>
    document.querySelectorAll(".theme-switch-button").forEach((button) => {
      button.setAttribute("aria-label", `Colours: ${modes[root.dataset.mode] ?? modes.auto}`);
    });
  new MutationObserver(name).observe(root, { attributeFilter: ["data-mode"] });
  name();
})();

// Solutions are printed open.
(() => {
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details.solution:not([open])")];
    closed.forEach((solution) => (solution.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((solution) => (solution.open = false)));
})();
