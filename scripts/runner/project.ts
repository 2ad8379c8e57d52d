/** What a project tells the runner of itself. The runner knows nothing else of the project whose notebooks it runs. */
export interface Project {
  /** The project's folder. What lies inside it is shown by its path in it. */
  root: string;
  /** The folder in it that holds its notebooks: their executed copies go without it. */
  notebooks: string;
  /** The member of a notebook's or a cell's metadata that speaks to the runner. */
  metadataKey: string;
  /** Where the runner keeps how long each notebook took. */
  durationsFile: string;
  /** The environment variable that marks every process of a run, so that those that are left are found. */
  markVariable: string;
  /** The Python that has nbclient, and the folder of the kernelspecs. Throws a Problem where set-up is to be done. */
  environment(): { python: string; kernels: string };
  /**
   * Starts a server for one notebook, with `env` in its environment. `data` is a folder of its own, which is removed when
   * the server is stopped.
   */
  startServer(data: string, env: Record<string, string>): Promise<NotebookServer>;
}

export interface NotebookServer {
  /** The variables by which the notebook finds the server. */
  env: Record<string, string>;
  /** `file` is a Python module whose function `open_requests(url)` names the requests that are not answered yet. */
  probe: { file: string; url: string };
  /** Resolves, with what it last said, if the server ends before it is stopped. */
  ended: Promise<string>;
  stop(): Promise<void>;
}
