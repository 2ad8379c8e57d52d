// What the project that registers the kernel decides. Its kernelspec names a JSON file of it: `--settings FILE`.

export interface Settings {
  /** Where compiled code is kept between starts. Without it, each start takes about a second longer. */
  cacheFolder?: string;
  /** The member of a notebook's metadata that has `compilerOptions`. */
  metadataKey: string;
  /** The key of the registered symbol under which helpers find the display function. */
  displaySymbol: string;
  /** The key of the registered symbol under which helpers put a function that says what helps against an error. */
  remedySymbol: string;
  /** The environment variable that marks what cells start. */
  markVariable: string;
}

export const settings: Settings = {
  metadataKey: 'tslab',
  displaySymbol: 'tslab.display',
  remedySymbol: 'tslab.remedy',
  markVariable: 'TSLAB_KERNEL',
};

/** To be called before any file that reads the settings is loaded. */
export function setSettings(given: Partial<Settings>): void {
  Object.assign(settings, given);
}
