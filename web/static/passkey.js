// Asks the browser for a passkey (WebAuthn Level 3) and posts what it answers as a form
// like any other: where it leads is the server's answer. Shows the button, which is no
// use without this script.
"use strict";
(() => {
  const form = document.querySelector("form[data-passkey]");
  if (!form || !window.PublicKeyCredential || !navigator.credentials) return;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join("")).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  // What parseRequestOptionsFromJSON and toJSON do, which not every browser has, and not every password manager's passkeys.
  const options = () => {
    const o = JSON.parse(form.dataset.options);
    o.challenge = bytes(o.challenge);
    if (o.user) o.user.id = bytes(o.user.id);
    for (const list of [o.allowCredentials, o.excludeCredentials]) for (const c of list || []) c.id = bytes(c.id);
    return o;
  };
  const send = (credential) => {
    const r = credential.response, response = {}, id = text(credential.rawId);
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) if (r[part]) response[part] = text(r[part]);
    if (r.getTransports) response.transports = r.getTransports();
    const { credProps } = credential.getClientExtensionResults();
    const field = form.querySelector("input[name=passkey], input[name=new_passkey]");
    field.value = JSON.stringify({ id, rawId: id, type: credential.type, response, clientExtensionResults: credProps ? { credProps } : {} });
    form.submit();
  };

  const button = form.querySelector("button"), label = button.textContent, create = form.dataset.passkey === "create";
  const wait = (waiting) => { button.disabled = waiting; button.textContent = waiting ? button.dataset.waits : label; };
  const say = (when) => { for (const p of form.querySelectorAll("[data-when]")) p.hidden = p.dataset.when !== when; };
  const filling = new AbortController(); // a browser takes one question at a time

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    filling.abort();
    wait(true);
    say("");
    (create ? navigator.credentials.create({ publicKey: options() }) : navigator.credentials.get({ publicKey: options() }))
      .then(send)
      .catch((error) => { wait(false); say(error.name === "InvalidStateError" ? "exists" : "refused"); });
  });
  addEventListener("pageshow", () => wait(false));

  form.hidden = false;
  for (const p of document.querySelectorAll("[data-without]")) p.hidden = true;
  if ("fills" in form.dataset && PublicKeyCredential.isConditionalMediationAvailable) {
    PublicKeyCredential.isConditionalMediationAvailable().then((available) => {
      if (available && !filling.signal.aborted) return navigator.credentials.get({ publicKey: options(), mediation: "conditional", signal: filling.signal }).then(send);
    }).catch(() => {}); // the button is still there
  }
})();
