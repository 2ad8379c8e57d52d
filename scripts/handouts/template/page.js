// What a page does where scripts are allowed. Without them it is whole, but still.

for (const listing of document.querySelectorAll('pre.code')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(listing.textContent.trimEnd());
    button.textContent = 'Copied';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 2_000);
  });
  const frame = document.createElement('div');
  frame.className = 'copied';
  listing.replaceWith(frame);
  frame.append(listing, button);
}

// The contents mark the section that is being read: the last one that begins in the upper third of the screen, or above it.
const entries = [...document.querySelectorAll('.contents a')].map((link) => ({
  link,
  heading: document.getElementById(decodeURIComponent(link.hash.slice(1))),
}));
function markSection() {
  const read = entries.findLast(({ heading }) => heading.getBoundingClientRect().top < innerHeight / 3);
  for (const entry of entries) {
    if (entry === read) entry.link.setAttribute('aria-current', 'location');
    else entry.link.removeAttribute('aria-current');
  }
}
addEventListener('scroll', markSection, { passive: true });
markSection();

// What was written stays, in this browser, for this page.
for (const [number, area] of document.querySelectorAll('textarea').entries()) {
  const key = `${document.title}: answer ${number + 1}`;
  area.value = localStorage.getItem(key) ?? '';
  area.addEventListener('input', () => localStorage.setItem(key, area.value));
}

// What is scrolled with a finger must be scrolled with the keyboard, too.
const scrolled = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute('tabindex');
  }
});
for (const wide of document.querySelectorAll('.table, .chart')) scrolled.observe(wide);

// A chart comes to life when it is about to be seen. Until then, and for those who listen, it is its picture.
const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      void enliven(target);
    }
  },
  { rootMargin: '300px' },
);
for (const chart of document.querySelectorAll('.chart:has(script)')) near.observe(chart);

async function enliven(chart) {
  const { vega, vegaLite, vegaTooltip } = globalThis;
  if (!vega) return; // the page was taken out of its folder
  const picture = chart.querySelector('img');
  const spec = JSON.parse(chart.querySelector('script').textContent);
  spec.config = { ...spec.config, font: getComputedStyle(chart).getPropertyValue('--sans') }; // as the page is set
  const live = document.createElement('div');
  live.classList.toggle('fluid', spec.autosize?.type === 'fit-x');
  live.setAttribute('role', 'img');
  live.setAttribute('aria-label', picture.alt);
  const sliders = document.createElement('div'); // beside the picture: what stands in an image cannot be reached
  sliders.className = 'vega-bindings';
  // Vega would compile the chart's expressions with `Function`, which the page's policy forbids. As syntax trees they are interpreted.
  const bound = { renderer: 'svg', container: live, bind: sliders, expr: vega.expressionInterpreter };
  picture.before(live); // in the page, it has a width that the chart can fill
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec, null, { ast: true }), bound);
  const theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  view.tooltip(new vegaTooltip.Handler({ theme }).call);
  await view.runAsync();
  picture.remove();
  if (sliders.hasChildNodes()) live.after(sliders);
  separateThousands(sliders);
  if (chart.classList.contains('watched')) live.after(replayOf(live, () => view.scale('x')));
}

/** Keeps the numbers beside sliders as the course writes numbers: 1,000,000. Vega writes 1000000, and anew whenever they change. */
function separateThousands(sliders) {
  const write = () => {
    for (const shown of sliders.querySelectorAll('[type=range] + span')) {
      const text = Number(shown.textContent).toLocaleString('en', { maximumFractionDigits: 20 });
      if (text !== 'NaN' && text !== shown.textContent) shown.textContent = text;
    }
  };
  write();
  new MutationObserver(write).observe(sliders, { childList: true, subtree: true });
}

/**
 * Controls that replay a chart of recorded rows: at every moment of the replay, the chart shows what had happened by then. It
 * takes as long as the run took, or LONGEST_S. A reader who asked for less motion gets the slider only.
 *
 * @param timeScale gives the scale of the chart as it is drawn at that moment: its width is the window's.
 */
function replayOf(chart, timeScale) {
  const LONGEST_S = 12;
  const SVG = 'http://www.w3.org/2000/svg';
  const [first, last] = timeScale().domain();
  const start = Math.max(0, first);
  const speed = Math.max(1, (last - start) / LONGEST_S);

  // The marks are clipped at the time of the replay. The axes stay.
  const clip = document.createElementNS(SVG, 'clipPath');
  clip.id = `replay-${document.querySelectorAll('.replay').length + 1}`;
  const past = document.createElementNS(SVG, 'rect');
  const FAR = 10_000; // beyond every edge of the chart
  for (const [name, value] of Object.entries({ x: -FAR, y: -FAR, height: 2 * FAR })) past.setAttribute(name, value);
  clip.append(past);
  chart.querySelector('svg').append(clip);

  const controls = document.createElement('div');
  controls.className = 'replay';
  const button = document.createElement('button');
  button.type = 'button';
  const slider = document.createElement('input');
  Object.assign(slider, { type: 'range', min: start, max: last, step: (last - start) / 500, value: last });
  slider.setAttribute('aria-label', 'Time of the replay');
  const clock = document.createElement('span');
  if (!matchMedia('(prefers-reduced-motion: reduce)').matches) controls.append(button);
  controls.append(slider, clock);

  let previousMs = null; // while it plays, when the frame before was drawn
  let time = last;
  function show(seconds) {
    time = Math.min(seconds, last);
    slider.value = time;
    clock.textContent = `${time.toFixed(2)} s`;
    slider.setAttribute('aria-valuetext', clock.textContent);
    past.setAttribute('width', FAR + timeScale()(time));
    for (const marks of chart.querySelectorAll('.role-mark')) {
      if (time < last) marks.setAttribute('clip-path', `url(#${clip.id})`);
      else marks.removeAttribute('clip-path');
    }
  }
  function setPlaying(playing) {
    previousMs = playing ? performance.now() : null;
    button.textContent = playing ? '❚❚ Pause' : '▶ Replay';
    if (playing) requestAnimationFrame(play);
  }
  function play(nowMs) {
    if (previousMs === null) return;
    show(time + (Math.max(0, nowMs - previousMs) / 1_000) * speed);
    previousMs = nowMs;
    if (time < last) requestAnimationFrame(play);
    else setPlaying(false);
  }
  button.addEventListener('click', () => {
    if (previousMs === null && time >= last) show(start);
    setPlaying(previousMs === null);
  });
  slider.addEventListener('input', () => {
    setPlaying(false);
    show(slider.valueAsNumber);
  });
  setPlaying(false);
  show(last);
  return controls;
}
