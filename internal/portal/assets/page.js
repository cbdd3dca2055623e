// The hosted page: finds its session by the address, keeps token and key for a reload, and shows the keys.
import { Session, makeKey } from './session.js';
import { show, over } from './keys.js';

const id = location.pathname.split('/').pop().toLowerCase();
const secret = location.hash.slice(1);
const main = document.getElementById('main');
if (secret) history.replaceState(null, '', location.pathname); // before anything else can read it

const place = `keyward:${id}`;
const framed = window !== window.top; // a frame keeps nothing: its platform gives it another session

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

const ended = async () => {
  if (framed) return over(main);
  const back = remembered()?.about?.returnUrl;
  sessionStorage.removeItem(place);
  await inStore('readwrite', (keys) => keys.delete(id)).catch(() => {});
  if (back) {
    const to = new URL(back);
    to.searchParams.set('keyward', 'expired');
    location.replace(to);
    return;
  }
  over(main);
};

const begin = async () => {
  let key = secret || framed ? undefined : await inStore('readonly', (keys) => keys.get(id));
  if (!secret && !key) return ended();
  if (!key) {
    key = await makeKey();
    if (!framed) await inStore('readwrite', (keys) => keys.put(key, id));
  }
  const session = new Session(location.origin, id, key);
  const renewed = async () => keep(await session.renewByKey());
  const kept = remembered();
  if (secret) {
    keep(await session.exchange(secret));
  } else if (kept && new Date(kept.expiresAt) > new Date()) {
    session.resume(kept);
  } else {
    await renewed();
  }
  if (!framed) session.renew = renewed;
  const theme = session.about.theme;
  if (theme && theme !== 'auto') document.documentElement.dataset.theme = theme;
  return show(main, session, { server: location.origin, locale: session.about.locale ?? navigator.language, ended });
};

begin().catch((e) => (e.status === 401 ? ended() : over(main, e)));
