// The portal works without this: it lets a framed report be as high as it is, so that there is one scroll bar, and keeps
// today's list for a phone without a network until the session ends (docs/decisions/todays-list.md).
"use strict";
const script = document.currentScript.src;
const today = document.querySelector("[data-until]");
if ("caches" in window && document.querySelector(".sign-in")) caches.delete("today");
if ("serviceWorker" in navigator && today) {
  navigator.serviceWorker.register(new URL("worker.js", script), { scope: new URL("../today", script).pathname });
  const headers = { "content-type": "text/html; charset=utf-8", "x-until": today.dataset.until };
  const content = `<!DOCTYPE html>${document.documentElement.outerHTML}`;
  caches.open("today").then(async (cache) => {
    await cache.put(location.pathname + location.search, new Response(content, { headers }));
    await cache.put(location.pathname, new Response(content, { headers }));
  });
  const offline = document.querySelector(".offline");
  const tell = () => { offline.hidden = navigator.onLine; };
  addEventListener("online", tell);
  addEventListener("offline", tell);
  tell();
}
for (const frame of document.querySelectorAll("iframe[data-fit]")) {
  const fit = () => {
    const content = frame.contentDocument;
    if (!content || !content.documentElement) return;
    frame.style.height = `${content.documentElement.scrollHeight + 2}px`;
  };
  const watch = () => {
    fit();
    if (frame.contentDocument) new ResizeObserver(fit).observe(frame.contentDocument.documentElement);
  };
  frame.addEventListener("load", watch);
  if (frame.contentDocument && frame.contentDocument.readyState === "complete") watch();
}
