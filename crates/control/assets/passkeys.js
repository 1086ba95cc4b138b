// Passkeys: a form that takes one is held back while the browser asks for it, and is then sent with its answer.
"use strict";

function must_know_passkeys() {
  if (window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON) return;
  throw new Error("This browser can't show passkeys: use a newer one, or a code.");
}

function say(form, text) {
  const place = form.querySelector("[data-says]");
  if (place) { place.textContent = text; place.hidden = false; }
}

// Asks the server what the browser is to ask for. The form goes along: it says whose it is.
async function options(form, address) {
  const answer = await fetch(address, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (answer.redirected) { location.reload(); return null; }
  const said = await answer.json();
  if (said.refused) throw new Error(said.refused);
  return said.options;
}

// Why the browser gave nothing: mostly because somebody said no to it, which is no mistake.
function why(error) {
  return error instanceof DOMException ? "Nothing was done: the browser gave no passkey." : error.message;
}

async function shown(form, place) {
  must_know_passkeys();
  const asked = place.dataset.passkey
    ? JSON.parse(place.dataset.passkey)
    : await options(form, "/factors/show");
  if (!asked) return false;
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(asked);
  const credential = await navigator.credentials.get({ publicKey });
  place.value = JSON.stringify(credential.toJSON());
  return true;
}

async function enrolled(form) {
  must_know_passkeys();
  const asked = await options(form, form.dataset.enrol);
  if (!asked) return false;
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(asked);
  const credential = await navigator.credentials.create({ publicKey });
  form.elements.answer.value = JSON.stringify(credential.toJSON());
  return true;
}

function hold(form) {
  const place = form.querySelector("[data-passkey]");
  const code = form.elements.code;
  let busy = false;
  form.addEventListener("submit", async event => {
    if (!place && !form.dataset.enrol) return;
    if (place && !form.dataset.enrol && code && code.value) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    try {
      if (place && !(code && code.value) && !await shown(form, place)) return;
      if (form.dataset.enrol && !await enrolled(form)) return;
      form.submit();
    } catch (error) {
      if (place) place.value = "";
      say(form, why(error));
    } finally {
      busy = false;
    }
  });
}

for (const form of document.querySelectorAll("form")) {
  if (form.dataset.enrol || form.querySelector("[data-passkey]")) hold(form);
}
// An invitation's code stands behind the # of the address, which no server sees; from here on not the history either.
for (const field of document.querySelectorAll("[data-from-address]")) {
  if (location.hash.length > 1) {
    field.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }
}
