// The phone page's service worker: the page opens without a network, also from a tag on the wall. It never touches what is kept.
const SHELL = "SHELL-VERSION";
const CACHE = `phone-${SHELL.version}`;
const PAGE = "/phone";

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      await Promise.all([...SHELL.assets, PAGE].map(async (path) => keep(cache, path, await fetch(path, { cache: "no-cache" }))));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith("phone-") && name !== CACHE) await caches.delete(name);
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if ((request.method === "POST" || request.mode === "navigate") && /^\/(login|logout|setup)(\/|$)/.test(url.pathname)) event.respondWith(entering(request));
  else if (request.method !== "GET") return;
  else if (request.mode === "navigate" && (url.pathname === PAGE || url.pathname.startsWith("/t/"))) event.respondWith(page(request, url));
  else if (SHELL.assets.includes(url.pathname)) event.respondWith(asset(request));
});

async function page(request, url) {
  const cache = await caches.open(CACHE);
  if (url.searchParams.has("lang")) {
    try {
      const answer = await fetch(request);
      if (answer.ok && !answer.redirected) await cache.put(PAGE, answer.clone());
      return answer;
    } catch {
      // without a network it stays as it was
    }
  }
  return (await cache.match(PAGE)) ?? fetch(request);
}

async function asset(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}

async function keep(cache, path, answer) {
  if (!answer.ok || answer.redirected) throw new Error(`${path}: ${answer.status}`);
  await cache.put(path, answer);
}

// Somebody logged in or out: whose phone this is must be asked again before anything is recorded for him.
async function entering(request) {
  const answer = await fetch(request);
  if (answer.type === "opaqueredirect" || answer.redirected) await forget();
  return answer;
}

function forget() {
  return new Promise((done) => {
    const opening = indexedDB.open("lamplighter-phone");
    opening.onupgradeneeded = () => opening.transaction.abort();
    opening.onerror = () => done();
    opening.onsuccess = () => {
      const writing = opening.result.transaction("state", "readwrite");
      writing.objectStore("state").delete("current");
      writing.oncomplete = writing.onerror = writing.onabort = () => {
        opening.result.close();
        done();
      };
    };
  });
}
