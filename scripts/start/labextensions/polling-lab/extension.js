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
    .vega-embed svg { max-width: 100%; height: auto; }
    .vega-bind label { display: flex; align-items: center; gap: 0.7em; }
    .vega-bind-name { min-width: 20em; }
    .vega-bind input { width: 20em; max-width: none !important; }
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
      // The keys of a chart's slider are its own: the notebook would go to another cell, or fold a section.
      // https://lumino.readthedocs.io/en/latest/api/classes/commands.CommandRegistry.html
      document.addEventListener('focusin', ({ target }) => {
        if (target.closest('.vega-bindings')) target.dataset.lmSuppressShortcuts = 'true';
      });
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
      // Once: from then on the layout is the reader's.
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
