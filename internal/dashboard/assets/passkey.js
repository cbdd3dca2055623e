// Passkeys: the server says what to ask the authenticator for, and checks its answer. The code of an invitation stands behind the # of the
// address: it is read there, taken out of the history, and sent in the body of a request alone.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const listed = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

const place = document.querySelector('[data-passkey-error]');
const complain = (message) => {
  if (!place) return;
  place.hidden = !message;
  place.firstElementChild.textContent = message;
};

// ask sends a form to the server. What the server refuses is an error with its words.
const ask = async (path, fields) => {
  const answer = await fetch(path, { method: 'POST', body: new URLSearchParams(fields), headers: { Accept: 'application/json' } });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error ? `${said.error[0].toUpperCase()}${said.error.slice(1)}.` : 'This did not work. Try again.');
  return said;
};

const create = async (options) => {
  const made = await navigator.credentials.create({ publicKey: { ...options, challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: listed(options.excludeCredentials) } });
  return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, clientExtensionResults: made.getClientExtensionResults(),
    response: { clientDataJSON: text(made.response.clientDataJSON), attestationObject: text(made.response.attestationObject),
      transports: made.response.getTransports?.() ?? [] } });
};

const get = async (options) => {
  const got = await navigator.credentials.get({ publicKey: { ...options, challenge: bytes(options.challenge),
    allowCredentials: listed(options.allowCredentials) } });
  const { clientDataJSON, authenticatorData, signature, userHandle } = got.response;
  return JSON.stringify({ id: got.id, rawId: text(got.rawId), type: got.type, clientExtensionResults: got.getClientExtensionResults(),
    response: { clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData), signature: text(signature),
      userHandle: userHandle ? text(userHandle) : null } });
};

const said = (error) => {
  if (error.name === 'NotAllowedError') return 'The browser made no passkey: it was called off, or took too long.';
  if (error.name === 'InvalidStateError') return 'This device has a passkey of yours already.';
  return error.message;
};

// run does one ceremony while its button waits.
const run = async (form, ceremony) => {
  const button = form.querySelector('button');
  button.disabled = true;
  complain('');
  try {
    location.assign((await ceremony()).to);
  } catch (error) {
    complain(said(error));
    button.disabled = false;
  }
};

const ready = Boolean(globalThis.PublicKeyCredential);

const signIn = document.querySelector('[data-passkey]');
if (signIn && ready) {
  signIn.hidden = false;
  signIn.addEventListener('submit', (event) => {
    event.preventDefault();
    run(signIn, async () => {
      const { options } = await ask('/signin/passkey/begin', {});
      return ask('/signin/passkey', { answer: await get(options), return: signIn.elements.return.value });
    });
  });
}

const another = document.querySelector('[data-passkey-add]');
if (another && ready) {
  another.hidden = false;
  another.addEventListener('submit', (event) => {
    event.preventDefault();
    run(another, async () => {
      const { options } = await ask('/signin/passkeys/begin', {});
      return ask('/signin/passkeys', { answer: await create(options), name: another.elements.name.value });
    });
  });
}

const invite = document.querySelector('[data-invite]');
if (invite && ready) {
  const code = invite.elements.code;
  invite.hidden = false;
  // For whom the invitation is. A dead one is said to be before anything is made.
  const arrive = async () => {
    if (location.hash.length < 2) return;
    code.value = location.hash.slice(1);
    history.replaceState(null, '', location.pathname);
    code.closest('.field').hidden = true;
    complain('');
    invite.hidden = false;
    try {
      const { workspace, user, name } = await ask('/signin/invitation/begin', { code: code.value });
      document.querySelector('[data-invite-who]').textContent = `${name || user}, create a passkey for ${workspace}, and sign in with it `
        + 'from now on: by your fingerprint, your face, or the PIN of your device.';
    } catch (error) {
      complain(said(error));
      invite.hidden = true;
    }
  };
  arrive();
  addEventListener('hashchange', arrive); // another link that is opened in this tab loads nothing anew
  invite.addEventListener('submit', (event) => {
    event.preventDefault();
    run(invite, async () => {
      const { options } = await ask('/signin/invitation/begin', { code: code.value });
      return ask('/signin/invitation', { code: code.value, answer: await create(options), name: invite.elements.name.value });
    });
  });
} else if (invite) {
  complain('This browser makes no passkeys.');
}
