// Keeps pages true while somebody looks: a stream brings what changed, clocks run between two changes.
// Without this script every page and every button works too, by asking again.
"use strict";
(() => {
  const main = () => document.getElementById("main");

  // --- what somebody is writing is never taken from under their hands -------------------------------------------
  const dirty = (field) => {
    if (field.type === "hidden" || field.type === "submit") return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") {
      const first = [...field.options].findIndex((option) => option.defaultSelected);
      return field.selectedIndex !== Math.max(0, first);
    }
    return field.value !== undefined && field.value !== field.defaultValue;
  };
  const inUse = (form) => form.contains(document.activeElement) || [...form.elements].some(dirty);
  const about = (form) => form.getAttribute("action") + (form.elements.step ? form.elements.step.value : "");
  const callbacks = {
    beforeNodeMorphed: (old, fresh) => !(
      old.nodeType === 1 && old.matches("form") && fresh.nodeType === 1 && fresh.matches("form")
      && about(old) === about(fresh) && inUse(old)
    ),
    beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS"),
  };
  Object.assign(Idiomorph.defaults.callbacks, callbacks);

  // --- the stream: only while the page is seen, a browser has six connections for all its tabs ------------------
  let source = null;
  const lost = (yes) => {
    const line = document.getElementById("lost");
    if (line) line.hidden = !yes;
  };
  const take = (html) => {
    Idiomorph.morph(main(), html, { morphStyle: "innerHTML", callbacks });
    if (window.htmx) htmx.process(main());
    tick();
  };
  const listen = () => {
    if (source || document.hidden || !main() || !main().dataset.live) return;
    source = new EventSource(main().dataset.live);
    source.addEventListener("main", (event) => { lost(false); take(event.data); });
    source.onopen = () => lost(false);
    source.onerror = () => {
      lost(true);
      if (source && source.readyState === EventSource.CLOSED) { source = null; setTimeout(listen, 2000); }
    };
  };
  // What was sent is no longer being written; where the answer is another page, its stream is the one to hear.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const form = event.detail.requestConfig && event.detail.requestConfig.elt;
    if (!(form instanceof HTMLFormElement) || event.detail.xhr.status >= 400) return;
    const flash = document.getElementById("flash");
    if (flash) flash.replaceChildren();
    if (document.activeElement) document.activeElement.blur();
    form.reset();
    const box = form.closest("details.deed-box");
    if (box) box.open = false;
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (source && main() && !source.url.endsWith(main().dataset.live || "\u0000")) { rest(); listen(); }
    tick();
  });
  const rest = () => { if (source) { source.close(); source = null; } };
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", listen);

  // --- clocks: how long is left, as locales/times.py writes it --------------------------------------------------
  const UNITS = { en: ["d", "h", "min", "s"], zh: ["天", "小时", "分钟", "秒"] };
  const SIZES = [86400, 3600, 60, 1];
  const span = (milliseconds, names) => {
    let seconds = Math.round(Math.abs(milliseconds) / 1000);
    for (const [step, from] of [[60, 3600], [3600, 86400]]) {
      if (seconds >= from) seconds = Math.floor((seconds + step / 2) / step) * step;
    }
    const parts = [];
    SIZES.forEach((size, place) => {
      const count = Math.floor(seconds / size);
      seconds -= count * size;
      if (count) parts.push(`${count} ${names[place]}`);
    });
    return parts.join(" ") || `0 ${names[3]}`;
  };
  // The server's clock counts: a phone's may be minutes off.
  const ahead = () => Number(main() && main().dataset.ahead) || 0;
  const tick = () => {
    const names = document.documentElement.lang.startsWith("zh") ? UNITS.zh : UNITS.en;
    const now = Date.now() - ahead();
    document.querySelectorAll(".left[data-due]").forEach((node) => {
      const left = new Date(node.dataset.due) - now;
      node.textContent = (left >= 0 ? node.dataset.left : node.dataset.late).replace("{span}", span(left, names));
    });
    document.querySelectorAll("svg.bar[data-due]").forEach((bar) => {
      const begins = new Date(bar.dataset.opens), whole = new Date(bar.dataset.due) - begins;
      const passed = whole > 0 ? Math.min(1, Math.max(0, (now - begins) / whole)) : 1;
      bar.querySelector(".passed").setAttribute("width", (passed * 100).toFixed(2));
    });
  };
  const start = () => {
    if (!main()) return;
    const server = new Date(main().dataset.now || Date.now());
    main().dataset.ahead = Date.now() - server;
    listen();
    tick();
    setInterval(tick, 1000);
    document.querySelectorAll("textarea[data-limit]").forEach(count);
  };

  // --- how long a text is, as the platforms count it -------------------------------------------------------------
  const count = (area) => {
    const shown = document.getElementById(`${area.id}-count`);
    if (!shown) return;
    const length = [...area.value.trim()].length, limit = Number(area.dataset.limit);
    shown.textContent = `${length} / ${limit}`;
    shown.classList.toggle("too-long", length > limit);
  };
  document.addEventListener("input", (event) => { if (event.target.dataset.limit) count(event.target); });
  start();
})();
