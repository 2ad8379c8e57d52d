import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '../shared/child.mjs';
import { findProgram } from '../shared/find-program.mjs';
import { Problem } from '../shared/problem.mjs';
import { run } from '../shared/run.js';

/** How long Maven may take, in milliseconds. */
const FETCH_MS = 10 * 60_000;

/** A program in Java, as Maven Central has it. */
export interface JavaProgram {
  /** For messages. */
  name: string;
  /** Its jars, `group:artifact:version` each; those that they need come with them. */
  artifacts: string[];
  mainClass: string;
}

/** The oldest Java that our brokers run on. */
const OLDEST_JAVA = 17;

/** A Java program that can be started: the java of this machine, and the folder with the program's jars. */
export interface Ready {
  java: string;
  jars: string;
}

/**
 * Finds Java, and the jars of a program as {@link fetchJars} does. Error: {@link Problem}, exit code 2, with the remedy, where Java is
 * missing or too old, or Maven is missing and needed.
 */
export async function prepare(
  program: JavaProgram,
  folder: string,
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<Ready> {
  const home = process.env.JAVA_HOME;
  const java = (home && findProgram('java', { PATH: join(home, 'bin') })) || findProgram('java');
  const missing = [
    ...(java ? [] : [`Java ${OLDEST_JAVA} or newer`]),
    ...(existsSync(folderOf(program, folder)) || findProgram('mvn') ? [] : ['Maven']),
  ];
  if (!java || missing.length > 0) throw lacks(program, missing);
  const { stdall } = await run([java, '-version'], { signal });
  const version = javaVersion(stdall);
  if (version === null || version < OLDEST_JAVA)
    throw new Problem(
      `${program.name} needs Java ${OLDEST_JAVA} or newer, and ${java} is ${version === null ? 'of no version that it tells' : `Java ${version}`}. Install: ${REMEDY}. Or set JAVA_HOME to a newer one.`,
      { exitCode: 2, details: version === null ? stdall : '' },
    );
  return { java, jars: await fetchJars(program, folder, say, signal) };
}

/** The version that `java -version` tells: 17 of "17.0.15", 8 of "1.8.0_392". Null when it tells none. */
export function javaVersion(said: string): number | null {
  const [, first, second] = / version "(\d+)(?:\.(\d+))?/.exec(said) ?? [];
  if (first === undefined) return null;
  return Number(first === '1' ? second : first);
}

const REMEDY = 'apt-get install default-jre-headless maven; brew install openjdk maven';

function lacks({ name }: JavaProgram, missing: string[]): Problem {
  const what = missing.join(' and ');
  return new Problem(`${name} needs ${what}, which this machine lacks. Install: ${REMEDY}.`, { exitCode: 2 });
}

/** Where the jars of a program are; another list of artifacts has another folder. */
function folderOf(program: JavaProgram, folder: string): string {
  const hash = createHash('sha256').update(pomOf(program)).digest('hex').slice(0, 12);
  return join(folder, `${program.name.toLowerCase()}-${hash}`);
}

/**
 * The folder with the jars of a program. Fetched by Maven the first time, into the checkout; later calls take milliseconds and
 * need no network.
 *
 * @param folder where the jars of all programs are kept.
 * @param say is told before something is fetched.
 */
export async function fetchJars(
  program: JavaProgram,
  folder: string,
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<string> {
  const jars = folderOf(program, folder);
  if (existsSync(jars)) return jars;
  const mvn = findProgram('mvn');
  if (!mvn) throw lacks(program, ['Maven']);
  say(`Fetching ${program.name} (about 40 MB) from Maven Central …`);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    // A process that was killed outright has left its folder behind.
    const [, pid] = /^\.fetching-(\d+)-/.exec(name) ?? [];
    if (pid && !isAlive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true });
  }
  const work = mkdtempSync(join(folder, `.fetching-${process.pid}-`));
  try {
    writeFileSync(join(work, 'pom.xml'), pomOf(program));
    const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${join(work, 'jars')}`];
    const timeout = AbortSignal.timeout(FETCH_MS);
    const until = signal ? AbortSignal.any([signal, timeout]) : timeout;
    const { exitCode, stdall } = await run([mvn, '--batch-mode', '--quiet', ...copy], { cwd: work, signal: until });
    if (exitCode !== 0 || !existsSync(join(work, 'jars')))
      throw new Problem(
        `${program.name} could not be fetched from Maven Central. Check the network, and Maven's proxy settings (~/.m2/settings.xml), then try again.`,
        {
          exitCode: 2,
          details: stdall,
        },
      );
    moveInPlace(join(work, 'jars'), jars);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return jars;
}

/** Renames a folder that is complete, so that no reader sees half of it. Where another process was first, that one's stays. */
export function moveInPlace(folder: string, place: string): void {
  try {
    renameSync(folder, place);
  } catch (error) {
    // EEXIST or ENOTEMPTY, as the system has it (POSIX, rename).
    if (!existsSync(place)) throw error;
  }
}

function pomOf({ name, artifacts }: JavaProgram): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, id, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project><modelVersion>4.0.0</modelVersion><groupId>polling-lab</groupId><artifactId>${name}</artifactId>
<version>1</version><dependencies>${dependencies.join('\n')}</dependencies></project>`;
}
