import type { Locator, Page } from 'playwright-core';

/** A loaded machine is slow, not wrong. */
const PATIENCE = { timeout: 120_000 };
/** A whole notebook. */
const RUN = { timeout: 300_000 };

/** JupyterLab in a browser, handled as a person does: by its menus, its buttons and the keyboard. */
export class LabPage {
  constructor(readonly page: Page) {}

  /** The notebook in front. Others may be open behind it. */
  private get front(): Locator {
    return this.page.locator('.jp-NotebookPanel:visible');
  }

  /** The code cells. */
  get cells(): Locator {
    return this.front.locator('.jp-CodeCell');
  }

  /** The cell with this text in its code. */
  cell(text: string): Locator {
    return this.cells.filter({ has: this.page.locator('.jp-InputArea', { hasText: text }) }).last();
  }

  /** Opens a notebook, and waits until its kernel is there. */
  async open(url: string): Promise<void> {
    await this.page.goto(url);
    // Lab's title is cut off. What was open before comes up first, and goes when the notebook has come.
    const [, start = ''] = /([^/]{1,8})[^/]*\.ipynb/.exec(url) ?? [];
    await this.page.waitForFunction(
      (text) => {
        const panels = [...document.querySelectorAll('.jp-NotebookPanel')].filter((panel) => panel.checkVisibility());
        return document.title.startsWith(text) && panels.length === 1 && !panels[0]?.querySelector('.jp-Spinner');
      },
      start,
      PATIENCE,
    );
    await this.cells.first().waitFor(PATIENCE);
    await this.kernelIs('idle');
    // The status bar tells of the connection to the kernel, too: what is run before that is there does not begin.
    await this.page.locator('#jp-main-statusbar', { hasText: '| Idle' }).waitFor(PATIENCE);
  }

  async menu(name: string, item: string): Promise<void> {
    await this.page.getByRole('menuitem', { name, exact: true }).click(PATIENCE);
    const label = new RegExp(`^${item}$`); // the item's name has its shortcut in it
    await this.page.locator('.lm-Menu-itemLabel', { hasText: label }).click(PATIENCE);
  }

  /** Clicks a button of the notebook's toolbar. */
  async button(name: string): Promise<void> {
    await this.front.locator('.jp-NotebookPanel-toolbar').getByRole('button', { name }).first().click(PATIENCE);
  }

  async kernelIs(status: 'idle' | 'busy'): Promise<void> {
    await this.front.locator(`.jp-Notebook-ExecutionIndicator[data-status="${status}"]`).waitFor(RUN);
  }

  /** Runs all cells, and waits until none of them is waiting any more. */
  async runAll(): Promise<void> {
    await this.menu('Run', 'Run All Cells');
    const began = performance.now();
    for (let waits = true; waits; await this.page.waitForTimeout(200)) {
      const prompts = await this.front.locator('.jp-InputPrompt').allTextContents();
      waits = prompts.some((text) => text.includes('*')) || !prompts.some((text) => /\d/.test(text));
      if (waits && performance.now() - began > RUN.timeout) {
        throw new Error(`The notebook did not end; its prompts are ${prompts.join(' ')}`);
      }
    }
    await this.kernelIs('idle');
  }

  /** Clicks into a cell and runs it. Resolves when it has ended. */
  async run(cell: Locator): Promise<void> {
    await this.begin(cell);
    await cell.locator('.jp-InputPrompt', { hasText: /\[\d+\]/ }).waitFor(PATIENCE);
    await this.kernelIs('idle');
  }

  /** Clicks into a cell and runs it. Resolves when it has begun. */
  async begin(cell: Locator): Promise<void> {
    const folded = cell.locator('.jp-InputPlaceholder .jp-Placeholder-content');
    if ((await folded.count()) > 0) await folded.click(PATIENCE); // shows the code of a folded cell
    await cell.locator('.cm-content').click(PATIENCE);
    const before = await cell.locator('.jp-InputPrompt').innerText();
    await this.page.keyboard.press('ControlOrMeta+Enter');
    const prompt = cell.locator('.jp-InputPrompt');
    for (const began = performance.now(); (await prompt.innerText()) === before; await this.page.waitForTimeout(20)) {
      if (performance.now() - began > PATIENCE.timeout) throw new Error('The cell did not begin.');
    }
  }

