// Today's list stays readable without a network. The page keeps itself (portal.js); this only shows what was kept.
"use strict";
const KEPT = "today";
self.addEventListener("install", (event) => {
  const files = ["portal.css", "portal.js", "icon.svg"];
  event.waitUntil(caches.open("static").then((cache) => cache.addAll(files)).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(fetch(event.request).catch(() => kept(event.request)));
});

async function kept(request) {
  if (request.mode !== "navigate") {
    return (await caches.match(request, { cacheName: "static", ignoreSearch: true })) ?? Response.error();
  }
  const cache = await caches.open(KEPT);
  const page = (await cache.match(request)) ?? (await cache.match(new URL(request.url).pathname));
  if (!page) return Response.error();
  if (Date.now() < Number(page.headers.get("x-until"))) return page;
  await caches.delete(KEPT);
  return Response.error();
}
