// A chapter on paper: its solutions, the right answers and what it cites stand at its end, figures
// are named by their numbers, and the colours are the light ones. After printing all is put back.

(() => {
  const article = document.querySelector("article.bd-article");
  let undo = [];

  function section(title) {
    const part = document.createElement("section");
    part.append(Object.assign(document.createElement("h2"), { textContent: title }));
    return part;
  }

  function show(part) {
    if (part.childElementCount === 1) return;
    article.append(part);
    undo.push(() => part.remove());
  }

  function moveSolutions() {
    const part = section("Solutions");
    article.querySelectorAll(".solution").forEach((solution) => {
      const place = document.createComment("a solution, which is being printed elsewhere");
      const { open } = solution;
      solution.replaceWith(place);
      solution.open = true;
      part.append(solution);
      undo.push(() => {
        solution.open = open;
        place.replaceWith(solution);
      });
    });
    show(part);
  }

  function answerQuestions() {
    const part = section("Answers");
    article.querySelectorAll("details.right").forEach((option, i) => {
      const answer = document.createElement("p");
      const text = option.querySelector(".sd-summary-text").cloneNode(true);
      const reason = [...option.querySelectorAll(".sd-card-body > p")].map((p) => p.cloneNode(true));
      reason[0].querySelector("strong")?.remove(); // the word "Right."
      answer.append(`${i + 1}. `, text, ".", ...reason.flatMap((p) => [" ", ...p.childNodes]));
      part.append(answer);
    });
    show(part);
  }

  function listReferences() {
    const cited = [...article.querySelectorAll(".bibtex-citation a[title]")].map((a) => a.title);
    const list = document.createElement("ul");
    const part = section("References");
    [...new Set(cited)].sort((a, b) => a.localeCompare(b, "en")).forEach((title) => {
      list.append(Object.assign(document.createElement("li"), { textContent: title }));
    });
    if (cited.length) part.append(list);
    show(part);
  }

  function nameTargets() {
    article.querySelectorAll("a.reference.internal[href^='#']").forEach((link) => {
      const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
      const number = target?.querySelector(".caption-number")?.textContent.trim();
      if (!number || link.textContent.includes(number)) return;
      const name = document.createElement("span");
      name.textContent = ` (${number})`;
      link.after(name);
      undo.push(() => name.remove());
    });
  }

  function lighten() {
    const { theme } = document.documentElement.dataset;
    document.documentElement.dataset.theme = "light";
    undo.push(() => (document.documentElement.dataset.theme = theme));
  }

  addEventListener("beforeprint", () => {
    if (!article || undo.length) return;
    lighten();
    nameTargets();
    moveSolutions();
    answerQuestions();
    listReferences();
  });
  addEventListener("afterprint", () => {
    undo.reverse().forEach((step) => step());
    undo = [];
  });
})();