  /** Writes a cell anew. */
  async write(cell: Locator, code: string): Promise<void> {
    await cell.locator('.cm-content').click(PATIENCE);
    await this.page.keyboard.press('ControlOrMeta+a');
    await this.page.keyboard.insertText(code); // typed, it would get brackets that close by themselves
  }

  /** Adds a cell below another. */
  async insertBelow(cell: Locator, code: string): Promise<Locator> {
    await cell.locator('.cm-content').click(PATIENCE);
    await this.page.keyboard.press('Escape');
    await this.page.keyboard.press('b');
    await this.page.keyboard.press('Enter');
    await this.page.keyboard.insertText(code);
    return this.cell(code.split('\n')[0] ?? '');
  }

  /** Says yes to the dialog that comes. */
  async accept(): Promise<void> {
    await this.page.locator('.jp-Dialog .jp-mod-accept').click(PATIENCE);
  }

  /** Saves the notebook, and waits until it is. */
  async save(): Promise<void> {
    const stored = this.page.waitForResponse(
      (response) => response.request().method() === 'PUT' && response.url().includes('.ipynb'),
      PATIENCE,
    );
    await this.button('Save and create checkpoint');
    await stored;
  }

  /** Shows the traffic monitor, unless it is there: JupyterLab remembers how it was left. */
  async showTraffic(): Promise<void> {
    const button = this.front.locator('.jp-NotebookPanel-toolbar').getByRole('button', { name: 'Traffic' }).first();
    if ((await button.getAttribute('aria-pressed', PATIENCE)) !== 'true') await button.click(PATIENCE);
  }

  /** The error boxes that are seen. */
  get errors(): Locator {
    const types = ['error', 'stderr'].map((name) => `[data-mime-type="application/vnd.jupyter.${name}"]`);
    return this.front.locator(types.map((type) => `.jp-OutputArea-output${type}`).join(', '));
  }

  /** The charts that are seen. */
  get charts(): Locator {
    return this.front.locator('.jp-OutputArea-output .vega-embed');
  }

  /** The live page of the server, beside the notebook. */
  get monitor() {
    return this.page.frameLocator('iframe[title="Traffic monitor"]');
  }
}

/** A chart's marks that take up room on the page, by their role: of what is blank there is none. */
export async function seen(chart: Locator): Promise<Record<string, number>> {
  const roles = await chart.locator('svg [role=graphics-symbol]').evaluateAll((marks) => {
    const isDrawn = ({ width, height }: DOMRect) => width > 0 || height > 0;
    const drawn = marks.filter((mark) => isDrawn(mark.getBoundingClientRect()));
    return drawn.map((mark) => mark.getAttribute('aria-roledescription') ?? '');
  });
  const marks: Record<string, number> = {};
  for (const role of roles) marks[role] = (marks[role] ?? 0) + 1;
  return marks;
}

/** The contrast of each text with what it stands on, from 1 to 21, as the browser has computed their colors. */
export const contrasts = (texts: Locator): Promise<number[]> =>
  texts.evaluateAll((texts) => {
    const luminance = (color: number[]) => {
      const [red, green, blue] = color.map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      }) as [number, number, number];
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    /** A color that lies on another, and may let it through. */
    const over = (color: string, below: () => number[]): number[] => {
      const [red, green, blue, alpha = 1] = (/[\d., ]+/.exec(color)?.[0] ?? '').split(',').map(Number);
      if (alpha === 1) return [red!, green!, blue!];
      return below().map((value, i) => alpha * [red!, green!, blue!][i]! + (1 - alpha) * value);
    };
    const paper = (element: Element | null): number[] =>
      element ? over(getComputedStyle(element).backgroundColor, () => paper(element.parentElement)) : [255, 255, 255];
    return texts.map((text) => {
      const { fill, color } = getComputedStyle(text);
      const below = paper(text);
      const both = [luminance(over(text instanceof SVGElement ? fill : color, () => below)), luminance(below)];
      return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    });
  });
