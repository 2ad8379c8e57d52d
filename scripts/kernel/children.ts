// A child process that shares the kernel's output (`stdio: 'inherit'`) would write to the terminal that
// Jupyter was started from. It is given pipes instead, and what comes goes to the cell that started it.
import childProcess, { ChildProcess, type StdioOptions } from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';

const names = [undefined, 'stdout', 'stderr'] as const;

/** Replaces the inherited ones of stdout and stderr. The second value tells which they were. */
function redirect(stdio: StdioOptions | undefined): [stdio: StdioOptions & unknown[], inherited: (1 | 2)[]] {
  const list = Array.isArray(stdio) ? [...stdio] : [stdio, stdio, stdio];
  const inherited = ([1, 2] as const).filter((fd) => {
    const target = list[fd];
    return target === 'inherit' || target === fd || target === process[names[fd]!];
  });
  for (const fd of inherited) list[fd] = 'pipe';
  return [list as StdioOptions & unknown[], inherited];
}

const { destroy } = Socket.prototype;
/** Those that ran when the latest was started. */
const children = new Set<ChildProcess>();
const isRunning = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null;

/**
 * Closes the standard input of all that run, as the end of this process would. A helper process that a package keeps
 * (esbuild does) ends with it, so that what then runs on was left behind.
 */
export function closeInputOfChildren(): void {
  for (const child of children) {
    if (isRunning(child) && child.stdin) Reflect.apply(destroy, child.stdin, []);
  }
}

export function redirectChildren(): void {
  // What `spawn`, `exec`, `execFile` and `fork` all come down to.
  const prototype = ChildProcess.prototype as unknown as {
    spawn(options: { stdio?: StdioOptions }): unknown;
  };
  const { spawn } = prototype;
  prototype.spawn = function (this: ChildProcess, options) {
    const [stdio, inherited] = redirect(options.stdio);
    const result = Reflect.apply(spawn, this, [inherited.length > 0 ? { ...options, stdio } : options]);
    for (const child of children) if (!isRunning(child)) children.delete(child);
    children.add(this);
    for (const fd of inherited) {
      const pipe = this.stdio?.[fd] as Socket | undefined;
      pipe?.on('data', (chunk: Buffer) => process[names[fd]!].write(chunk));
      pipe?.unref(); // as a stream that is inherited, it keeps no process alive
    }
    return result;
  };

  const { spawnSync, execFileSync, execSync } = childProcess;
  type Options = { stdio?: StdioOptions } | undefined;
  const write = (inherited: (1 | 2)[], output: readonly (Buffer | string | null)[] | null) => {
    for (const fd of inherited) process[names[fd]!].write(output?.[fd] ?? '');
  };
  const overrides = {
    spawnSync(command: string, ...rest: unknown[]) {
      const options = rest.at(-1) as Options;
      const [stdio, inherited] = redirect(Array.isArray(options) ? undefined : options?.stdio);
      if (inherited.length === 0) return Reflect.apply(spawnSync, undefined, [command, ...rest]);
      const args = [command, ...rest.slice(0, -1), { ...options, stdio }];
      const result = Reflect.apply(spawnSync, undefined, args);
      write(inherited, result.output);
      return result;
    },
    execFileSync: sync(execFileSync),
    execSync: sync(execSync),
  };

  function sync(run: (...args: never[]) => unknown) {
    return (...args: unknown[]) => {
      const options = args.at(-1) as Options;
      const [stdio, inherited] = redirect(
        typeof options === 'object' && !Array.isArray(options) ? options?.stdio : undefined,
      );
      if (inherited.length === 0) return Reflect.apply(run, undefined, args);
      // stderr is not returned. Where no `stdio` is given, Node hands it to process.stderr, and so to the cell.
      const byNode = inherited.includes(2) && stdio[1] === 'pipe';
      const ours = byNode ? inherited.filter((fd) => fd === 1) : inherited;
      try {
        const redirected = { ...options, stdio: byNode ? undefined : stdio };
        const stdout = Reflect.apply(run, undefined, [...args.slice(0, -1), redirected]);
        write(ours, [null, stdout as Buffer, null]);
        return inherited.includes(1) ? null : stdout;
      } catch (error) {
        write(ours, (error as { output?: (Buffer | null)[] }).output ?? null);
        throw error;
      }
    };
  }

  Object.assign(childProcess, overrides);
  syncBuiltinESMExports(); // for packages that are ES modules
}
