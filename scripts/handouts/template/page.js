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
  const bound = { renderer: 'svg', container: live, bind: sliders };
  picture.before(live); // in the page, it has a width that the chart can fill
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), bound);
  const theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  view.tooltip(new vegaTooltip.Handler({ theme }).call);
  await view.runAsync();
  picture.remove();
  if (sliders.hasChildNodes()) live.after(sliders);
}
