// An explorer loads the pictures of its other frames when somebody reaches for it: see light_pages.py.

for (const flipbook of document.querySelectorAll(".flipbook")) {
  const load = () => flipbook.querySelectorAll("img").forEach((image) => (image.loading = "eager"));
  for (const event of ["focusin", "pointerenter", "touchstart"])
    flipbook.addEventListener(event, load, { once: true, passive: true });
}
