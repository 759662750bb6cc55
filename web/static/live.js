// Keeps the page true: asks for it again each second while somebody looks, and replaces what changed.
"use strict";
async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href.split("#")[0], { credentials: "same-origin" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    const main = document.getElementById("main");
    if (!fresh || fresh.innerHTML === main.dataset.seen) return;
    const seen = fresh.innerHTML;
    const open = [...main.querySelectorAll("details")].map((part) => part.open);
    fresh.querySelectorAll("details").forEach((part, place) => { part.open = open[place] || false; });
    main.replaceChildren(...fresh.childNodes);
    main.dataset.seen = seen;
  } catch { /* Tocsin is being restarted: the next look finds it */ }
}
async function live() { await look(); setTimeout(live, 1000); }
setTimeout(live, 1000);
