// What pages do beyond what they do without it: countdowns count, and the verdict is said while a request is filled in.
"use strict";

// The server's time is asked of nobody: what is left is counted from when the page came.
function span(seconds) {
  if (seconds < 120) return seconds + " s";
  const minutes = Math.ceil(seconds / 60);
  const hours = Math.floor(minutes / 60), rest = minutes % 60;
  if (hours === 0) return minutes + " min";
  return rest === 0 ? hours + " h" : hours + " h " + rest + " min";
}

const came = Date.now();

function count() {
  const since = Math.floor((Date.now() - came) / 1000);
  for (const place of document.querySelectorAll("[data-left]")) {
    place.textContent = span(Math.max(0, Number(place.dataset.left) - since));
  }
}

function verdicts(form) {
  const place = document.getElementById("verdict");
  let waiting = 0, asked = 0;
  async function ask() {
    const mine = ++asked;
    const answer = await fetch(form.dataset.verdict, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (answer.redirected) return location.reload();
    const text = await answer.text();
    // An answer that was overtaken says nothing of what stands there now.
    if (answer.ok && mine === asked) place.innerHTML = text;
  }
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => ask().catch(() => {}), 250);
  });
}

for (const form of document.querySelectorAll("form[data-verdict]")) verdicts(form);
if (document.querySelector("[data-left]")) setInterval(count, 1000);
