// What pages do beyond what they do without it: countdowns count, the verdict is said while a request is filled in, texts
// are copied, and a page gets itself anew when something moves.
"use strict";

const news = document.getElementById("news");

// Says something to whoever listens to the page rather than sees it.
function say(text) {
  news.textContent = text;
}

// What this machine's clock is ahead of the server's.
const ahead = Date.now() - Date.parse(document.body.dataset.now);

function span(seconds) {
  if (seconds < 120) return seconds + " s";
  const minutes = Math.ceil(seconds / 60);
  const days = Math.floor(minutes / 1440), hours = Math.floor(minutes % 1440 / 60), rest = minutes % 60;
  if (days > 0) return days + " d" + (hours === 0 ? "" : " " + hours + " h");
  if (hours === 0) return rest + " min";
  return hours + " h" + (rest === 0 ? "" : " " + rest + " min");
}

// Said aloud when so many seconds are left, and not every second.
const WARNINGS = [600, 300, 60];

function count() {
  for (const place of document.querySelectorAll("[data-until]")) {
    const left = Math.max(0, Math.floor((Date.parse(place.dataset.until) + ahead - Date.now()) / 1000));
    const text = span(left);
    if (place.textContent !== text) place.textContent = text;
    if (WARNINGS.includes(left)) say(place.dataset.of + ": " + text + " left");
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
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => ask().catch(() => {}), 250);
  };
  // Not every way to choose an option (of assistive technology, say) is an input.
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
}

function offerCopies() {
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

async function copy(button) {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  say("Copied");
  button.firstChild.textContent = "Copied";
  setTimeout(() => { button.firstChild.textContent = "Copy"; }, 2000);
}

// Whether a person is at work there: what they typed must not be swept away.
function inUse(section) {
  const fields = [...section.querySelectorAll("input:not([type=hidden]), textarea")];
  const focus = document.activeElement;
  return fields.some(f => f.value !== f.defaultValue) || (section.contains(focus) && focus.matches("input, select, textarea"));
}

function renew(section, fresh) {
  if (!fresh || inUse(section)) return;
  const [before, after] = [section, fresh].map(s => s.dataset.news);
  const open = [...section.querySelectorAll("details[open]")].map(d => d.id);
  const focus = section.contains(document.activeElement) ? document.activeElement.id : "";
  section.replaceChildren(...fresh.childNodes);
  section.hidden = fresh.hidden;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focus) document.getElementById(focus)?.focus();
  if (before !== after) {
    section.dataset.news = after;
    say(after);
  }
}

async function look() {
  const answer = await fetch(location.pathname, { headers: { accept: "text/html" } });
  // Signed out, or it is gone: the browser shows what is there now.
  if (answer.redirected || !answer.ok) return location.reload();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const section of document.querySelectorAll("[data-live]")) renew(section, fresh.getElementById(section.id));
  offerCopies();
  count();
}

// The stream is open while somebody can see the page. One that comes back looks first: it may have missed something.
function live() {
  let stream = null, waiting = 0;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => look().catch(() => {}), 200);
  };
  const listen = () => {
    stream = new EventSource("/live");
    stream.addEventListener("moved", soon);
  };
  const stop = () => {
    stream?.close();
    stream = null;
  };
  document.addEventListener("visibilitychange", () => {
    stop();
    if (document.visibilityState === "visible") {
      listen();
      soon();
    }
  });
  addEventListener("pagehide", stop);
  listen();
}

for (const form of document.querySelectorAll("form[data-verdict]")) verdicts(form);
if (document.querySelector("[data-until]") || document.querySelector("[data-live]")) setInterval(count, 1000);
if (document.querySelector("[data-live]")) live();
offerCopies();
document.addEventListener("click", event => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button).catch(() => say("The browser doesn’t let me copy"));
});
