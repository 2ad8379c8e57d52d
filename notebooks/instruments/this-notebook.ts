import { basename } from 'node:path';

/** The notebook that runs, as Jupyter Server tells its kernels: `03-short-polling`. Empty where it does not tell. */
export const NOTEBOOK = basename(process.env.JPY_SESSION_NAME ?? '', '.ipynb');
