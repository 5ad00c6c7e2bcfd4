"use strict";
/* Players of source (a), result (b) and single tracks (t) that share one position: a beat of the song.
   `song.beats` are the beats at which the seconds of both sides are known (`song.a`, `song.b`); in between and outside
   the map is linear. The tracks keep the result's time. */
(() => {
  const song = JSON.parse(document.getElementById("players").textContent);
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const FIRST = song.beats[0], LAST = song.beats[song.beats.length - 1];
  const FADE_S = 0.012; // no click when a side comes in
  const DRIFT_S = 0.025, LOST_S = 0.3; // tracks further apart than this are pulled, or set, together
  const SYNC_MS = 400;

  /* --- the map between beats and seconds */

  function interpolate(x, xs, ys) {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] <= x) low = middle; else high = middle;
    }
    return ys[low] + ((ys[high] - ys[low]) * (x - xs[low])) / (xs[high] - xs[low]);
  }
  const times = (side) => (side === "a" ? song.a : song.b);
  const toSeconds = (beat, side) => interpolate(beat, song.beats, times(side));
  const toBeat = (seconds, side) => interpolate(seconds, times(side), song.beats);

  function barAt(beat) { // 1 is the first; 0 is what comes before
    let low = 0, high = song.bars.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (song.bars[middle] <= beat + 1e-3) low = middle + 1; else high = middle;
    }
    return low;
  }

  /* --- sound */

  let context = null;
  const outputs = {};

  class Sound {
    constructor(id, gain) {
      const text = atob(one(`#sound-${id}`).textContent);
      const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
      this.element = new Audio(URL.createObjectURL(new Blob([bytes], { type: "audio/webm" })));
      this.element.preload = "auto";
      this.element.dataset.sound = id;
      this.element.addEventListener("ended", () => { if (sounds().includes(this)) pause(); });
      document.body.append(this.element);
      this.level = gain;
    }
    connect() {
      if (this.gain) return;
      this.gain = context.createGain();
      this.gain.gain.value = this.level;
      context.createMediaElementSource(this.element).connect(this.gain).connect(outputs[this.element.dataset.sound] || outputs.tracks);
    }
    set(gain) {
      this.level = gain;
      if (this.gain) this.gain.gain.setTargetAtTime(gain, context.currentTime, FADE_S);
    }
    fadeIn() {
      const now = context.currentTime;
      this.gain.gain.cancelScheduledValues(now);
      this.gain.gain.setValueAtTime(0, now);
      this.gain.gain.setTargetAtTime(this.level, now, FADE_S);
    }
    async at(seconds) {
      const { element } = this;
      const end = Number.isFinite(element.duration) ? element.duration : Infinity;
      element.currentTime = Math.min(Math.max(seconds, 0), end);
      if (element.seeking) await new Promise((done) => element.addEventListener("seeked", done, { once: true }));
    }
  }

  const made = {};
  const gainOf = (id) => (id in song.gains ? song.gains[id] : trackGain(Number(id)));
  const soundOf = (id) => (made[id] ||= new Sound(id, gainOf(id)));
  const trackIds = song.tracks.map((_, i) => String(i));
  const sounds = () => (side === "t" ? trackIds.map(soundOf) : [soundOf(side)]);

  function wake() {
    if (!context) {
      context = new AudioContext();
      outputs.a = outputs.b = context.destination;
      const limiter = context.createDynamicsCompressor(); // the sum of tracks may pass full scale; no side does
      limiter.threshold.value = -4; limiter.knee.value = 2; limiter.ratio.value = 20; limiter.attack.value = 0.001; limiter.release.value = 0.1;
      limiter.connect(context.destination);
      outputs.tracks = limiter;
    }
    return context.resume();
  }

  /* --- transport */

  let side = "b", playing = false, position = Math.max(FIRST, Math.min(0, LAST)), turn = 0, seeking = false;

  const here = () => {
    if (!playing || seeking) return position;
    return Math.min(Math.max(toBeat(sounds()[0].element.currentTime, side), FIRST), LAST);
  };

  async function start() {
    const mine = ++turn; // a later command makes this one void
    playing = true; seeking = true;
    show();
    await wake();
    const now = sounds();
    now.forEach((sound) => sound.connect());
    await Promise.all(now.map((sound) => sound.at(toSeconds(position, side))));
    if (mine !== turn) return;
    now.forEach((sound) => sound.fadeIn());
    try {
      await Promise.all(now.map((sound) => sound.element.play()));
    } catch (error) {
      if (error.name !== "AbortError") { pause(); say("The browser cannot play this sound."); }
      return;
    }
    if (mine !== turn) return;
    seeking = false;
    requestAnimationFrame(frame);
  }

  function halt() {
    position = here();
    turn++;
    Object.values(made).forEach((sound) => { sound.element.pause(); sound.element.playbackRate = 1; });
  }

  function pause() {
    halt();
    playing = seeking = false;
    show();
    say(barText(position));
  }

  function moveTo(beat, options = {}) {
    const keep = playing;
    halt();
    position = Math.min(Math.max(beat, FIRST), LAST);
    if (options.side) side = options.side;
    if (keep || options.play) start(); else { sounds().forEach((sound) => sound.at(toSeconds(position, side))); show(); }
    say(`${barText(position)}, ${song.labels[side]}`);
    if (!options.quiet) bringIntoView(true);
  }

  const switchTo = (other) => { if (other !== side && (other !== "t" || trackIds.length)) moveTo(here(), { side: other, quiet: true }); };
  const toggle = () => (playing ? pause() : start());

  /* --- tracks */

  const muted = new Set(), solo = new Set();
  const audible = (i) => (solo.size ? solo.has(i) : !muted.has(i));
  function trackGain(i) { return audible(i) ? song.tracks[i] : 0; }

  function balance() {
    trackIds.forEach((id, i) => { if (made[id]) made[id].set(trackGain(i)); });
    show();
  }

  setInterval(() => { // browsers start elements one after the other: keep the tracks together
    if (!playing || seeking || side !== "t") return;
    const [lead, ...others] = sounds();
    others.forEach(({ element }) => {
      const late = lead.element.currentTime - element.currentTime;
      if (Math.abs(late) > LOST_S) element.currentTime = lead.element.currentTime;
      element.playbackRate = Math.abs(late) > DRIFT_S ? 1 + Math.max(-0.04, Math.min(0.04, late)) : 1;
    });
  }, SYNC_MS);

  /* --- what is shown */

  const stack = one("#stack"), scroller = one("#scroller"), heads = all("[data-head]"), slider = one("#position");
  const barOut = one("#bar"), whereOut = one("#where"), timeOut = one("#time"), spoken = one("#spoken");
  slider.min = FIRST; slider.max = LAST;
  let shownBar = "";

  const say = (text) => { spoken.textContent = text; };
  const barText = (beat) => {
    const bar = barAt(beat);
    if (bar === 0) return "Before bar 1";
    return beat >= song.end ? "After the last bar" : `Bar ${bar} of ${song.bars.length}`;
  };
  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds + 1e-6));
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  };
  const within = (rows, beat) => rows.find(([from, to]) => from <= beat + 1e-3 && beat < to - 1e-3);

  function draw(beat) {
    const share = (beat - FIRST) / (LAST - FIRST);
    heads.forEach((head) => { head.style.transform = `translateX(${(100 * share).toFixed(4)}%)`; });
    slider.value = beat;
    const bar = barText(beat);
    if (bar !== shownBar) { barOut.textContent = shownBar = bar; slider.setAttribute("aria-valuetext", bar); }
    const section = song.sections.filter(([from]) => from <= beat + 1e-3).pop();
    const chord = within(song.chords[side === "a" ? "a" : "b"], beat);
    const where = [beat >= 0 && section && section[1], chord && chord[2]].filter(Boolean).join(" · ");
    if (whereOut.textContent !== where) whereOut.textContent = where;
    const end = song.lengths[side === "a" ? "a" : "b"];
    const time = `${clock(Math.min(toSeconds(beat, side), end))} / ${clock(end)}`;
    if (timeOut.textContent !== time) timeOut.textContent = time;
  }

  function show() {
    all("[data-side]").forEach((button) => button.setAttribute("aria-pressed", button.dataset.side === side));
    const button = one("#play");
    button.classList.toggle("is-playing", playing);
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
    all("[data-track]").forEach((row, i) => {
      row.classList.toggle("silenced", !audible(i));
      one("[data-mute]", row).setAttribute("aria-pressed", muted.has(i));
      one("[data-solo]", row).setAttribute("aria-pressed", solo.has(i));
      one("[data-alone]", row).classList.toggle("is-playing", playing && side === "t" && solo.size === 1 && solo.has(i));
    });
    draw(here());
  }

  function frame() {
    if (!playing) return;
    const beat = here();
    draw(beat);
    bringIntoView(false);
    if (beat >= LAST - 1e-6 && !seeking) pause(); else requestAnimationFrame(frame);
  }

  function bringIntoView(always) {
    const x = ((here() - FIRST) / (LAST - FIRST)) * stack.offsetWidth, left = scroller.scrollLeft, width = scroller.clientWidth;
    if (stack.offsetWidth > width && (x < left || x > left + width) && (always || playing)) scroller.scrollLeft = x - 0.15 * width;
  }

  const barsInAll = Math.max(1, (song.bars.length * (LAST - FIRST)) / Math.max(song.end, 1));
  function zoom(bars) {
    // What stays where it is: the playhead if it is in view, else the middle.
    const width = scroller.clientWidth, head = ((here() - FIRST) / (LAST - FIRST)) * stack.offsetWidth - scroller.scrollLeft;
    const kept = head >= 0 && head <= width ? head : width / 2;
    const share = (scroller.scrollLeft + kept) / stack.offsetWidth;
    stack.style.width = bars ? `${Math.max(100, (100 * barsInAll) / bars)}%` : "100%";
    const barWidth = stack.offsetWidth / barsInAll;
    const density = barWidth < 9 ? "far" : barWidth < 26 ? "mid" : barWidth < 110 ? "near" : "close";
    stack.classList.remove("far", "mid", "near", "close", "some");
    stack.classList.add(density);
    if (barWidth > 2.2) stack.classList.add("some");
    all("[data-bars]").forEach((button) => button.setAttribute("aria-pressed", Number(button.dataset.bars) === bars));
    scroller.scrollLeft = share * stack.offsetWidth - kept;
    zoomed = bars;
  }
  let zoomed = 0;

  /* --- what the user does */

  const seekBy = (event, element) => {
    const box = element.getBoundingClientRect();
    moveTo(FIRST + ((event.clientX - box.left) / box.width) * (LAST - FIRST), { quiet: true });
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("button, [data-seek], #stack");
    if (!target) return;
    const { side: other, beat, bars, role } = target.dataset;
    const row = target.closest("[data-track]"), i = row ? Number(row.dataset.track) : -1;
    if (target.id === "play") toggle();
    else if (other) switchTo(other);
    else if (beat !== undefined) moveTo(Number(beat), { side: target.dataset.to || side, play: true });
    else if (bars !== undefined) zoom(Number(bars));
    else if (role) {
      const on = target.getAttribute("aria-pressed") !== "true";
      all("[data-role]").forEach((button) => button.setAttribute("aria-pressed", on && button === target));
      stack.className = stack.className.replace(/ ?shows\S*/g, "") + (on ? ` shows shows-${role}` : "");
    } else if ("mute" in target.dataset) { muted.has(i) ? muted.delete(i) : muted.add(i); balance(); }
    else if ("solo" in target.dataset) { solo.has(i) ? solo.delete(i) : solo.add(i); balance(); }
    else if ("alone" in target.dataset) {
      if (target.classList.contains("is-playing")) { solo.clear(); balance(); pause(); }
      else { solo.clear(); solo.add(i); balance(); moveTo(here(), { side: "t", play: true, quiet: true }); }
    } else if ("seek" in target.dataset || target === stack) seekBy(event, target);
    if (event.detail && target.matches("button")) target.blur(); // so that space plays after a click
  });

  slider.addEventListener("input", () => moveTo(Number(slider.value)));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const inControl = event.target.closest("button, input, summary");
    if (event.key === " ") { if (inControl && inControl !== slider) return; event.preventDefault(); toggle(); }
    else if (["a", "b", "t"].includes(event.key.toLowerCase())) switchTo(event.key.toLowerCase());
    else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && event.target !== slider) {
      event.preventDefault();
      const beat = here(), bar = barAt(beat);
      if (event.key === "ArrowRight") moveTo(bar < song.bars.length ? song.bars[bar] : LAST);
      else moveTo(bar > 0 && beat - song.bars[bar - 1] > 0.5 ? song.bars[bar - 1] : bar > 1 ? song.bars[bar - 2] : FIRST);
    }
  });

  new ResizeObserver(() => zoom(zoomed)).observe(scroller);
  zoom(scroller.clientWidth < 600 && barsInAll > 12 ? 8 : 0);
  show();
})();
