// What only the browser knows, for readers who need it said, opened or enlarged.

// The colour switch says which mode is on.
(() => {
  const root = document.documentElement;
  const modes = { light: "Light", dark: "Dark", auto: "System Settings" }; // the icons' titles
  const name = () =>
    document.querySelectorAll(".theme-switch-button").forEach((button) => {
      button.setAttribute("aria-label", `Colours: ${modes[root.dataset.mode] ?? modes.auto}`);
    });
  new MutationObserver(name).observe(root, { attributeFilter: ["data-mode"] });
  name();
})();

// A formula wider than the page scrolls in its box: the tab key reaches it, the arrow keys move it.
(() => {
  const fit = new ResizeObserver((entries) =>
    entries.forEach(({ target }) => {
      target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
    })
  );
  const formulas = 'mjx-container[display="true"]';
  const watch = () => document.querySelectorAll(formulas).forEach((box) => fit.observe(box));
  addEventListener("load", () => window.MathJax?.startup?.promise.then(watch));
})();

// A tap on a picture that is shown smaller than it is opens it at its own size.
(() => {
  const dialog = document.createElement("dialog");
  dialog.className = "full-size";
  dialog.setAttribute("aria-label", "Picture at full size");
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  document.addEventListener("click", ({ target }) => {
    if (!target.matches(".cell_output img") || target.clientWidth >= target.naturalWidth) return;
    const picture = target.cloneNode();
    picture.removeAttribute("id");
    dialog.replaceChildren(picture);
    dialog.showModal();
  });
})();
