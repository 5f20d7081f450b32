// The portal works without this: it only lets a framed report be as high as it is, so that there is one scroll bar.
"use strict";
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
