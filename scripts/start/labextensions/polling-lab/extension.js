// The traffic monitor in JupyterLab, beside the notebook and in the command palette, a first sight of the table of contents, and the look of the
// pages. A prebuilt extension (https://jupyterlab.readthedocs.io/en/stable/extension/extension_dev.html), so small that it needs no building.
(() => {
  const ID = 'polling-lab-traffic';
  const COMMAND = 'polling-lab:traffic';

  /** What `npm start` has put into the page: where the server is. */
  const serverUrl = () => JSON.parse(document.getElementById('jupyter-config-data').textContent).pollingLabUrl;

  const STYLE = `
    /* About 75 characters a line: longer ones are hard to read. */
    .jp-RenderedMarkdown > :is(p, ul, ol, blockquote) { max-width: 68ch; }
    /* A table begins where the text above it does, and not in the middle of a wide window. */
    .jp-RenderedMarkdown > table { margin-left: 0; }
    /* The first line of a folded cell breaks, as code does. */
    .jp-Placeholder-content { min-width: 0; }
    .jp-PlaceholderText { min-width: 0; white-space: normal; overflow-wrap: anywhere; }
    /* The red of an error's arrow, which stands on the pale red of its box. */
    body[data-jp-theme-light='true'] .ansi-red-fg { color: #b3261e; }
    body[data-jp-theme-light='false'] .ansi-red-fg { color: #ff8a80; }
    /* Output breaks between words. JupyterLab breaks it in the middle of them. */
    .jp-OutputArea .jp-OutputArea-output pre { word-break: normal; overflow-wrap: anywhere; }
    /* Where JupyterLab's colors of code have less than the 4.5:1 of WCAG 1.4.3. */
    body[data-jp-theme-light='true'] { --jp-mirror-editor-atom-color: #4545d0; --jp-mirror-editor-number-color: #007000;
      --jp-mirror-editor-variable-3-color: #007347; --jp-mirror-editor-comment-color: #2f7070; --jp-mirror-editor-meta-color: #8a1fd1;
      --jp-mirror-editor-bracket-color: #6b6b3f; --jp-mirror-editor-quote-color: #007000; }
    body[data-jp-theme-light='false'] { --jp-mirror-editor-def-color: #4ba3f0; --jp-mirror-editor-comment-color: #7fb5b5;
      --jp-mirror-editor-meta-color: #d08cff; --jp-mirror-editor-qualifier-color: #aaa; --jp-mirror-editor-tag-color: #66bb6a;
      --jp-mirror-editor-string-2-color: #ce93d8; --jp-mirror-editor-link-color: #64b5f6; }
    /* A picture takes this for the system's, and draws its text in a color that suits it. */
    body[data-jp-theme-light='false'] :is(.jp-RenderedSVG img, .vega-bindings) { color-scheme: dark; }
    /* A chart fills the width of its cell. When that shrinks, the chart does, too, until it is drawn anew. */
    .vega-embed { width: 100%; }
    .jp-OutputArea-output.jp-RenderedVegaCommon5 { margin-left: 0; }
    .vega-embed svg { max-width: 100%; height: auto; }
    /* The button of a chart's menu. JupyterLab makes it almost invisible unless the pointer is over the chart. WCAG 1.4.11 requires a contrast of 3:1. */
    .vega-embed summary { opacity: 0.7 !important; }
    .vega-embed:is(:hover, :focus-within) summary { opacity: 1 !important; }
    /* A chart's menu ends where its button does, at which the menu's arrow points: further to the right, the menu would be cut off. */
    .vega-embed .vega-actions { right: 0 !important; }
    .vega-embed .vega-actions::before { right: 5px !important; }
    .vega-embed .vega-actions::after { right: 6px !important; }
    /* A slider stands beside its name, or below it where there is no room: its number is never cut off. */
    .vega-bind label { display: flex; flex-wrap: wrap; align-items: center; column-gap: 0.7em; }
    .vega-bind-name { width: 20em; }
    .vega-bind input { width: min(20em, 100% - 6em); max-width: none !important; }
  `;

  const plugin = ({ Widget }, { ICommandPalette }, { INotebookTracker }) => ({
    id: 'polling-lab:traffic',
    autoStart: true,
    optional: [ICommandPalette, INotebookTracker],
    activate({ shell, commands, restored }, palette, notebooks) {
      notebooks?.widgetAdded.connect((_, { sessionContext }) => awaitFirstKernel(sessionContext));
      const style = document.createElement('style');
      style.textContent = STYLE;
      document.head.append(style);
      // The keys of a chart's slider, and of a table that scrolls, are its own: the notebook would go to another cell, or fold a section.
      // https://lumino.readthedocs.io/en/latest/api/classes/commands.CommandRegistry.html
      document.addEventListener('focusin', ({ target }) => {
        if (target.closest('.vega-bindings') || target.matches('.jp-OutputArea-output[tabindex]'))
          target.dataset.lmSuppressShortcuts = 'true';
      });
      // A table that is too wide scrolls, also by the keyboard: not every browser lets the focus go to what scrolls (WCAG 2.1.1).
      const letFocus = new ResizeObserver((outputs) => {
        for (const { target } of outputs) {
          const attributes = { tabindex: '0', role: 'region', 'aria-label': 'Table, scrolls sideways' };
          const scrolls = target.scrollWidth > target.clientWidth;
          for (const [name, value] of Object.entries(attributes)) {
            if (scrolls) target.setAttribute(name, value);
            else target.removeAttribute(name);
          }
        }
      });
      // The button of a chart's menu gets a name for screen readers. The menu closes when the focus leaves it.
      new MutationObserver((changes) => {
        const added = changes.flatMap(({ addedNodes }) => [...addedNodes]);
        const within = (selector) => added.flatMap((node) => [...(node.querySelectorAll?.(selector) ?? [])]);
        for (const button of within('.vega-embed > details > summary'))
          button.setAttribute('aria-label', 'Save the chart');
        // The number beside a slider is written as the course writes numbers, 1,000,000: Vega writes 1000000, and anew when it changes.
        const NUMBER = '.vega-bind [type=range] + span';
        const numbers = [...added, ...changes.map(({ target }) => target)].filter((node) => node.matches?.(NUMBER));
        for (const number of [...within(NUMBER), ...numbers]) {
          const text = Number(number.textContent).toLocaleString('en', { maximumFractionDigits: 20 });
          if (text !== 'NaN' && text !== number.textContent) number.textContent = text;
        }
        for (const table of [...within('table'), ...added.filter((node) => node.matches?.('table'))]) {
          const output = table.closest('.jp-OutputArea-output');
          if (output) letFocus.observe(output);
        }
      }).observe(document.body, { childList: true, subtree: true });
      // Escape closes a chart's menu. On a link or a slider of an output, it moves the focus to the cell: Enter edits, arrow keys select others.
      document.addEventListener(
        'keydown',
        (event) => {
          if (
            event.key !== 'Escape' ||
            !event.target.matches(
              '.jp-OutputArea-output :is(a, summary, button, [type=range]), .jp-OutputArea-output[tabindex]',
            )
          )
            return;
          const menu = event.target.closest('.vega-embed > details[open]');
          if (menu) menu.open = false;
          const back = menu ? menu.querySelector('summary') : event.target.closest('.jp-Cell');
          back?.focus();
          event.stopPropagation();
        },
        true,
      );
      document.addEventListener('focusout', ({ target, relatedTarget }) => {
        const menu = target.closest('.vega-embed > details[open]');
        if (menu && relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
      });
      keepRoom(shell, restored);
      const url = serverUrl();
      if (url) {
        shell.add(monitor(Widget, url), 'right', { rank: 10, type: 'Traffic' });
        commands.addCommand(COMMAND, {
          label: 'Traffic',
          caption: "Show or hide the traffic monitor: the requests that the course's server sees, live",
          isToggled: () => isOpen(shell),
          execute: () => (isOpen(shell) ? shell.collapseRight() : shell.activateById(ID)),
        });
        palette?.addItem({ command: COMMAND, category: 'Polling Lab' });
        shell.layoutModified?.connect(() => commands.notifyCommandChanged(COMMAND));
      }
      // Once: after that, the layout is the reader's.
      void Promise.all([restored, shell.restored]).then(([, layout]) => {
        if (layout?.fresh) shell.activateById('table-of-contents');
      });
    },
  });

  /**
   * A cell that is run while the notebook's kernel is on its way waits for it. JupyterLab lets go of such a cell in silence, so
   * that a reader who is quick would have to press the keys again. What runs a cell asks for `hasNoKernel`, and then calls
   * `startKernel`: https://jupyterlab.readthedocs.io/en/stable/api/classes/apputils.SessionContext.html
   */
  function awaitFirstKernel(context) {
    const { startKernel } = context;
    let starting;
    Object.defineProperty(context, 'hasNoKernel', { get: () => !context.session?.kernel });
    context.startKernel = async () => {
      await Promise.all([context.specsManager.ready, context.sessionManager.ready]);
      if (context.session?.kernel) return false; // the reader need not choose one
      starting ??= startKernel.call(context).finally(() => {
        starting = undefined;
      });
      return starting;
    };
  }

  /** The least width of the notebook, in pixels: a chart's, and that of the margins around it. Half the window, if that is less. */
  const LEAST_WIDTH = 400;

  /**
   * Keeps a notebook wide enough to read beside its panels. JupyterLab remembers a panel's width as a share of the window: at a
   * zoom of 200 % the panel's share is twice as large, and after a reload the panel is twice as wide. After a few such reloads, the
   * notebook has no width at all. So the panels are made narrower when the window changes, or when one is opened. If both are
   * as narrow as they can be, the left one closes. A border that a reader drags stays there until then.
   */
  function keepRoom(shell, restored) {
    const split = find(shell, 'jp-main-split-panel');
    if (!split) return;
    const widths = () => split.widgets.map(({ isVisible, node }) => (isVisible ? node.offsetWidth : 0));
    const fit = () => {
      const [left, main, right] = widths();
      const total = left + main + right;
      const least = Math.min(LEAST_WIDTH, total / 2);
      if (main >= least) return;
      const narrower = (total - least) / (left + right);
      split.setRelativeSizes([left * narrower, least, right * narrower]);
      requestAnimationFrame(() => {
        if (left > 0 && right > 0 && widths()[1] < least - 1) shell.collapseLeft();
      });
    };
    const soon = () => requestAnimationFrame(fit);
    let open = '';
    shell.layoutModified?.connect(() => {
      const now = widths().map(Boolean).join();
      if (now !== open) soon();
      open = now;
    });
    addEventListener('resize', soon);
    void Promise.all([restored, shell.restored]).then(soon);
  }

  /** The widget with this id inside another; undefined if there is none. */
  function find(widget, id) {
    for (const child of widget.children?.() ?? []) {
      const found = child.id === id ? child : find(child, id);
      if (found) return found;
    }
    return undefined;
  }

  const isOpen = (shell) => [...shell.widgets('right')].some(({ id, isVisible }) => id === ID && isVisible);

  /** The server's own page. Only while it is seen: it holds two of the six connections that a browser opens to a host. */
  function monitor(Widget, url) {
    const frame = document.createElement('iframe');
    frame.title = 'Traffic monitor';
    frame.style.cssText = 'min-width: 300px; width: 100%; height: 100%; border: 0';
    const widget = new Widget({ node: frame });
    widget.id = ID;
    widget.title.label = 'Traffic';
    widget.title.caption = 'Traffic: what the server sees, live';
    widget.onAfterShow = () => {
      // A page in a frame takes this for the system's: it follows Lab's theme.
      frame.style.colorScheme = document.body.dataset.jpThemeLight === 'false' ? 'dark' : 'light';
      frame.src = url;
    };
    widget.onAfterHide = () => {
      frame.removeAttribute('src');
    };
    return widget;
  }

  // The interface of a webpack container: JupyterLab hands over the modules it shares, and asks for the extension.
  let modules;
  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB['polling-lab'] = {
    init: (scope) => {
      modules = scope;
    },
    get: async () => {
      const shared = async (name) => (await Object.values(modules[name])[0].get())();
      const used = ['@lumino/widgets', '@jupyterlab/apputils', '@jupyterlab/notebook'];
      const extension = plugin(...(await Promise.all(used.map(shared))));
      return () => extension;
    },
  };
})();
