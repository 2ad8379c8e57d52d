// What the runner asks of the project whose notebooks it runs. It knows nothing else of it.

/** The settings of a project. All have defaults: a folder of notebooks needs none. */
export interface Settings {
  /** What lies in this folder is shown by its path in it. Default: the folder where the command was started. */
  root?: string;
  /** What runs where no notebooks are named: files, folders or globs, relative to `root`. Default: nothing does. */
  notebooks?: string[];
  /** Where executed copies go, unless `--out` says it. Default: `build/notebooks` in `root`. */
  out?: string;
  /** The member of a notebook's or a cell's metadata that speaks to the runner. Default: `tslab`. */
  metadataKey?: string;
  /** Variables for the kernels, beside those of this process. Default: none. */
  env?: Record<string, string>;
  /**
   * Starts a server for one notebook, with `env` in its environment, by which the runner finds what is left of it. `data`
   * is the path of a folder that the server may make; it is removed at the end of the run. Default: there are no servers.
   */
  startServer?: (data: string, env: Record<string, string>) => Promise<NotebookServer>;
  /** Where the runner keeps how long each notebook took, so that the longest start first. Default: nowhere. */
  durationsFile?: string;
  /** The environment variable that marks every process of a run, so that those left are found. Default: `NOTEBOOK_RUN`. */
  markVariable?: string;
  /** The Python and the kernels to use. Default: an environment that the runner makes and keeps with its user. */
  environment?: (signal: AbortSignal) => Environment | Promise<Environment>;
}

export interface Environment {
  /** A Python that has nbclient and psutil. */
  python: string;
  /** The folder of the kernelspecs `tslab` and `jslab`. Default: those of the kernel that comes with the runner. */
  kernels?: string;
}

export interface NotebookServer {
  /** The variables by which the notebook finds the server. */
  env: Record<string, string>;
  /**
   * `file` is a Python module whose function `open_requests(url)` names the requests that are not answered yet: a notebook
   * that leaves one open fails. Default: nobody asks.
   */
  probe?: { file: string; url: string };
  /** Resolves, with what it last said, if the server ends before it is stopped: the notebook then fails. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

/** The settings, with what else they had by default. */
export type Project = Settings &
  Required<Pick<Settings, 'root' | 'out' | 'metadataKey' | 'markVariable' | 'environment'>>;
