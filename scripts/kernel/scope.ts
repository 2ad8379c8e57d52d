// The variables of the cells: each cell's exports, which the cells after it read and write.

export type Scope = Record<string, unknown>;

export function makeScope(): Scope {
  const variables: Scope = {};
  return new Proxy(variables, {
    // The compiler defines an import as a getter that cannot be defined again; a later cell may.
    defineProperty(_, name, { get, value }) {
      if (name !== '__esModule') variables[name as string] = get ? get() : value;
      return true;
    },
  });
}
