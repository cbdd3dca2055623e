// The hosted page: finds its session by the address, keeps token and key for a reload, and shows the element. In a frame
// of an element it keeps nothing, and takes the secret from the page around it. The document that takes a secret from
// its address goes on in another one: it loads no more than it needs for that.
import { Session, makeKey } from './session.js';

const id = location.pathname.split('/').pop().toLowerCase();
const given = location.hash.slice(1);
if (given) history.replaceState(null, '', location.pathname); // before anything else can read it
const framed = window !== window.top;
const host = framed && given.startsWith('element=') ? decodeURIComponent(given.slice(8)) : '';
const place = `keyward:${id}`;
const element = document.querySelector('keyward-keys');
document.documentElement.lang = navigator.language; // until the session says another one
const pageSize = 25; // of the element
const loading = given && !framed ? undefined : import('./keyward.js');

// keys are kept in IndexedDB, which holds a key without showing it to anybody.
const store = () => new Promise((resolve, reject) => {
  const opening = indexedDB.open('keyward', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('keys');
  opening.onsuccess = () => resolve(opening.result);
  opening.onerror = () => reject(opening.error);
});
const inStore = async (mode, act) => {
  const db = await store();
  try {
    return await new Promise((resolve, reject) => {
      const asked = act(db.transaction('keys', mode).objectStore('keys'));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
  } finally {
    db.close();
  }
};

const remembered = () => {
  if (framed) return null;
  try {
    return JSON.parse(sessionStorage.getItem(place));
  } catch {
    return null;
  }
};
const keep = (taken) => {
  if (!framed) sessionStorage.setItem(place, JSON.stringify(taken));
};

// ended forgets the session, and goes back to the platform where the session says how. It reports whether it does.
const ended = async (error) => {
  if (framed || error.status !== 401) return false;
  const back = remembered()?.about?.returnUrl;
  sessionStorage.removeItem(place);
  await inStore('readwrite', (keys) => keys.delete(id)).catch(() => {});
  if (!back) return false;
  const to = new URL(back);
  to.searchParams.set('keyward', 'expired');
  location.replace(to);
  return true;
};

// leaveSecret goes on in a document that was loaded without the secret: the entry of a navigation (performance) keeps the
// address that was asked for. It does not come back.
const leaveSecret = () => {
  location.replace(location.pathname);
  return new Promise(() => {});
};

// enter gives the session of a secret. A page that is no frame keeps its token and key.
const enter = async (secret) => {
  const key = await makeKey();
  const session = new Session(location.origin, id, key);
  if (framed) {
    await session.exchange(secret);
    return session;
  }
  const [taken] = await Promise.all([session.exchange(secret), inStore('readwrite', (keys) => keys.put(key, id))]);
  keep({ ...taken, firstPage: session.takeFirst(), keptAt: Date.now() });
  return leaveSecret();
};

// gone is the refusal of a page without a session.
const gone = () => Object.assign(new Error('no session'), { status: 401 });

// resume gives the session that was kept. The document before has left the first page of keys, once; after a reload they
// are asked for while the element is loaded.
const resume = async () => {
  if (framed) throw gone();
  const key = inStore('readonly', (keys) => keys.get(id)).then((found) => found ?? Promise.reject(gone()));
  key.catch(() => {}); // the first call says it
  const session = new Session(location.origin, id, key);
  const renew = async () => keep(await session.renewByKey());
  const { firstPage, keptAt, ...kept } = remembered() ?? {};
  if (firstPage) keep(kept);
  const fresh = firstPage && Date.now() - keptAt < 10e3;
  if (!fresh) await key;
  if (new Date(kept.expiresAt) > new Date()) session.resume(kept, fresh ? firstPage : undefined);
  else await renew();
  session.renew = renew;
  if (!fresh) session.lookAhead(pageSize);
  return session;
};

const show = async (secret, level) => {
  const opening = secret ? enter(secret) : resume();
  opening.catch(() => {}); // the element says it
  if (!loading) await opening.catch(() => {}); // does not return where the secret was good
  const { adopt } = await (loading ?? import('./keyward.js'));
  const { language, dir, title, theme } = await element[adopt](() => opening, { level, ended });
  document.documentElement.lang = language;
  document.documentElement.dir = dir;
  document.documentElement.dataset.theme = theme;
  document.title = title;
};

// Within an element, the page around says the secret, how this looks, and what is called. Messages are taken from the one
// window and origin that the address names; the policy of this page holds that origin against the session's.
const listen = async () => {
  const { events, wear } = await loading;
  const tell = (message) => window.parent.postMessage(message, host);
  let begun = false;
  addEventListener('message', ({ source, origin, data }) => {
    if (source !== window.parent || origin !== host || !data) return;
    if (data.look) wear(element, data.look);
    if (data.keyward === 'session' && !begun) {
      begun = true;
      show(String(data.clientSecret), 2);
    }
    if (data.keyward === 'call' && ['create', 'refresh'].includes(data.method)) element[data.method](data.given);
  });
  for (const type of events) {
    element.addEventListener(`keyward-${type}`, ({ detail }) => tell({ keyward: 'event', type, detail }));
  }
  tell({ keyward: 'listening' });
};

if (host) listen();
else show(given, 1);
