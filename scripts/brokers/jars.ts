import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** The java and mvn of this machine. Error: {@link Problem}, exit code 2, with the remedy, where one is missing. */
export function findJava(name: string): { java: string; mvn: string } {
  const java = process.env.JAVA_HOME ? findProgram('java', { PATH: join(process.env.JAVA_HOME, 'bin') }) : null;
  const found = { java: java ?? findProgram('java'), mvn: findProgram('mvn') };
  const missing = [found.java ? [] : 'Java 17 or newer', found.mvn ? [] : 'Maven'].flat();
  if (!found.java || !found.mvn) {
    const remedy = 'apt-get install default-jre-headless maven; brew install openjdk maven';
    throw new Problem(`${name} needs ${missing.join(' and ')}, which this machine lacks. Install: ${remedy}.`, {
      exitCode: 2,
    });
  }
  return { java: found.java, mvn: found.mvn };
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
  const pom = pomOf(program);
  const hash = createHash('sha256').update(pom).digest('hex').slice(0, 12);
  const jars = join(folder, `${program.name.toLowerCase()}-${hash}`);
  if (existsSync(jars)) return jars;
  const { mvn } = findJava(program.name);
  say(`Fetching ${program.name} (about 40 MB) from Maven Central …`);
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, '.fetching-'));
  try {
    writeFileSync(join(work, 'pom.xml'), pom);
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
    // Renamed when it is complete, so that no reader sees half of it. Another process may have made it meanwhile.
    if (!existsSync(jars)) renameSync(join(work, 'jars'), jars);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return jars;
}

function pomOf({ name, artifacts }: JavaProgram): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, id, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project><modelVersion>4.0.0</modelVersion><groupId>polling-lab</groupId><artifactId>${name}</artifactId>
<version>1</version><dependencies>${dependencies.join('\n')}</dependencies></project>`;
}
