"use strict";
(function () {
  const data = JSON.parse(document.getElementById("proof-data").textContent);
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const expand = (ranges) => {
    const found = new Set();
    for (const [first, last] of ranges) for (let code = first; code <= last; code++) found.add(code);
    return found;
  };
  const nameOf = (code) => "U+" + code.toString(16).toUpperCase().padStart(4, "0");

  const covered = expand(data.covered);
  const references = data.references.map((reference) => ({ label: reference.label, covered: expand(reference.covered) }));
  let against = 0;
  const records = new Map();
  for (const code of covered) records.set(code, { code, text: String.fromCodePoint(code), score: null, reason: "", made: false });
  for (const [code, score, reason] of data.generated) {
    const record = records.get(code);
    if (record) Object.assign(record, { score, reason: reason === null ? "" : data.reasons[reason], made: true });
  }
  const anyMade = data.generated.length > 0;

  // Text in layers: runs keep their shaping, generated runs can be tinted, absent characters show a box
  const BLANK = /^[\s\p{C}]$/u;
  function layer(kind, text, has) {
    const element = make("div", "layer " + kind);
    if (kind === "reference") element.setAttribute("aria-hidden", "true");
    let run = "", made = false;
    const flush = () => {
      if (run) element.append(made ? make("span", "made", run) : run);
      run = "";
    };
    for (const character of text) {
      const code = character.codePointAt(0);
      if (!has.has(code) && !BLANK.test(character)) {
        flush();
        const box = make("span", "absent");
        box.title = character + " " + nameOf(code) + " is not in this font";
        element.append(box);
        continue;
      }
      const record = records.get(code);
      const isMade = Boolean(record && record.made);
      if (isMade !== made) flush();
      made = isMade;
      run += character;
    }
    flush();
    return element;
  }
  function stack(text, size, language) {
    const element = make("div", "stack");
    if (size) element.style.fontSize = size + "px";
    if (language) element.lang = language;
    element.append(layer("font", text, covered));
    if (references.length) element.append(layer("reference", text, references[against].covered));
    return element;
  }

  // Page-wide choices live in attributes of the root; the style sheet does the rest
  function choose(name, value) {
    root.dataset[name] = value;
    const input = document.querySelector('input[name="' + name + '"][value="' + value + '"]');
    if (input) input.checked = true;
  }
  for (const name of ["view", "direction"]) {
    for (const input of document.querySelectorAll('input[name="' + name + '"]')) {
      input.addEventListener("change", () => choose(name, input.value));
      if (input.checked) choose(name, input.value); // a reload may bring back an earlier choice
    }
  }
  if (!references.length) $("view-choice").hidden = true;
  if (!anyMade) $("tint-choice").hidden = true;
  $("tint").addEventListener("change", () => { root.dataset.tint = $("tint").checked ? "on" : "off"; });
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const applyScheme = () => { root.dataset.scheme = root.dataset.theme || (dark.matches ? "dark" : "light"); };
  dark.addEventListener("change", applyScheme);
  $("theme").addEventListener("click", () => {
    root.dataset.theme = root.dataset.scheme === "dark" ? "light" : "dark";
    applyScheme();
  });
  applyScheme();

  // Type
  const SIZES = [14, 18, 24, 36, 56, 88];
  function setTyped() {
    const text = $("typed").value;
    const lines = SIZES.map((size) => {
      const line = make("div", "line");
      line.append(make("span", "mm", size + " px"), stack(text, size));
      return line;
    });
    $("waterfall").replaceChildren(...lines);
    const counts = { absent: [], made: 0, all: 0 };
    for (const character of new Set(text)) {
      if (BLANK.test(character)) continue;
      const record = records.get(character.codePointAt(0));
      counts.all += 1;
      if (!record) counts.absent.push(character);
      else if (record.made) counts.made += 1;
    }
    const parts = [counts.all + " different characters"];
    if (anyMade) parts.push(counts.made + " generated");
    parts.push(counts.absent.length ? counts.absent.length + " not in this font: " + counts.absent.join(" ") : "all in this font");
    $("typed-coverage").textContent = counts.all ? parts.join(", ") : "";
  }
  $("typed").addEventListener("input", setTyped);
  for (const preset of data.presets) {
    const button = make("button", "", preset.name);
    button.type = "button";
    button.addEventListener("click", () => { $("typed").value = preset.text; setTyped(); });
    $("presets").append(button);
  }
  $("typed").value = data.presets.length ? data.presets[0].text : "";
  setTyped();

  // Texts
  function setSamples() {
    $("samples").replaceChildren();
    for (const sample of data.samples) {
      const article = make("article", "sample");
      const title = make("h3", "", sample.name);
      title.append(make("span", "", sample.note));
      const texts = make("div", "texts");
      const large = make("div", "large"), small = make("div", "small");
      large.append(stack(sample.large, 0, sample.lang));
      small.append(stack(sample.small, 0, sample.lang));
      texts.append(large, small);
      article.append(title, texts);
      $("samples").append(article);
    }
    if (data.unset) $("samples").append(make("p", "unset", data.unset));
  }
  setSamples();

  // What is compared with: one reference at a time
  references.forEach((reference, index) => {
    const option = make("option", "", reference.label);
    option.value = index;
    $("against").append(option);
  });
  $("against-choice").hidden = references.length < 2;
  function compareWith(index) {
    against = index;
    $("against").value = index;
    $("reference-name").textContent = references[index].label;
    root.style.setProperty("--reference-font", '"Proof Reference ' + index + '"');
    setTyped();
    setSamples();
    if (surface) { layOut(); inspect(); }
  }
  let surface = null;
  $("against").addEventListener("change", () => compareWith(Number($("against").value)));
  if (references.length) compareWith(0);

  // Marks, kept in this browser under the font's name; a glyph that changed loses its mark
  const STORE = "fontgen-proof:" + data.key;
  const KINDS = ["accept", "redo", "fix"];
  const marks = new Map();
  const digests = new Map([...covered].map((code, index) => [code, data.digests.slice(6 * index, 6 * index + 6)]));
  try {
    for (const [name, mark, digest] of JSON.parse(window.localStorage.getItem(STORE) || "[]")) {
      const code = parseInt(name.slice(2), 16);
      if (KINDS.includes(mark) && covered.has(code) && digest === digests.get(code)) marks.set(code, mark);
    }
  } catch (error) {
    console.warn("marks cannot be read from this browser's storage", error);
  }
  function setMark(code, mark) {
    if (mark) marks.set(code, mark); else marks.delete(code);
    saveMarks();
  }
  function saveMarks() {
    try {
      window.localStorage.setItem(STORE, JSON.stringify([...marks].map(([code, mark]) => [nameOf(code), mark, digests.get(code)])));
    } catch (error) {
      console.warn("marks cannot be kept in this browser's storage", error);
    }
    $("tally").textContent = KINDS.map((kind) => [...marks.values()].filter((mark) => mark === kind).length + " " + kind).join(", ");
  }

  // Glyph grid: only the rows in sight exist
  const grid = $("grid");
  surface = make("div", "surface");
  grid.append(surface);
  let shown = [], at = 0, columns = 1, rowHeight = 100, cellSize = 72;
  const rows = new Map();
  const scopes = [["all", "all glyphs", () => true]];
  if (anyMade) {
    scopes.unshift(["made", "generated", (record) => record.made], ["suspect", "suspects", (record) => record.reason]);
    scopes.push(["kept", "from the base font", (record) => !record.made]);
  }
  scopes.push(["unmarked", "not marked yet", (record) => (record.made || !anyMade) && !marks.has(record.code)]);
  for (const kind of KINDS) scopes.push([kind, "marked: " + kind, (record) => marks.get(record.code) === kind]);
  for (const [value, label] of scopes) {
    const option = make("option", "", label);
    option.value = value;
    $("scope").append(option);
  }
  if (!data.generated.some((glyph) => glyph[1] !== null)) $("sort").value = "codepoint";

  function matcher(query) {
    const range = /^(?:u\+)?([0-9a-f]{4,6})(?:\s*(?:-|\.\.)\s*(?:u\+)?([0-9a-f]{4,6}))?$/i.exec(query);
    if (range && (range[2] || /^u\+|[0-9]/i.test(query))) {
      const first = parseInt(range[1], 16), last = parseInt(range[2] || range[1], 16);
      return (record) => record.code >= first && record.code <= last;
    }
    if ([...query].length === 1 || /[^\u0000-\u024f]/.test(query)) {
      const wanted = new Set(query);
      return (record) => wanted.has(record.text);
    }
    const words = query.toLowerCase();
    return (record) => record.reason.toLowerCase().includes(words);
  }
  function refill() {
    const keep = shown[at];
    const query = $("query").value.trim();
    const matches = query ? matcher(query) : () => true;
    const inScope = scopes.find(([value]) => value === $("scope").value)[2];
    shown = [...records.values()].filter((record) => inScope(record) && matches(record));
    const order = $("sort").value;
    const sign = order === "best" ? -1 : 1;
    shown.sort((a, b) => {
      if (order === "reason" && a.reason !== b.reason) {
        if (!a.reason || !b.reason) return a.reason ? -1 : 1;
        return a.reason < b.reason ? -1 : 1;
      }
      if (order !== "codepoint" && a.score !== b.score) {
        if (a.score === null) return 1;
        if (b.score === null) return -1;
        return sign * (a.score - b.score);
      }
      return a.code - b.code;
    });
    at = Math.max(0, keep ? shown.indexOf(keep) : 0);
    $("count").textContent = shown.length.toLocaleString("en") + (shown.length === 1 ? " glyph" : " glyphs");
    layOut();
    inspect();
  }
  function layOut() {
    cellSize = Number($("size").value);
    const pitch = Math.max(cellSize + 24, 64);
    columns = Math.max(1, Math.floor(grid.clientWidth / pitch));
    rowHeight = cellSize + 48;
    surface.replaceChildren();
    rows.clear();
    surface.style.height = Math.ceil(shown.length / columns) * rowHeight + "px";
    if (!shown.length) surface.append(make("p", "nothing", "No glyph matches."));
    else reveal();
    draw();
  }
  function cellOf(index) {
    const record = shown[index];
    const cell = make("div", "cell" + (record.reason ? " suspect" : ""));
    cell.id = "cell-" + index;
    cell.dataset.index = index;
    cell.setAttribute("role", "option");
    cell.setAttribute("aria-setsize", shown.length);
    cell.setAttribute("aria-posinset", index + 1);
    cell.setAttribute("aria-selected", index === at);
    const mark = marks.get(record.code);
    const spoken = [record.text, nameOf(record.code)];
    if (record.score !== null) spoken.push("score " + record.score.toFixed(2));
    if (record.reason) spoken.push(record.reason);
    if (mark) spoken.push("marked " + mark);
    cell.setAttribute("aria-label", spoken.join(", "));
    cell.title = spoken.slice(1).join(", ");
    cell.append(stack(record.text, cellSize));
    cell.append(make("span", "code", record.code.toString(16).toUpperCase().padStart(4, "0")));
    if (mark) cell.append(make("span", "flag " + mark, mark));
    return cell;
  }
  function draw() {
    const first = Math.max(0, Math.floor(grid.scrollTop / rowHeight) - 3);
    const last = Math.min(Math.ceil(shown.length / columns), Math.ceil((grid.scrollTop + grid.clientHeight) / rowHeight) + 3);
    for (const [number, element] of rows) {
      if (number < first || number >= last) {
        element.remove();
        rows.delete(number);
      }
    }
    for (let number = first; number < last; number++) {
      if (rows.has(number)) continue;
      const row = make("div", "grid-row");
      row.setAttribute("role", "presentation");
      row.style.cssText = "top:" + number * rowHeight + "px;height:" + rowHeight + "px;grid-template-columns:repeat(" + columns + ",1fr)";
      for (let index = number * columns; index < Math.min(shown.length, (number + 1) * columns); index++) row.append(cellOf(index));
      surface.append(row);
      rows.set(number, row);
    }
  }
  function refresh(index) {
    const cell = $("cell-" + index);
    if (cell) cell.replaceWith(cellOf(index));
  }
  function reveal() {
    const top = Math.floor(at / columns) * rowHeight;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + rowHeight > grid.scrollTop + grid.clientHeight) grid.scrollTop = top + rowHeight - grid.clientHeight;
  }
  function select(index) {
    if (!shown.length) return;
    const before = at;
    at = Math.min(Math.max(index, 0), shown.length - 1);
    reveal();
    draw();
    refresh(before);
    refresh(at);
    inspect();
  }
  function inspect() {
    const record = shown[at];
    $("inspector").style.visibility = record ? "" : "hidden";
    if (!record) return;
    grid.setAttribute("aria-activedescendant", "cell-" + at);
    $("plate").replaceChildren(make("div", "em"), stack(record.text));
    $("glyph-name").textContent = nameOf(record.code);
    $("glyph-origin").textContent = record.made ? "generated" : anyMade ? "from the base font" : "";
    $("glyph-score").textContent = record.score === null ? "" : "Score " + record.score.toFixed(3);
    if (record.score !== null) {
      const scale = make("i"), length = make("b");
      length.style.width = 100 * Math.min(1, Math.max(0, record.score)) + "%";
      scale.append(length);
      $("glyph-score").append(scale);
    }
    $("glyph-reason").textContent = record.reason;
    for (const button of document.querySelectorAll("[data-mark]")) {
      button.setAttribute("aria-pressed", marks.get(record.code) === button.dataset.mark);
    }
  }
  function markShown(mark) {
    if (!shown.length) return;
    setMark(shown[at].code, mark);
    refresh(at);
    inspect();
  }

  let waiting = false;
  grid.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  });
  grid.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (cell) select(Number(cell.dataset.index));
  });
  for (const button of document.querySelectorAll("[data-mark]")) {
    button.addEventListener("click", () => {
      if (shown.length) markShown(marks.get(shown[at].code) === button.dataset.mark ? "" : button.dataset.mark);
    });
  }
  const flip = () => choose("view", root.dataset.view === "reference" ? "font" : "reference");
  grid.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(grid.clientHeight / rowHeight)) * columns;
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    const keys = { a: "accept", r: "redo", f: "fix" };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key in moves) select(at + moves[key]);
    else if (key in keys) { markShown(keys[key]); select(at + 1); }
    else if (key === "u") markShown("");
    else if (key === " " && references.length) flip();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  $("scope").addEventListener("change", refill);
  $("sort").addEventListener("change", () => { shown = []; refill(); }); // begin at the first in the new order
  $("query").addEventListener("input", refill);
  $("size").addEventListener("input", layOut);
  $("filters").addEventListener("submit", (event) => { event.preventDefault(); grid.focus(); });
  new ResizeObserver(layOut).observe(grid);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select")) return;
    const views = { 1: "font", 2: "reference", 3: "overlay" };
    if (event.key === "/") $("query").focus();
    else if (event.key === "?") $("help").showModal();
    else if (event.key in views && references.length) choose("view", views[event.key]);
    else if (event.key === "c" && references.length > 1) compareWith((against + 1) % references.length);
    else if (event.key === "v") choose("direction", root.dataset.direction === "vertical" ? "horizontal" : "vertical");
    else if (event.key === "t" && anyMade) $("tint").click();
    else return;
    event.preventDefault();
  });
  $("help-open").addEventListener("click", () => $("help").showModal());

  // List of marks
  function listText() {
    const lines = [...marks].sort((a, b) => a[0] - b[0]).map(([code, mark]) => nameOf(code) + " " + mark + " " + String.fromCodePoint(code));
    return ["# " + data.key, ...lines].join("\n") + "\n";
  }
  $("list-open").addEventListener("click", () => {
    $("list-text").value = listText();
    $("list-status").textContent = "";
    $("list").showModal();
  });
  $("list-copy").addEventListener("click", () => {
    $("list-text").select();
    const done = () => { $("list-status").textContent = "Copied."; };
    const selected = () => { $("list-status").textContent = "Selected: press Ctrl+C or Cmd+C to copy."; };
    if (navigator.clipboard) navigator.clipboard.writeText($("list-text").value).then(done, selected);
    else selected();
  });
  $("list-save").addEventListener("click", () => {
    const link = make("a");
    link.href = "data:text/plain;charset=utf-8," + encodeURIComponent($("list-text").value);
    link.download = data.file + "-marks.txt";
    link.click();
  });
  $("list-apply").addEventListener("click", () => {
    marks.clear();
    for (const line of $("list-text").value.split("\n")) {
      const found = /^U\+([0-9A-F]{4,6})\s+(accept|redo|fix)\b/i.exec(line.trim());
      if (found && covered.has(parseInt(found[1], 16))) marks.set(parseInt(found[1], 16), found[2].toLowerCase());
    }
    saveMarks();
    refill();
    $("list-status").textContent = marks.size + " marks applied.";
  });

  saveMarks();
  refill();
})();
