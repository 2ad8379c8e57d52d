// @ts-check
// Imported first by whatever a person may start: ends the process where the course cannot run at all.

const problem = unsupported(process.platform, process.versions.node);
if (problem) {
  process.stderr.write(`${problem}\n`);
  process.exit(2);
}

/**
 * @param {string} platform
 * @param {string} version
 * @returns {string | null} what is wrong and what to do, null where nothing is
 */
export function unsupported(platform, version) {
  if (platform === 'win32')
    return 'Polling Lab runs on Linux and macOS. On Windows use WSL: "wsl --install", clone this repository inside it, and start again there.';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    return `Node 20.19 or newer is needed, got ${version}. Install one (nodejs.org, or "nvm install --lts"), then start again.`;
  return null;
}
