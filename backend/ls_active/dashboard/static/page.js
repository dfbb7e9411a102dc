// Keeps a page fresh: asks what runs every 2 s while something does, and renders anew what changed.
"use strict";

const BUSY = 2000;
const IDLE = 8000;
const { jobs, state } = document.body.dataset;
let seen = null;

async function ask(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer.json();
}

function show(running) {
  const place = document.getElementById("work");
  if (!place) return;
  place.hidden = running.length === 0;
  place.replaceChildren(...running.map(line));
}

function line(job) {
  const row = document.createElement("div");
  row.append(job.words);
  if (job.share !== null) {
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = job.share;
    bar.setAttribute("aria-label", job.words);
    row.append(" ", bar, ` ${Math.round(100 * job.share)} %`);
  }
  return row;
}

async function renew() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const open = [...document.querySelectorAll("details[open]")].map((item) => item.id);
  for (const part of ["main", ".where"]) {
    const [old, next] = [document.querySelector(part), fresh.querySelector(part)];
    if (old && next) old.replaceChildren(...next.childNodes);
  }
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
}

function inUse() {
  const active = document.activeElement;
  return Boolean(active?.closest("main form, main a, main audio, main summary"));
}

// Whether the notice says that something is asked for which has ended by now.
function isPast(asked) {
  const notice = document.querySelector(".notice");
  if (notice?.dataset.end !== "asked") return false;
  return asked.some(({ id, end }) => id === notice.dataset.wish && end !== "asked");
}

async function look() {
  let wait = IDLE;
  try {
    const work = jobs ? await ask(jobs) : { running: [], asked: [], past: [] };
    show(work.running.filter((job) => job.started_at !== null));
    if (work.running.length) wait = BUSY;
    const ends = work.asked.map(({ id, end }) => [id, end]);
    const now = JSON.stringify([await ask(state), work.past[0] ?? null, ends]);
    const stale = seen === null ? isPast(work.asked) : now !== seen;
    // A page that somebody is just using stays under their hands; the next look comes soon.
    if (stale && inUse()) wait = BUSY;
    else {
      if (stale) await renew();
      seen = now;
    }
  } catch {
    wait = IDLE; // We are restarting, or the network is away: the page stays as it was.
  }
  setTimeout(look, wait);
}

if (state) look();
