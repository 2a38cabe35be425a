// What a page does while it loads: see light_pages.py.

// An explorer loads the pictures of its other frames when somebody reaches for it.
for (const flipbook of document.querySelectorAll(".flipbook")) {
  const load = () => flipbook.querySelectorAll("img").forEach((image) => (image.loading = "eager"));
  for (const event of ["focusin", "pointerenter", "touchstart"])
    flipbook.addEventListener(event, load, { once: true, passive: true });
}

// Formulas and fonts move what stands below them when they come. A page that is opened at a place in
// its middle shows its text once they are there, so that the place does not move before the reader.
const article = document.querySelector("article");
if (location.hash && article) {
  article.style.visibility = "hidden";
  const set = async () => {
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
  };
  const late = new Promise((resolve) => setTimeout(resolve, 2000));
  addEventListener("DOMContentLoaded", async () => {
    await Promise.race([set().catch(() => {}), late]);
    document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
    article.style.visibility = "";
  });
}
