// Hooks of Node's module loader (nodejs.org/docs/latest-v20.x/api/module.html#customization-hooks).

/** Of each module that is exchanged, the URL, and the URL of what is loaded in its place. */
const exchanged = new Map();

/** Called once for each part, with its modules. */
export function initialize(/** @type {[string, string][]} */ urls) {
  for (const [url, other] of urls) exchanged.set(url, other);
}

export async function resolve(specifier, context, nextResolve) {
  const found = await nextResolve(specifier, context);
  const other = exchanged.get(found.url);
  // What stands in a module's place may import that module.
  return other === undefined || other === context.parentURL ? found : { ...found, url: other };
}
