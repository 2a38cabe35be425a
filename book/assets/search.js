// The search page. sections.js, written by section_index.py, lists the places of the book.
// Headings count more than terms explained, terms more than prose, whole words more than beginnings.

const split = (text) =>
  (text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map(
    (word) => (word.length > 3 ? word.replace(/(?<!s)s$/, "") : word), // FFTs, bands
  );
const KINDS = { section: 1, term: 1, exercise: 0.4, closing: 0.4 };

// How well a field answers a word: 1 for the whole word, less for one that begins with it.
function strength(field, word) {
  if (field.includes(word)) return 1;
  return word.length > 2 && field.some((other) => other.startsWith(word)) ? 0.3 : 0;
}

function score(section, query) {
  const [heading, terms, text] = [section.heading, section.terms, section.text].map(split);
  let sum = 0;
  for (const word of query) {
    const times = text.filter((other) => other === word).length;
    const found = [
      100 * strength(heading, word),
      50 * strength(terms, word),
      10 * (times ? times / (times + 2) : strength(text, word) / 3),
    ];
    if (!found.some(Boolean)) return 0; // every word has to be there
    sum += found.reduce((a, b) => a + b);
  }
  const phrase = ` ${query.join(" ")} `;
  const holds = (field) => query.length > 1 && ` ${field.join(" ")} `.includes(phrase);
  if (query.every((word) => heading.includes(word))) sum = 100 * query.length; // prose adds nothing
  else sum += 50 * holds(terms) + 10 * holds(text);
  return (sum + 100 * holds(heading)) * KINDS[section.kind];
}

// Return [the entry of the glossary whose name was asked for, the other sections, best first].
function search(sections, query) {
  const isName = ({ heading }) =>
    heading.split(/[()]/).some((name) => split(name).join(" ") === query.join(" "));
  const definition = sections.find((section) => section.kind === "term" && isName(section));
  const found = sections
    .map((section) => ({ section, points: score(section, query) }))
    .filter(({ section, points }) => points > 0 && section !== definition)
    .sort((a, b) => b.points - a.points || a.section.chapter - b.section.chapter);
  return [definition, found.map(({ section }) => section)];
}

// Return some 200 characters of prose, from the sentence that holds most of the words.
function excerpt(text, query) {
  const sentences = text.match(/.+?[.!?…:](?=\s)|.+$/g) ?? [];
  const hits = sentences.map((s) => split(s)).map((s) => query.filter((w) => strength(s, w)).length);
  const best = hits.indexOf(Math.max(...hits));
  const words = sentences.slice(Math.max(best, 0)).join("").trim().split(" ");
  const first = words.findIndex((word) => split(word).some((w) => query.some((q) => w.startsWith(q))));
  const start = first > 20 ? first - 10 : 0; // a long sentence
  let shown = "";
  for (const word of words.slice(start)) if (shown.length < 200) shown += ` ${word}`;
  const end = words.slice(start).join(" ").length > shown.length ? " …" : "";
  return (start ? "… " : "") + shown.trim() + end;
}

function element(name, attributes, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

// Mark the words that answer the query.
function marked(text, query) {
  return text.split(/([\p{L}\p{M}\p{N}]+)/u).map((part) => {
    const hit = split(part).some((word) => query.some((asked) => word.startsWith(asked)));
    return hit ? element("mark", {}, part) : part;
  });
}

function result(section, query) {
  const href = `${document.documentElement.dataset.content_root}${section.page}`;
  const link = element(
    "a",
    { href: section.anchor ? `${href}#${section.anchor}` : href },
    ...marked(section.heading, query),
  );
  const title = section.anchor ? [element("span", { className: "where" }, section.title)] : [];
  return [link, ...title, element("p", {}, ...marked(excerpt(section.text, query), query))];
}

function answer(asked) {
  const query = split(asked);
  const [definition, found] = query.length ? search(window.sections, query) : [];
  const place = document.querySelector("#search-results");
  if (definition) place.append(element("div", { className: "definition" }, ...result(definition, query)));
  if (!query.length) return;
  place.append(element("ol", {}, ...found.map((s) => element("li", {}, ...result(s, query)))));
  const n = found.length + Boolean(definition);
  document.querySelector("#search-status").textContent =
    n ? `${n} ${n > 1 ? "places" : "place"} for “${asked}”` : `No place has all the words of “${asked}”.`;
}

const field = document.querySelector(".bd-search-container input[type=search]");
field.value = new URLSearchParams(location.search).get("q") ?? "";
answer(field.value.trim());
field.focus();
