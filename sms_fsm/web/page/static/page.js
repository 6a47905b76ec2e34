// Keeps ages and one conversation fresh. Everything works without it, by reloading.
"use strict";

const ahead = Date.parse(document.body.dataset.now) - Date.now();
const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function about(seconds) {
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? units.at(-1);
  const amount = Math.max(seconds, 0) / size;
  return `${amount >= 10 ? amount.toFixed(0) : amount.toFixed(1).replace(/\.0$/, "")} ${unit}`;
}

function tick() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    time.textContent = about((Date.now() + ahead - Date.parse(time.dateTime)) / 1000);
  }
}

// A part that somebody types in is left alone until they are done.
function exchange(fresh) {
  for (const part of fresh.querySelectorAll(":scope > [id]")) {
    const old = document.getElementById(part.id);
    const typing = old.contains(document.activeElement) && document.activeElement.matches("input");
    if (!typing && !old.isEqualNode(part)) old.replaceWith(part);
  }
}

async function look(story) {
  const address = `${story.dataset.live}?seen=${encodeURIComponent(story.dataset.mark)}`;
  const answer = await fetch(address, { headers: { "X-Live": "1" } });
  if (answer.status === 401) location.reload();
  if (answer.status !== 200) return answer.ok;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("story");
  exchange(fresh);
  story.dataset.mark = fresh.dataset.mark;
  document.title = document.title.replace(/^[^·]*/, `${story.querySelector("h1").textContent} `);
  return true;
}

async function watch(story) {
  if (!document.hidden) {
    const heard = await look(story).catch(() => false);
    document.body.classList.toggle("stale", !heard);
    tick();
  }
  setTimeout(watch, 1000, story);
}

setInterval(tick, 1000);
const story = document.querySelector("[data-live]");
if (story) watch(story);
